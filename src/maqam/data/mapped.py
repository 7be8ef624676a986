"""A memory-mapped Arrow copy of a large manifest, so that ten million rows cost little memory.

Parquet is compressed and cannot be mapped. The first reading of a large manifest streams it to an
uncompressed Arrow file beside it, and only rows that passed every check keep their copy; later
readings open it in milliseconds. A folder that cannot be written has no copy.
"""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.data.schema import FORMAT_VERSION, conformed
from maqam.files import whole_file

_KEY = b"maqam_copy_of"


def mapped_table(file: Path, check: Callable[[pa.Table], None], rules: str) -> pa.Table | None:
    """Open the mapped copy of a Parquet manifest, made and checked first where it is not there.

    Args:
        file: The manifest; its columns are known to be the schema's.
        check: Raises if the rows are not sound; then no copy stays.
        rules: What the check goes by; a copy that passed other rules is made anew.

    Returns:
        The table, or nothing where a copy cannot be written.
    """
    state = file.stat()
    key = f"{FORMAT_VERSION}:{state.st_size}:{state.st_mtime_ns}:{rules}".encode()
    copy = file.with_name(f".{file.stem}.arrow")
    table = _opened(copy, key)
    if table is not None:
        return table
    try:
        with whole_file(copy) as draft:
            _write(file, draft, key)
            table = _opened(draft, key)
            check(table)
    except OSError:
        return None
    return table


def _opened(copy: Path, key: bytes) -> pa.Table | None:
    """Map a copy, if it is whole and was made from this very file."""
    if not copy.is_file():
        return None
    try:
        table = pa.ipc.open_file(pa.memory_map(str(copy))).read_all()
    except (pa.ArrowInvalid, OSError):
        return None
    return table if (table.schema.metadata or {}).get(_KEY) == key else None


def _write(file: Path, draft: Path, key: bytes) -> None:
    with pq.ParquetFile(file, memory_map=True) as parquet:
        schema = conformed(parquet.schema_arrow.empty_table()).schema.with_metadata({_KEY: key})
        with pa.OSFile(str(draft), "wb") as stream, pa.ipc.new_file(stream, schema) as writer:
            for batch in parquet.iter_batches():
                rows = conformed(pa.Table.from_batches([batch]))
                writer.write_table(rows.replace_schema_metadata({_KEY: key}))
