"""The pool: what a schedule knows of the utterances, integer columns and stable ids."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from maqam.errors import ScheduleError, first_few
from maqam.seeding import text_id
from maqam.tasks import default_tasks

WEIGHT = "sampling_weight"  # axis of how many utterances one counts as; names are numbers


def _default_levels() -> dict[str, int]:
    return {task.name: task.level for task in default_tasks().values()}


@dataclass(frozen=True)
class Pool:
    """Integer columns of a manifest.

    Attributes:
        columns: (num_utterances,) int32 codes of each axis, such as task, label, cluster.
        names: Name of each code of each axis.
        uids: (num_utterances,) uint64 stable ids, all different: what the lottery hashes.
        rows: (num_utterances,) int64 number of each utterance in its manifest.
        values: (num_utterances,) float64 measures of each utterance, such as seconds or tokens:
            what budgets are counted in and curricula order by.
        embeddings: (num_utterances, dim) one vector of each utterance, where batches are picked
            by them.
        levels: Semantic abstraction of each task, 1 lowest: what curricula order tasks by.
    """

    columns: Mapping[str, np.ndarray]
    names: Mapping[str, tuple[str, ...]]
    uids: np.ndarray
    rows: np.ndarray
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    embeddings: np.ndarray | None = None
    levels: Mapping[str, int] = field(default_factory=_default_levels)

    def __post_init__(self) -> None:
        measured = [*self.columns.values(), *self.values.values()]
        if self.embeddings is not None:
            measured.append(self.embeddings)
        lengths = {len(self.uids), len(self.rows), *map(len, measured)}
        if len(lengths) != 1:
            raise ValueError(
                f"columns, values, uids and rows must be equally long, got {sorted(lengths)}"
            )
        if not len(self.uids):
            raise ScheduleError("the pool is empty", where="pool", hint="check split and filters")

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Sequence[object] | np.ndarray],
        *,
        ids: Sequence[str] | None = None,
        rows: np.ndarray | None = None,
        values: Mapping[str, np.ndarray] | None = None,
    ) -> "Pool":
        """Make a pool from columns of names or numbers.

        Args:
            columns: Axis name to one value an utterance.
            ids: Utterance ids, all different; their numbers when absent.
            rows: Manifest rows; 0, 1, 2 ... when absent.
            values: Measures such as seconds, one number an utterance.

        Raises:
            ScheduleError: If there are no utterances or ids repeat.

        Examples:
            >>> pool = Pool.from_columns({"task": ["asr", "did", "asr"]})
            >>> pool.names["task"], pool.columns["task"].tolist()
            (('asr', 'did'), [0, 1, 0])
        """
        codes, names = {}, {}
        for axis, column in columns.items():
            found, codes[axis] = _coded(np.asarray(column))
            names[axis] = tuple(str(name) for name in found)
        measures = {name: np.asarray(one, dtype=np.float64) for name, one in (values or {}).items()}
        lengths = [*map(len, codes.values()), *map(len, measures.values())]
        length = lengths[0] if lengths else len(ids or ())
        if ids is None:
            uids = np.arange(length, dtype=np.uint64)
        else:
            uids = np.fromiter(map(text_id, ids), dtype=np.uint64, count=len(ids))
            found, counts = np.unique(uids, return_counts=True)
            if len(found) < len(uids):
                twice = set(found[counts > 1].tolist())
                bad = [name for name, uid in zip(ids, uids.tolist(), strict=True) if uid in twice]
                raise ScheduleError(f"ids repeat: {first_few(bad)}", where="pool")
        numbers = np.arange(length) if rows is None else rows
        return cls(codes, names, uids, np.asarray(numbers, dtype=np.int64), measures)

    @property
    def num_utterances(self) -> int:
        """Utterances that can be dealt."""
        return len(self.uids)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of ids, rows and columns: 32 hex digits."""
        parts = [("ids", self.uids), ("rows", self.rows)]
        parts += [
            ("\x1f".join([axis, *self.names[axis]]), self.columns[axis])
            for axis in sorted(self.columns)
        ]
        parts += [(name, self.values[name]) for name in sorted(self.values)]
        if self.embeddings is not None:
            parts.append(("embeddings", self.embeddings))
        with ThreadPoolExecutor() as workers:  # hashing needs no lock of Python's
            hashes = workers.map(_hash, (array for _, array in parts))
            whole = [f"{name}\x1f{found}" for (name, _), found in zip(parts, hashes, strict=True)]
        return hashlib.blake2b("\n".join(whole).encode(), digest_size=16).hexdigest()

    def axis(self, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return the codes of an axis, (num_utterances,), and the name of each code.

        Args:
            name: A column, or bins of equally many utterances by a measure: "seconds/8" from the
                shortest to the longest eighth, "seconds/8 in task" with bins of each task's own.

        Raises:
            ScheduleError: If the pool has no such column or measure.

        Examples:
            >>> pool = Pool.from_columns({}, values={"seconds": np.array([9.0, 1.0, 3.0, 2.0])})
            >>> pool.axis("seconds/2")[0].tolist()
            [1, 0, 1, 0]
        """
        if name in self.columns:
            return self.columns[name], self.names[name]
        if name not in self._bins:
            self._bins[name] = self._binned(name)
        return self._bins[name]

    def costs(self, unit: str) -> np.ndarray:
        """Return what each utterance takes of a budget, (num_utterances,) float64, all above 0.

        Args:
            unit: "rows", or a measure of the pool.

        Raises:
            ScheduleError: If there is no such measure, or utterances take nothing or no number.
        """
        if unit == "rows":
            return np.ones(self.num_utterances)
        if unit not in self.values:
            raise _unknown("measure", unit, self.values)
        costs = self.values[unit]
        free = np.flatnonzero(~(np.isfinite(costs) & (costs > 0)))
        if len(free):
            raise ScheduleError(
                f"{len(free)} utterances have no {unit}: rows "
                f"{first_few(self.rows[free].tolist())}",
                where="deal.unit",
                hint="count rows or tokens, or leave text out of the pool",
            )
        return costs

    @cached_property
    def _bins(self) -> dict[str, tuple[np.ndarray, tuple[str, ...]]]:
        return {}

    def _binned(self, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
        bins = Bins.named(name)
        if bins is None:
            raise _unknown("column", name, self.columns)
        measure, num_bins, within = bins.measure, bins.num_bins, bins.within
        if measure not in self.values:
            raise _unknown("measure", measure, self.values)
        if within and within not in self.columns:
            raise _unknown("column", within, self.columns)
        unknown = np.flatnonzero(~np.isfinite(self.values[measure]))
        if len(unknown):
            raise ScheduleError(
                f"{len(unknown)} utterances have no finite {measure}: rows "
                f"{first_few(self.rows[unknown].tolist())}",
                where="schedule",
                hint="leave them out, or give them a value",
            )
        groups = self.columns[within] if within else np.zeros(self.num_utterances, dtype=np.int64)
        order = np.lexsort((self.uids, self.values[measure], groups))
        sizes = np.bincount(groups)
        rank = np.arange(self.num_utterances) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        codes = np.empty(self.num_utterances, dtype=np.int32)
        codes[order] = rank * num_bins // np.repeat(sizes, sizes)
        return codes, tuple(f"{measure} {place + 1}/{num_bins}" for place in range(num_bins))

    def cells(self, axes: Sequence[str], unit: str = "rows") -> "Cells":
        """Group the utterances by the combinations of some axes that occur.

        Args:
            axes: Columns or bins (see `axis`).
            unit: What the cells' costs are counted in.

        Raises:
            ScheduleError: If the pool lacks an axis or the unit.
        """
        coded = {axis: self.axis(axis) for axis in axes}
        flat = np.zeros(self.num_utterances, dtype=np.int64)
        for codes, names in coded.values():
            flat = flat * len(names) + codes
        size = int(np.prod([len(names) for _, names in coded.values()], initial=1))
        counts = np.bincount(flat, minlength=size)
        present = np.flatnonzero(counts)
        index = np.zeros(size, dtype=np.int32)
        index[present] = np.arange(len(present))
        of_cell, left = {}, present
        for axis in reversed(axes):
            left, of_cell[axis] = np.divmod(left, len(coded[axis][1]))
        of_utterance = index[flat]
        sizes = counts[present]
        weights = self.costs(unit) if unit != "rows" else None
        costs = np.bincount(of_utterance, weights=weights, minlength=len(present))
        return Cells(
            axes=tuple(axes),
            codes={axis: of_cell[axis] for axis in axes},
            names={axis: coded[axis][1] for axis in axes},
            sizes=sizes,
            costs=costs.astype(np.float64),
            of_utterance=of_utterance,
        )


def _coded(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different values of a column, ascending, and the place of each row's among them.

    Whole numbers of a small range are counted, a tenth of the time of sorting.
    """
    if column.dtype.kind in "iu" and column.size:
        low, high = int(column.min()), int(column.max())
        if high - low <= max(len(column), 1000) and abs(low) < 2**62:
            shifted = column.astype(np.int64) - low
            present = np.flatnonzero(np.bincount(shifted))
            place = np.zeros(high - low + 1, dtype=np.int32)
            place[present] = np.arange(len(present))
            return present + low, place[shifted]
    found, inverse = np.unique(column, return_inverse=True)
    return found, inverse.astype(np.int32).reshape(-1)


def _hash(values: np.ndarray) -> str:
    return hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).hexdigest()


