"""torch: `WeightedRandomSampler` in a `BatchSampler`, the weights chosen as well as can be.

A row weighs 1 / (tasks x labels of its task x clusters of that label x rows of that cluster), so
that tasks, labels and clusters are equal in expectation. Neither sampler has a state: to go on, the
draws are made again and those already taken are skipped, which is what trainers do.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import BatchSampler, WeightedRandomSampler

from benchmarks.peers.interface import AXES, Batch, Rows, Work


def balanced_weights(rows: Rows) -> np.ndarray:
    """Give every row the weight that makes tasks, labels in them and clusters in these equal."""
    columns = rows.columns
    pairs = columns["task"] * AXES["label"] + columns["label"]
    cells = pairs * AXES["cluster"] + columns["cluster"]
    shape = AXES["task"] * AXES["label"], AXES["cluster"]
    sizes = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    clusters = np.maximum((sizes > 0).sum(axis=1, keepdims=True), 1)
    return (1 / (clusters * np.maximum(sizes, 1))).reshape(-1)[cells]


@dataclass
class Draws:
    """Batches of a sampler, counted as they are given."""

    batches: BatchSampler
    step: int = 0

    def __iter__(self) -> Iterator[Batch]:
        """Draw from the start."""
        for batch in self.batches:
            self.step += 1
            yield batch

    def save(self, folder: Path) -> None:
        """Write the step: there is nothing else to write."""
        (folder / "step").write_text(str(self.step), encoding="ascii")


class Weighted:
    """Cell-balanced weights, drawn with replacement."""

    def prepare(self, rows: Rows) -> None:
        """Need no files."""

    def build(self, rows: Rows, work: Work) -> Draws:
        """Weigh the rows; torch draws them all when the first batch is asked for."""
        sampler = WeightedRandomSampler(
            torch.from_numpy(balanced_weights(rows)),
            work.num_steps * work.batch_size,
            generator=torch.Generator().manual_seed(work.seed),
        )
        return Draws(BatchSampler(sampler, work.batch_size, drop_last=True))

    def resume(self, rows: Rows, work: Work, folder: Path) -> Iterator[Batch]:
        """Draw again and skip."""
        step = int((folder / "step").read_text(encoding="ascii"))
        return itertools.islice(self.build(rows, work), step, None)
