"""The source's own columns of all rows: one type each, whatever order their values come in.

Until all rows are known a value is kept as text, so that a column of numbers in which a word turns
up at last holds every value as the source wrote it.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from maqam.corpora.extra import Scalar, Untyped

MOST_COLUMNS = 1000
MORE = "source_more"  # column of the values beyond these, as JSON
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d{1,3})?")
_LARGEST = 1 << 63
_TYPES = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}


class ExtraColumns:
    """Names and types of the source's own columns.

    Args:
        types: Types of columns that are known before any row: of a source that is a manifest.

    Attributes:
        kinds: What each column holds so far: bool, int, float or text.

    Examples:
        >>> columns = ExtraColumns()
        >>> parts = [columns.as_text([{"snr": 30}]), columns.as_text([{"snr": 2.5}])]
        >>> [columns.typed(part)["snr"].to_pylist() for part in parts]
        [[30.0], [2.5]]
    """

    def __init__(self, types: pa.Schema | None = None) -> None:
        self.kinds: dict[str, str] = {}
        self._types = types or pa.schema([])

    def as_text(self, rows: Sequence[Mapping[str, Scalar]]) -> dict[str, pa.Array]:
        """Note the values of rows; return their columns as text.

        Args:
            rows: For each row its values by column.
        """
        names = list(dict.fromkeys(name for row in rows for name in row))
        new = [name for name in names if name not in self.kinds and name not in self._types.names]
        beyond = set(new[max(MOST_COLUMNS - len(self.kinds), 0) :])
        found: dict[str, pa.Array] = {}
        for name in names:
            if name not in beyond:
                found[name] = self._column(name, [row.get(name) for row in rows])
        if beyond:
            rest = [{name: row[name] for name in row if name in beyond} for row in rows]
            texts = [json.dumps(one, ensure_ascii=False) if one else None for one in rest]
            found[MORE] = self._column(MORE, texts)
        return found

    def _column(self, name: str, values: Sequence[Scalar | None]) -> pa.Array:
        kind = self.kinds.get(name)
        if kind != "text":
            for one in (_kind(value) for value in values if value is not None):
                kind = _united(kind, one)
            self.kinds[name] = kind or "text"
        texts = [value if value is None or type(value) is str else _text(value) for value in values]
        return pa.array(texts, pa.string())

    @property
    def schema(self) -> pa.Schema:
        """The columns with their types: those of a manifest first, then as they were met."""
        met = [name for name in self.kinds if name not in self._types.names]
        return pa.schema([*self._types, *((name, _TYPES[self.kinds[name]]) for name in met)])

    def typed(self, table: pa.Table | Mapping[str, pa.Array]) -> dict[str, pa.ChunkedArray]:
        """Return the columns of a table of text with their types.

        Args:
            table: What `as_text` returned, of rows that were all noted; a column of it that is
                missing is null.
        """
        held = table if isinstance(table, pa.Table) else pa.table(dict(table))
        return {
            field.name: (
                _cast(held.column(field.name), field.type)
                if field.name in held.column_names
                else pa.chunked_array([pa.nulls(held.num_rows, field.type)])
            )
            for field in self.schema
        }


def _kind(value: Scalar) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_LARGEST <= value < _LARGEST else "text"
    if isinstance(value, float):
        return "float"
    if isinstance(value, Untyped) and _NUMBER.fullmatch(value):
        if _INTEGER.fullmatch(value):
            return "int"
        return "text" if value.lstrip("-").isdigit() else "float"  # more digits than a number keeps
    return "text"


def _united(one: str | None, other: str) -> str:
    """Return what holds the values of both kinds.

    Examples:
        >>> _united("int", "float"), _united("bool", "int"), _united(None, "int")
        ('float', 'text', 'int')
    """
    if one is None or one == other:
        return other
    return "float" if {one, other} == {"int", "float"} else "text"


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_nested(kind):
        parsed = (None if text is None else json.loads(text) for text in values.to_pylist())
        return pa.chunked_array([pa.array(list(parsed), kind)])
    if pa.types.is_dictionary(kind):
        return pc.cast(values, kind.value_type).dictionary_encode().cast(kind)
    return pc.cast(values, kind)


def known_types(schema: pa.Schema, own: Collection[str]) -> pa.Schema:
    """Return the columns of a manifest that are not its own, with the types they come out with.

    Args:
        schema: All columns.
        own: Names of the manifest's own.
    """
    return pa.schema(
        [
            (field.name, field.type if _is_written(field.type) else pa.string())
            for field in schema
            if field.name not in own
        ]
    )


def _is_written(kind: pa.DataType, *, is_inner: bool = False) -> bool:
    """Tell whether text can become values of a type again; inside of JSON fewer can."""
    types = pa.types
    if types.is_list(kind):
        return _is_written(kind.value_type, is_inner=True)
    if types.is_struct(kind):
        inner = (kind.field(at).type for at in range(kind.num_fields))
        return all(_is_written(one, is_inner=True) for one in inner)
    if types.is_dictionary(kind):
        return not is_inner and _is_written(kind.value_type, is_inner=True)
    is_number = types.is_integer(kind) or types.is_float32(kind) or types.is_float64(kind)
    is_plain = is_number or types.is_boolean(kind) or types.is_string(kind)
    is_dated = types.is_timestamp(kind) or types.is_date32(kind) or types.is_null(kind)
    return is_plain or (is_dated and not is_inner) or types.is_large_string(kind)
