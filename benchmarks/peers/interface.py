"""What every peer does here: build batches of row numbers, save where it stands, go on from there.

A peer starts from the columns of the rows (`Rows`) or from files that `prepare` wrote beforehand in
its own format, whose writing is in no figure: a user has them already.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

AXES = {"task": 5, "label": 17, "cluster": 500}
Batch = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class Rows:
    """The rows that all peers share.

    Attributes:
        columns: (num_rows,) int32 codes of task, label and cluster.
        seconds: (num_rows,) float32 durations, for peers that bucket by them.
        folder: Where a peer keeps files of its own format.
    """

    columns: dict[str, np.ndarray]
    seconds: np.ndarray
    folder: Path

    @property
    def num_rows(self) -> int:
        """Rows of the pool."""
        return len(self.seconds)


@dataclass(frozen=True)
class Work:
    """What is asked for: so many batches of one size, with one seed."""

    num_steps: int
    batch_size: int
    seed: int


class Stream(Protocol):
    """Batches of row numbers, one a step."""

    def __iter__(self) -> Iterator[Batch]:
        """Give the batches from the first on."""

    def save(self, folder: Path) -> None:
        """Write what a checkpoint holds, to go on after the batches given so far."""


class Peer(Protocol):
    """One way to draw batches."""

    def prepare(self, rows: Rows) -> None:
        """Write the files that a user of the peer has anyway."""

    def build(self, rows: Rows, work: Work) -> Stream:
        """Start from the first step."""

    def resume(self, rows: Rows, work: Work, folder: Path) -> Iterator[Batch]:
        """Go on from what `save` wrote, in a process that knows nothing else."""
