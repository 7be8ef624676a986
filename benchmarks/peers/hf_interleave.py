"""datasets: `interleave_datasets` over one source per task and label, equal probabilities.

Both forms that its documentation names. Map-style interleaves everything at once until every source
is exhausted (a number of rows cannot be asked for) and is saved as a data set. Iterable interleaves
as it goes and has `state_dict`; its sources are generators, and batches are cut from its rows by
hand, since sources from Arrow copy the state of all of them at every row: 16 batches a second here.
Sources by cluster too would be 42,500 data sets. Rows of a source are shuffled by NumPy beforehand,
which is faster than its own `shuffle` with an indices mapping.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import (
    Dataset,
    Features,
    IterableDataset,
    Value,
    disable_progress_bars,
    interleave_datasets,
    load_from_disk,
)

from benchmarks.peers.interface import Batch, Rows, Work
from benchmarks.peers.rows import sources

disable_progress_bars()


FEATURES = Features({"row": Value("int64")})


def shuffled_sources(rows: Rows, work: Work) -> list[np.ndarray]:
    rng = np.random.default_rng(work.seed)
    return [rng.permutation(part) for part in sources(rows, "task", "label")]


def examples(part: np.ndarray) -> Iterator[dict[str, int]]:
    for row in part:
        yield {"row": int(row)}


def interleave(made: list[Any], work: Work) -> Any:  # noqa: ANN401 - either kind of data set
    return interleave_datasets(
        made,
        probabilities=[1 / len(made)] * len(made),
        seed=work.seed,
        stopping_strategy="all_exhausted",
    )


@dataclass
class Slices:
    """Slices of a map-style data set."""

    dataset: Dataset
    work: Work
    step: int = 0

    def __iter__(self) -> Iterator[Batch]:
        """Give the batches from the current step on."""
        size = self.work.batch_size
        while self.step < self.work.num_steps:
            self.step += 1
            yield self.dataset[(self.step - 1) * size : self.step * size]["row"]

    def save(self, folder: Path) -> None:
        """Write the rows of all steps as a data set, and the step."""
        needed = range(self.work.num_steps * self.work.batch_size)
        self.dataset.select(needed).save_to_disk(str(folder / "dataset"))
        (folder / "step").write_text(str(self.step), encoding="ascii")


class MapStyle:
    """Sources as `Dataset`."""

    def prepare(self, rows: Rows) -> None:
        """Need no files."""

    def build(self, rows: Rows, work: Work) -> Slices:
        """Interleave all rows."""
        made = [Dataset.from_dict({"row": part}) for part in shuffled_sources(rows, work)]
        return Slices(interleave(made, work), work)

    def resume(self, rows: Rows, work: Work, folder: Path) -> Iterator[Batch]:
        """Load the interleaved rows and go to the step."""
        step = int((folder / "step").read_text(encoding="ascii"))
        return iter(Slices(load_from_disk(str(folder / "dataset")), work, step))


@dataclass
class Iterated:
    """Batches of an iterable data set."""

    dataset: IterableDataset
    work: Work

    def __iter__(self) -> Iterator[Batch]:
        """Give the batches from where the data set's state stands."""
        rows = (example["row"] for example in self.dataset)
        for _ in range(self.work.num_steps):
            yield list(itertools.islice(rows, self.work.batch_size))

    def save(self, folder: Path) -> None:
        """Write the state of the data set."""
        state = json.dumps(self.dataset.state_dict())
        (folder / "state.json").write_text(state, encoding="utf-8")


class Iterable:
    """Sources as `IterableDataset`."""

    def prepare(self, rows: Rows) -> None:
        """Need no files."""

    def build(self, rows: Rows, work: Work) -> Iterated:
        """Interleave lazily."""
        made = [
            IterableDataset.from_generator(examples, gen_kwargs={"part": part}, features=FEATURES)
            for part in shuffled_sources(rows, work)
        ]
        return Iterated(interleave(made, work), work)

    def resume(self, rows: Rows, work: Work, folder: Path) -> Iterator[Batch]:
        """Interleave lazily and load the state."""
        stream = self.build(rows, work)
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        stream.dataset.load_state_dict(state)
        return iter(stream)
