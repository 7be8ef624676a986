"""A hash of a table's values, the same whatever file, chunks or library version hold them."""

import hashlib
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ROWS = 65_536


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def table_fingerprint(table: pa.Table) -> str:
    """Hash the names and values of a table's columns, and the order of its rows.

    Args:
        table: Columns of text, numbers, truth values, and lists or structs of these.

    Returns:
        32 hex digits.

    Examples:
        >>> one, other = pa.table({"id": ["a", "b"]}), pa.table({"id": ["ab", ""]})
        >>> table_fingerprint(one) == table_fingerprint(pa.concat_tables([one[:1], one[1:]]))
        True
        >>> table_fingerprint(one) == table_fingerprint(other)
        False
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in table.column_names:
        digest.update(f"{name}\x1f{table.num_rows}\x1f".encode())
        for first in range(0, table.num_rows, _ROWS):
            part = table.column(name).slice(first, _ROWS).combine_chunks()
            _feed(digest, part)
    return digest.hexdigest()


def _feed(digest: _Digest, values: pa.Array) -> None:
    digest.update(np.packbits(values.is_null().to_numpy(zero_copy_only=False)).tobytes())
    if pa.types.is_list(values.type):
        digest.update(pc.fill_null(pc.list_value_length(values), 0).to_numpy().tobytes())
        _feed(digest, values.flatten())
    elif pa.types.is_struct(values.type):
        for field in values.type:
            _feed(digest, pc.struct_field(values, field.name))
    elif pa.types.is_string(values.type):
        data = pc.fill_null(values, "").cast(pa.binary())
        digest.update(pc.binary_length(data).to_numpy().tobytes())
        digest.update(b"".join(data.to_pylist()))
    else:
        numbers = values if not values.null_count else pc.fill_null(values, 0)
        digest.update(numbers.to_numpy(zero_copy_only=False).tobytes())
