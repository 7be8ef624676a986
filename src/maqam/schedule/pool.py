"""The pool: what a schedule knows of the utterances, integer columns and stable ids."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from maqam.errors import ScheduleError, first_few
from maqam.seeding import text_id


@dataclass(frozen=True)
class Pool:
    """Integer columns of a manifest.

    Attributes:
        columns: (num_utterances,) int32 codes of each axis, such as task, label, cluster.
        names: Name of each code of each axis.
        uids: (num_utterances,) uint64 stable ids, all different: what the lottery hashes.
        rows: (num_utterances,) int64 number of each utterance in its manifest.
    """

    columns: Mapping[str, np.ndarray]
    names: Mapping[str, tuple[str, ...]]
    uids: np.ndarray
    rows: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(self.uids), len(self.rows), *map(len, self.columns.values())}
        if len(lengths) != 1:
            raise ValueError(f"columns, uids and rows must be equally long, got {sorted(lengths)}")
        if not len(self.uids):
            raise ScheduleError("the pool is empty", where="pool", hint="check split and filters")

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Sequence[object] | np.ndarray],
        *,
        ids: Sequence[str] | None = None,
        rows: np.ndarray | None = None,
    ) -> "Pool":
        """Make a pool from columns of names or numbers.

        Args:
            columns: Axis name to one value an utterance.
            ids: Utterance ids, all different; their numbers when absent.
            rows: Manifest rows; 0, 1, 2 ... when absent.

        Raises:
            ScheduleError: If there are no utterances or ids repeat.

        Examples:
            >>> pool = Pool.from_columns({"task": ["asr", "did", "asr"]})
            >>> pool.names["task"], pool.columns["task"].tolist()
            (('asr', 'did'), [0, 1, 0])
        """
        codes, names = {}, {}
        for axis, values in columns.items():
            found, inverse = np.unique(np.asarray(values), return_inverse=True)
            codes[axis] = inverse.astype(np.int32).reshape(-1)
            names[axis] = tuple(str(name) for name in found)
        length = len(next(iter(codes.values()))) if codes else len(ids or ())
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
        return cls(codes, names, uids, np.asarray(numbers, dtype=np.int64))

    @property
    def num_utterances(self) -> int:
        """Utterances that can be dealt."""
        return len(self.uids)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of ids, rows and columns: 32 hex digits."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(np.ascontiguousarray(self.uids).data)
        digest.update(np.ascontiguousarray(self.rows).data)
        for axis in sorted(self.columns):
            digest.update("\x1f".join([axis, *self.names[axis]]).encode())
            digest.update(np.ascontiguousarray(self.columns[axis]).data)
        return digest.hexdigest()

    def cells(self, axes: Sequence[str]) -> "Cells":
        """Group the utterances by the combinations of some axes that occur.

        Raises:
            ScheduleError: If the pool lacks an axis.
        """
        absent = [axis for axis in axes if axis not in self.columns]
        if absent:
            raise ScheduleError(
                f"the pool has no column {', '.join(absent)}",
                where="schedule",
                hint="run maqam features for clusters"
                if "cluster" in absent
                else f"it has {', '.join(self.columns)}",
            )
        flat = np.zeros(self.num_utterances, dtype=np.int64)
        for axis in axes:
            flat = flat * len(self.names[axis]) + self.columns[axis]
        size = int(np.prod([len(self.names[axis]) for axis in axes], initial=1))
        counts = np.bincount(flat, minlength=size)
        present = np.flatnonzero(counts)
        index = np.zeros(size, dtype=np.int32)
        index[present] = np.arange(len(present))
        codes, left = {}, present
        for axis in reversed(axes):
            left, codes[axis] = np.divmod(left, len(self.names[axis]))
        return Cells(
            axes=tuple(axes),
            codes={axis: codes[axis] for axis in axes},
            names={axis: self.names[axis] for axis in axes},
            sizes=counts[present],
            of_utterance=index[flat],
        )


@dataclass(frozen=True)
class Cells:
    """Utterances grouped by combinations of axes, in lexicographic order of their codes.

    Attributes:
        axes: The axes, the first balanced most closely.
        codes: (num_cells,) code of each cell on each axis.
        names: Name of each code of each axis.
        sizes: (num_cells,) utterances of each cell, at least 1.
        of_utterance: (num_utterances,) cell of each utterance.
    """

    axes: tuple[str, ...]
    codes: Mapping[str, np.ndarray]
    names: Mapping[str, tuple[str, ...]]
    sizes: np.ndarray
    of_utterance: np.ndarray

    @property
    def num_cells(self) -> int:
        """Combinations that occur."""
        return len(self.sizes)
