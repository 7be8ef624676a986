"""Columns of a source beside those that import reads: they become columns of the manifest."""

import json
from collections.abc import Collection, Mapping
from decimal import Decimal

from maqam.data.schema import CHANNEL, IMPORT_SCHEMA
from maqam.schedule.pool import WEIGHT

RESERVED = frozenset(
    {*IMPORT_SCHEMA.names, CHANNEL, WEIGHT, ""}
)  # names with a meaning of their own
PREFIX = "source_"  # of the source's columns that have such a name


class Untyped(str):
    """Text of a table that has no types: a column of nothing but numbers is one of numbers."""

    __slots__ = ()


Scalar = str | int | float | bool


def extra_columns(row: Mapping[str, object], read: Collection[str]) -> dict[str, Scalar]:
    """Return the columns of a row that are not read, under names that the manifest does not use.

    Args:
        row: Columns of the source.
        read: Names of those that are read.

    Returns:
        Numbers and text as they stand, what holds more as JSON; nothing for null.

    Examples:
        >>> extra_columns({"id": "a", "snr": 31.5, "label": "EGY", "tags": ["x"]}, {"id"})
        {'snr': 31.5, 'source_label': 'EGY', 'tags': '["x"]'}
    """
    found: dict[str, Scalar] = {}
    for name, value in row.items():
        if value is None or name in read:
            continue
        kept = str(name)
        while kept in RESERVED or (kept != name and kept in row):
            kept = f"{PREFIX}{kept}"
        found[kept] = plain(value)
    return found


def plain(value: object) -> Scalar:
    """Return a value as a number or text: lists and tables as JSON, bytes as their number.

    Examples:
        >>> plain({"a": b"123"}), plain(7)
        ('{"a": "<3 bytes>"}', 7)
    """
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=_named)
    return Untyped(value) if isinstance(value, Decimal) else _named(value)


def _named(value: object) -> str:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)
