"""mosaicml-streaming: `StreamingDataset(batching_method="stratified")`, one stream per label.

It refuses a stream that gets less than one row of a batch, so 64 rows hold at most 64 streams: the
85 pairs of task and label are too many. Labels, equally, are its best for minority labels; the
alternative, one stream per task, leaves labels to chance. Only ids are drawn: the shards exist in
their `index.json` alone, of 512 rows each, and batches are taken as `__iter__` takes them, from
`_get_work`, short of reading the samples, so that no time for it is in the figures.
"""

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from math import ceil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.peers.interface import AXES, Batch, Rows, Work
from benchmarks.peers.rows import sources

SHARD_ROWS = 512


def _import_streaming() -> ModuleType:
    """Import streaming, whose vision part needs a torchvision built for the same torch."""
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        for name in ("torchvision", "torchvision.datasets", "torchvision.transforms.functional"):
            sys.modules[name] = ModuleType(name)
            sys.modules[name].__spec__ = ModuleSpec(name, None)
        sys.modules["torchvision.datasets"].VisionDataset = object  # type: ignore[attr-defined]
        functional = sys.modules["torchvision.transforms.functional"]
        functional.to_tensor = None  # type: ignore[attr-defined]
    return importlib.import_module("streaming")


streaming = _import_streaming()


def shard(number: int, num_rows: int) -> dict[str, Any]:
    raw = {"basename": f"shard.{number:05}.mds", "bytes": 12 * num_rows + 200, "hashes": {}}
    return {
        "column_encodings": ["int"],
        "column_names": ["row"],
        "column_sizes": [8],
        "compression": None,
        "format": "mds",
        "hashes": [],
        "raw_data": raw,
        "samples": num_rows,
        "size_limit": 1 << 26,
        "version": 2,
        "zip_data": None,
    }


@dataclass
class Drawn:
    """Batches of row numbers from the ids of an epoch."""

    dataset: Any
    order: np.ndarray
    work: Work
    step: int = 0

    def __iter__(self) -> Iterator[Batch]:
        """Give the batches from where the data set's state stands."""
        dataset = self.dataset
        dataset._unique_worker_world = dataset._unique_rank_world.detect_workers()
        dataset._parallel_worker_world = dataset._parallel_rank_world.detect_workers()
        epoch, begun = dataset._resume_incr_epoch()
        self.step = begun // self.work.batch_size
        ids = dataset._get_work(epoch, begun)
        for start in range(0, len(ids), self.work.batch_size):
            if self.step == self.work.num_steps:
                return
            self.step += 1
            yield self.order[ids[start : start + self.work.batch_size]]

    def save(self, folder: Path) -> None:
        """Write the state of the data set."""
        state = self.dataset.state_dict(self.step * self.work.batch_size, from_beginning=True)
        (folder / "state.json").write_text(json.dumps(state), encoding="ascii")


class StratifiedLabels:
    """One stream per label, in equal proportions."""

    def prepare(self, rows: Rows) -> None:
        """Write the index of every stream."""
        for label, part in enumerate(sources(rows, "label")):
            folder = rows.folder / "streaming" / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            starts = range(0, len(part), SHARD_ROWS)
            shards = [
                shard(number, min(SHARD_ROWS, len(part) - start))
                for number, start in enumerate(starts)
            ]
            index = json.dumps({"version": 2, "shards": shards})
            (folder / "index.json").write_text(index, encoding="ascii")

    def build(self, rows: Rows, work: Work) -> Drawn:
        """Open the streams; an epoch is as long as the label with most rows in a batch needs."""
        num_labels = AXES["label"]
        dataset = streaming.StreamingDataset(
            streams=[
                streaming.Stream(
                    local=str(rows.folder / "streaming" / str(label)), proportion=1 / num_labels
                )
                for label in range(num_labels)
            ],
            epoch_size=work.num_steps * num_labels * ceil(work.batch_size / num_labels),
            batch_size=work.batch_size,
            shuffle=True,
            shuffle_seed=work.seed,
            batching_method="stratified",
        )
        return Drawn(dataset, np.concatenate(sources(rows, "label")), work)

    def resume(self, rows: Rows, work: Work, folder: Path) -> Iterator[Batch]:
        """Open the streams and load the state."""
        stream = self.build(rows, work)
        state = json.loads((folder / "state.json").read_text(encoding="ascii"))
        stream.dataset.load_state_dict(state)
        return iter(stream)
