"""Rows of a manifest that meet a condition, and at most so many of each value of a column.

Which rows a cap keeps is drawn by their ids: the same seed keeps the same rows whatever else the
manifest holds, and a larger cap keeps those of a smaller one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from maqam.data.manifest import Manifest
from maqam.errors import ConfigError
from maqam.pooling.expression import Condition, read_condition
from maqam.seeding import text_id
from maqam.settings_file import nearest


@dataclass(frozen=True, slots=True)
class Loss:
    """What one condition or cap took away.

    Attributes:
        text: The condition or cap.
        num_rows: Rows it took of those that the ones before had left.
        num_null: Rows that were looked at and are null in what it asks of: a condition takes them
            away, a cap leaves them.
    """

    text: str
    num_rows: int
    num_null: int


@dataclass(frozen=True, slots=True)
class SelectReport:
    """How many rows a selection left, and what took the others away.

    Attributes:
        num_rows: Rows that there were.
        num_left: Rows that are left.
        losses: What took the others away, in the order of the conditions, then of the caps.
    """

    num_rows: int
    num_left: int
    losses: tuple[Loss, ...]

    def lines(self) -> list[str]:
        """Return a line for each condition and cap, and one for what is left."""
        said = []
        for one in self.losses:
            kept = " and are not capped" if one.text.startswith("at most") else " among them"
            null = f" ({one.num_null} rows have null{kept})" if one.num_null else ""
            said.append(f"{one.text}: {one.num_rows} rows taken away{null}")
        return [*said, f"{self.num_left} of {self.num_rows} rows are left"]


def select(
    manifest: Manifest,
    where: str | Condition | None = None,
    caps: Mapping[str, int] | None = None,
    *,
    split: str | None = None,
    seed: int = 0,
) -> tuple[Manifest, SelectReport]:
    """Return the rows of a manifest that meet a condition, and what took the others away.

    Args:
        manifest: The utterances.
        where: Condition on its columns; see `maqam.pooling.expression.read_condition`. A row for
            which it is null is left out.
        caps: Most rows of each value of a column, by the column; rows where it is null stay.
        split: The split that conditions and caps apply to, the rows of others stay; all splits
            when None.
        seed: Which rows a cap keeps.

    Raises:
        ConfigError: If a condition is none, there is no such column, or a cap is below 1.
    """
    rows, losses = np.arange(manifest.num_utterances), []
    outside = rows[:0]
    if split is not None:
        rows = manifest.select(split=split)
        outside = np.setdiff1d(np.arange(manifest.num_utterances), rows)
    if isinstance(where, str):
        where = read_condition(where, "--where")
    for condition in where.parts() if where is not None else ():
        rows, loss = _met(manifest.table, rows, condition)
        losses.append(loss)
    for column, most in (caps or {}).items():
        rows, loss = _capped(manifest, rows, column, most, seed)
        losses.append(loss)
    kept = np.sort(np.concatenate([rows, outside]))
    table = manifest.table.take(pa.array(kept, pa.int64()))
    left = Manifest(manifest.path, table, manifest.tasks, manifest.language)
    return left, SelectReport(manifest.num_utterances, len(kept), tuple(losses))


def _met(table: pa.Table, rows: np.ndarray, condition: Condition) -> tuple[np.ndarray, Loss]:
    mask = condition.mask(table).take(pa.array(rows, pa.int64()))
    is_met = pc.fill_null(mask, False).to_numpy().astype(bool)
    return rows[is_met], Loss(condition.text, int((~is_met).sum()), mask.null_count)


def _capped(
    manifest: Manifest, rows: np.ndarray, column: str, most: int, seed: int
) -> tuple[np.ndarray, Loss]:
    where = f"--cap {column}={most}"
    names = manifest.table.column_names
    if column not in names:
        raise ConfigError(
            f"there is no column {column!r}", where=where, hint=nearest(column, names)
        )
    kind = manifest.table.schema.field(column).type
    if kinds.is_nested(kind):
        raise ConfigError(
            f"column {column!r} is {kind}, which has no values to cap",
            where=where,
            hint="cap a column of text or numbers, such as dialect",
        )
    if most < 1:
        raise ConfigError(f"a cap of {most} leaves no row", where=where, hint="give 1 or more")
    taken = pa.array(rows, pa.int64())
    values = manifest.table.column(column).take(taken).combine_chunks()
    if not kinds.is_dictionary(values.type):
        values = values.dictionary_encode()
    codes = pc.fill_null(values.indices, -1).to_numpy().astype(np.int64)
    ids = manifest.table.column("id").take(taken).to_pylist()
    lots = np.fromiter((text_id(f"{seed}\x1f{one}") for one in ids), np.uint64, len(ids))
    order = np.lexsort((lots, codes))
    sorted_codes = codes[order]
    first = np.searchsorted(sorted_codes, sorted_codes, side="left")
    place = np.empty(len(rows), dtype=np.int64)
    place[order] = np.arange(len(rows)) - first
    is_kept = (place < most) | (codes < 0)
    text = f"at most {most} rows of each {column}"
    return rows[is_kept], Loss(text, int((~is_kept).sum()), int((codes < 0).sum()))
