"""Maqam: compile a plan, read its steps; a checkpoint is the plan on disk and the step."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.peers.interface import AXES, Batch, Rows, Work
from maqam.schedule import Plan, Pool, Schedule, load_plan, make_plan


@dataclasses.dataclass
class Steps:
    """The steps of a plan, counted as they are given."""

    plan: Plan
    step: int = 0

    def __iter__(self) -> Iterator[Batch]:
        """Give the batches from the current step on."""
        while self.step < self.plan.num_steps:
            self.step += 1
            yield self.plan.batch(self.step - 1)

    def save(self, folder: Path) -> None:
        """Write the plan and the step."""
        self.plan.save(folder)
        (folder / "step").write_text(str(self.step), encoding="ascii")


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A schedule, compiled; its pool is made from the columns in the measured time."""

    schedule: Schedule

    def prepare(self, rows: Rows) -> None:
        """Need no files."""

    def build(self, rows: Rows, work: Work) -> Steps:
        """Compile the whole plan."""
        numbers = np.arange(rows.num_rows)
        names = {axis: tuple(map(str, range(size))) for axis, size in AXES.items()}
        pool = Pool(rows.columns, names, numbers.astype(np.uint64), numbers)
        return Steps(
            make_plan(
                self.schedule,
                pool,
                steps=work.num_steps,
                batch_size=work.batch_size,
                seed=work.seed,
            )
        )

    def resume(self, rows: Rows, work: Work, folder: Path) -> Iterator[Batch]:
        """Load the plan, which checks its rows against their hash, and go to the step."""
        step = int((folder / "step").read_text(encoding="ascii"))
        return iter(Steps(load_plan(folder), step))
