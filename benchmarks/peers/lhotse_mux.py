"""Lhotse: `CutSet.mux` of one lazy manifest per task and label, then `DynamicBucketingSampler`.

Equal weights, sources repeated without end, 64 cuts a batch, buffer and number of buckets as they
come, borders of the buckets given so that no cuts are read to find them. Cuts carry an id and a
duration and nothing else. Durations here do not depend on task or label; in real corpora they do,
and a bucket then holds few tasks. Lhotse 1.33 goes on by reading and drawing again up to the step.
"""

import itertools
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lhotse import CutSet
from lhotse.dataset.sampling import DynamicBucketingSampler

from benchmarks.peers.interface import Batch, Rows, Work
from benchmarks.peers.rows import sources

NUM_BUCKETS = 10


def manifests(rows: Rows) -> list[Path]:
    return sorted((rows.folder / "lhotse").glob("*.jsonl"))


@dataclass
class Sampled:
    """Batches of a sampler."""

    sampler: DynamicBucketingSampler
    num_steps: int

    def __iter__(self) -> Iterator[Batch]:
        """Give the batches from where the sampler stands."""
        for cuts in itertools.islice(self.sampler, self.num_steps):
            yield [int(cut.id) for cut in cuts]

    def save(self, folder: Path) -> None:
        """Write the sampler's state."""
        (folder / "state.pkl").write_bytes(pickle.dumps(self.sampler.state_dict()))


class Mux:
    """One manifest per task and label, as JSON lines."""

    def prepare(self, rows: Rows) -> None:
        """Write the manifests."""
        folder = rows.folder / "lhotse"
        if (folder / "whole").exists():
            return
        folder.mkdir(exist_ok=True)
        for number, part in enumerate(sources(rows, "task", "label")):
            with (folder / f"{number:03}.jsonl").open("w", encoding="ascii") as file:
                for row, seconds in zip(part.tolist(), rows.seconds[part].tolist(), strict=True):
                    file.write(
                        f'{{"id": "{row}", "start": 0, "duration": {seconds:.3f}, "channel": 0, '
                        '"supervisions": [], "type": "MonoCut"}\n'
                    )
        (folder / "whole").touch()

    def build(self, rows: Rows, work: Work) -> Sampled:
        """Open the manifests."""
        made = [CutSet.from_jsonl_lazy(path).repeat(preserve_id=True) for path in manifests(rows)]
        borders = np.linspace(0, 1, NUM_BUCKETS + 1)[1:-1]
        sampler = DynamicBucketingSampler(
            CutSet.mux(*made, weights=[1 / len(made)] * len(made), seed=work.seed),
            max_cuts=work.batch_size,
            duration_bins=np.quantile(rows.seconds[:10_000], borders).tolist(),
            shuffle=True,
            drop_last=True,
            seed=work.seed,
        )
        return Sampled(sampler, work.num_steps)

    def resume(self, rows: Rows, work: Work, folder: Path) -> Iterator[Batch]:
        """Open the manifests and load the state."""
        stream = self.build(rows, work)
        stream.sampler.load_state_dict(pickle.loads((folder / "state.pkl").read_bytes()))
        return iter(stream)
