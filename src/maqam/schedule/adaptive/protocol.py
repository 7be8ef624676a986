"""Schedules that decide while a run trains: what they are told, and what they decide."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, TypeGuard

import numpy as np

from maqam.schedule.flow import Flow
from maqam.schedule.kinds.base import Schedule, Stage
from maqam.schedule.pool import Cells, Pool
from maqam.schedule.switch import Switch


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided after a step, from what.

    Attributes:
        step: Steps taken when it was decided.
        begins: First step it rules, counted from 0: a window later.
        shares: Share of each group by name; none where the decision is another.
        switched_at: Step at which the second schedule takes over; None while it has not.
        inputs: What it was decided from, by name.
    """

    step: int
    begins: int
    shares: Mapping[str, float] = field(default_factory=dict)
    switched_at: int | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def as_table(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Observation:
    """What a schedule is told after a window of steps; plain data, by task.

    Attributes:
        step: Steps taken when it was made.
        losses: Mean loss of a target token in the window; absent tasks are left out.
        tokens: Target tokens dealt in the window.
        utterances: Utterances dealt in the window.
        probe_losses: Mean loss of a target token on the task's probes.
        gradient_products: Dot product of two tasks' gradients on their probes.
    """

    step: int
    losses: Mapping[str, float]
    tokens: Mapping[str, int]
    utterances: Mapping[str, int]
    probe_losses: Mapping[str, float] = field(default_factory=dict)
    gradient_products: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def as_table(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


class Adaptive(Schedule, Protocol):
    """A schedule that is dealt window by window."""

    @property
    def every(self) -> int:
        """Steps of a window, the clock of decisions."""
        ...

    @property
    def needs(self) -> frozenset[str]:
        """What it must be told beside training losses: "probes", "gradients", "reference"."""
        ...

    def decide(
        self,
        history: Sequence[Observation],
        decisions: Sequence[Decision],
        steps: int,
        prior: Mapping[str, float],
    ) -> Decision:
        """Decide after the last observation.

        Args:
            history: All observations so far, the newest last.
            decisions: All decisions so far.
            steps: Steps of the whole plan.
            prior: Share of each group at the start.
        """
        ...

    @property
    def probe_split(self) -> str:
        """Split of the manifest whose rows the model is probed on."""
        ...

    @property
    def probe_size(self) -> int:
        """Rows of every task that the model is probed on."""
        ...

    def prior(self, flow: Flow, cells: Cells) -> Mapping[str, float]:
        """Return the share of each group at the start."""
        ...

    def flow_after(
        self, pool: Pool, budget: float, decisions: Sequence[Decision], steps: int
    ) -> Flow:
        """Return the flow of the next window; its axes never change."""
        ...

    def switches(self, decisions: Sequence[Decision], steps: int) -> Mapping[int, Switch]:
        """Return the steps known so far at which a schedule hands over to another."""
        ...

    def stages_after(self, pool: Pool, decisions: Sequence[Decision], steps: int) -> list[Stage]:
        """Return the stretches under one rule, as they were decided."""
        ...


def is_adaptive(schedule: object) -> TypeGuard[Adaptive]:
    """Tell whether a schedule decides while a run trains."""
    return hasattr(schedule, "flow_after")


def group_shares(flow: Flow, cells: Cells, axis: str) -> dict[str, float]:
    """Return the share of each group of an axis at the start of a flow."""
    mass = flow.mass(cells, 0.0)
    names = cells.names[axis]
    shares = np.bincount(cells.codes[axis], weights=mass, minlength=len(names))
    return {name: float(share) for name, share in zip(names, shares, strict=True)}