def _unknown(role: str, name: str, known: Mapping[str, object]) -> ScheduleError:
    hint = f"it has {', '.join(known) or 'none'}"
    if name == "cluster":
        hint = "maqam features makes clusters, for phase tune; phase align has none"
    return ScheduleError(f"the pool has no {role} {name}", where="schedule", hint=hint)


@dataclass(frozen=True, slots=True)
class Bins:
    """An axis of bins of equally many utterances by a measure.

    Attributes:
        measure: What utterances are ordered by.
        num_bins: Bins, at least 1.
        within: Column each of whose groups has bins of its own; None for all together.

    Examples:
        >>> str(Bins("seconds", 8, "task"))
        'seconds/8 in task'
        >>> Bins.named("seconds/8")
        Bins(measure='seconds', num_bins=8, within=None)
    """

    measure: str
    num_bins: int
    within: str | None = None

    def __str__(self) -> str:
        """Return the name of the axis."""
        return f"{self.measure}/{self.num_bins}" + (f" in {self.within}" if self.within else "")

    @classmethod
    def named(cls, name: str) -> "Bins | None":
        """Return the bins that a name means, None where it means none."""
        found = re.fullmatch(r"(\w+)/([1-9]\d*)(?: in (\w+))?", name)
        return cls(found[1], int(found[2]), found[3]) if found else None


@dataclass(frozen=True)
class Cells:
    """Utterances grouped by combinations of axes, in lexicographic order of their codes.

    Attributes:
        axes: The axes, the first balanced most closely.
        codes: (num_cells,) code of each cell on each axis.
        names: Name of each code of each axis.
        sizes: (num_cells,) utterances of each cell, at least 1.
        costs: (num_cells,) what each cell's utterances take of a budget: its size, seconds ...
        of_utterance: (num_utterances,) cell of each utterance.
    """

    axes: tuple[str, ...]
    codes: Mapping[str, np.ndarray]
    names: Mapping[str, tuple[str, ...]]
    sizes: np.ndarray
    costs: np.ndarray
    of_utterance: np.ndarray

    @property
    def num_cells(self) -> int:
        """Combinations that occur."""
        return len(self.sizes)
