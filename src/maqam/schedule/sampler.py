"""A plan as a sampler for any training loop; needs no torch, as no sampler does."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.plan import Plan, StepRows
from maqam.schedule.ranks import micro_batches


@dataclass(frozen=True, slots=True)
class StepPart:
    """What one process computes of a step.

    Attributes:
        step: Steps before it.
        micro_batches: Positions in the rows of the step, ascending, one array a forward pass.
        max_tokens: Most tokens that a micro-batch was to hold, None for no limit.
    """

    step: int
    micro_batches: list[np.ndarray]
    max_tokens: int | None = None


class PlanStepSampler:
    """The part of one process of every step of a plan, a step at a time.

    For a loop that takes a whole step at once, so that its forward passes may differ in number
    from step to step: as many as a budget of tokens needs. Hand it to a
    `torch.utils.data.DataLoader` as `sampler`, with `batch_size=None` and a dataset that is
    indexed by `StepPart`. `maqam train` does so. The plan may still grow while it is followed.

    Args:
        plan: The rows of every step.
        rank: This process.
        world_size: Processes.
        num_micro_batches: Fewest forward passes of a step on each process, where it has as many
            utterances for each.
        lengths: (num_manifest_rows,) length of each row, in tokens where `max_tokens` is given;
            all alike when None.
        max_tokens: Called for each step, as it is read, for the most tokens of a micro-batch,
            padding counted; no limit when None.

    Raises:
        ValueError: If there is no such process.
        ScheduleError: If a step has fewer utterances than there are processes.

    Examples:
        >>> from maqam.schedule import Pool, Uniform, make_plan
        >>> pool = Pool.from_columns({"task": ["asr"] * 8})
        >>> plan = make_plan(Uniform(), pool, steps=2, batch_size=4, seed=0)
        >>> tokens = np.array([9, 1, 9, 1, 9, 1, 9, 1])
        >>> steps = PlanStepSampler(plan, lengths=tokens, max_tokens=lambda: 10)
        >>> [[plan.batch(one.step)[part] for part in one.micro_batches] for one in steps][0]
        [array([2]), array([4]), array([3, 7])]
    """

    def __init__(
        self,
        plan: StepRows,
        *,
        rank: int = 0,
        world_size: int = 1,
        num_micro_batches: int = 1,
        lengths: np.ndarray | None = None,
        max_tokens: Callable[[], int | None] | None = None,
    ) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"rank {rank} of {world_size} processes")
        sizes = plan.batch_sizes if isinstance(plan, Plan) else np.array([len(plan.batch(0))])
        if int(sizes.min()) < world_size:
            raise ScheduleError(
                f"{int(sizes.min())} utterances for {world_size} processes",
                where=f"step {int(sizes.argmin()) + 1}",
                hint="start fewer processes, or take larger batches",
            )
        self._plan, self._lengths, self._max_tokens = plan, lengths, max_tokens
        self._rank, self._world_size = rank, world_size
        self._num_micro_batches = num_micro_batches
        self._first_step = 0

    def __iter__(self) -> Iterator[StepPart]:
        """Yield the steps that are left, each when it is read."""
        for step in range(self._first_step, self._plan.num_steps):
            yield self.part(step)

    def __len__(self) -> int:
        """Return the steps of the whole plan, which is one epoch to a trainer."""
        return self._plan.num_steps

    def start_at(self, step: int) -> None:
        """Go to a step, the optimiser steps taken before it.

        Raises:
            ValueError: If the plan has no such step.
        """
        if not 0 <= step <= self._plan.num_steps:
            raise ValueError(f"step {step} of a plan of {self._plan.num_steps}")
        self._first_step = step

    def part(self, step: int) -> StepPart:
        """Return the part of one step, cut by the tokens that a micro-batch may hold now.

        Args:
            step: Steps before it.
        """
        rows = self._plan.batch(step)
        lengths = np.zeros(len(rows)) if self._lengths is None else self._lengths[rows]
        number = min(self._num_micro_batches, len(rows) // self._world_size)
        limit = self._max_tokens() if self._max_tokens else None
        split = micro_batches(lengths, number, self._world_size, limit)
        return StepPart(step, split[self._rank], limit)


class PlanBatchSampler:
    """The part of one process of every step of a plan, micro-batch after micro-batch.

    For a loop that takes as many forward passes in every step; see `PlanStepSampler` for others.
    Hand it to a `torch.utils.data.DataLoader` as `batch_sampler`. The union over processes and
    micro-batches of a step is the plan's batch, however many there are of either. The loop that
    drives it must not shard batches again: in Accelerate, `prepare` the model and optimiser
    only; in Lightning, `Trainer(use_distributed_sampler=False)`.

    A loop that is left by `break` is gone on with by the next one, from the first batch that was
    not given out. After its last batch the plan is through, and its state says so: a job that
    saves it and is started again gets nothing more. A further loop in the same job begins anew.

    Its state is the batches given out. Worker processes read ahead of training, so with them
    either use torchdata's `StatefulDataLoader`, or start from the step the trainer is at.

    Args:
        plan: The rows of every step.
        rank: This process.
        world_size: Processes.
        num_micro_batches: Forward passes of a step on each process.
        lengths: (num_manifest_rows,) length of each row in any unit; rows of like length then
            share a micro-batch. In the order of the plan when None.

    Raises:
        ValueError: If there is no such process.
        ScheduleError: If a step has fewer utterances than there are parts.

    Examples:
        >>> from maqam.schedule import Pool, Uniform, make_plan
        >>> pool = Pool.from_columns({"task": ["asr"] * 8})
        >>> plan = make_plan(Uniform(), pool, steps=2, batch_size=4, seed=0)
        >>> halves = [list(PlanBatchSampler(plan, rank=rank, world_size=2)) for rank in range(2)]
        >>> sorted(halves[0][0] + halves[1][0]) == plan.batch(0).tolist()
        True
    """

    def __init__(
        self,
        plan: Plan,
        *,
        rank: int = 0,
        world_size: int = 1,
        num_micro_batches: int = 1,
        lengths: np.ndarray | None = None,
    ) -> None:
        self._steps = PlanStepSampler(
            plan,
            rank=rank,
            world_size=world_size,
            num_micro_batches=num_micro_batches,
            lengths=lengths,
        )
        smallest = int(plan.batch_sizes.min())
        if num_micro_batches < 1 or smallest < num_micro_batches * world_size:
            raise ScheduleError(
                f"a step of {smallest} utterances cannot be split into {num_micro_batches} "
                f"micro-batches on {world_size} processes",
                where=f"step {int(plan.batch_sizes.argmin()) + 1}",
                hint="take fewer micro-batches, or a larger batch",
            )
        self._plan = plan
        self._num_micro_batches = num_micro_batches
        self._next = 0
        self._is_through = False  # whether this object has given out the last batch

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the manifest rows of every micro-batch that is left, all where none was."""
        if self._is_through:
            self.start_at(0)
        current = StepPart(-1, [])
        while self._next < self._end:
            step, part = divmod(self._next, self._num_micro_batches)
            self._next += 1
            self._is_through = self._next == self._end
            if current.step != step:
                current = self._steps.part(step)
            yield self._plan.batch(step)[current.micro_batches[part]].tolist()
        self._is_through = True

    def __len__(self) -> int:
        """Return the micro-batches that the next loop gets."""
        return self._end if self._is_through else self._end - self._next

    @property
    def _end(self) -> int:
        return self._plan.num_steps * self._num_micro_batches

    def start_at(self, step: int) -> None:
        """Go to a step, the optimiser steps taken before it.

        Raises:
            ValueError: If the plan has no such step.
        """
        if not 0 <= step <= self._plan.num_steps:
            raise ValueError(f"step {step} of a plan of {self._plan.num_steps}")
        self._next, self._is_through = step * self._num_micro_batches, False

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: a plan is one epoch, repeats are in it; loops call it for others."""

    def state_dict(self) -> dict[str, Any]:
        """Return the number of batches given out, whatever the number of processes."""
        step, part = divmod(self._next, self._num_micro_batches)
        return {
            "plan": self._plan.fingerprint,
            "step": step,
            "micro_batch": part,
            "num_micro_batches": self._num_micro_batches,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was taken.

        Raises:
            ScheduleError: If it is one of another plan, or in the middle of a step that is now
                split otherwise.
        """
        if state["plan"] != self._plan.fingerprint:
            raise ScheduleError(
                f"the state is one of plan {state['plan'][:12]}, this is "
                f"{self._plan.fingerprint[:12]}",
                where="batch sampler",
                hint="load the plan that the run was begun with",
            )
        part = int(state["micro_batch"])
        if part and state["num_micro_batches"] != self._num_micro_batches:
            raise ScheduleError(
                f"the state is in the middle of a step of {state['num_micro_batches']} "
                f"micro-batches, these are {self._num_micro_batches}",
                where="batch sampler",
                hint="change the number of micro-batches at the end of a step",
            )
        self.start_at(int(state["step"]))
        self._next += part
