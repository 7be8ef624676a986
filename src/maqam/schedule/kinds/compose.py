"""Schedules made of two others: one then the other, or both at once."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from maqam.schedule.flow import Flow, blend
from maqam.schedule.kinds.base import Schedule, Stage, check, check_choice
from maqam.schedule.pool import Pool
from maqam.schedule.switch import Switch


@dataclass(frozen=True, slots=True)
class Then:
    """One schedule, then another; the paper's hybrid is tpc, then ads.

    The second continues each cell's shuffled order where the first stopped.

    Attributes:
        first: Schedule before the switch point; its own progress runs over that stretch.
        second: Schedule after it.
        at: Switch point, in (0, 1). The default is ours: the paper does not say.
        anneal: Part of the budget, centred on the switch point, over which the second fades in.
        dip: How the learning rate dips at the switch: "none", "adam" or "linear" (see `Switch`).
        dip_steps: Steps of a linear dip.
        beta2: AdamW's beta2 from the switch on; null keeps it.
    """

    first: Schedule
    second: Schedule
    kind: Literal["then"] = field(default="then", init=False)
    at: float = 0.5
    anneal: float = 0.0
    dip: Literal["none", "adam", "linear"] = "none"
    dip_steps: int = 100
    beta2: float | None = None

    def __post_init__(self) -> None:
        check(0 < self.at < 1, f"at must lie in (0, 1), got {self.at}")
        check_dealt_by_quota(self.first, self.second)
        widest = 2 * min(self.at, 1 - self.at)
        check(0 <= self.anneal <= widest, f"anneal must lie in [0, {widest:g}], got {self.anneal}")
        check_choice("dip", self.dip, ("none", "adam", "linear"))
        check(self.dip_steps >= 1, f"dip_steps must be at least 1, got {self.dip_steps}")
        fits = self.beta2 is None or 0 <= self.beta2 < 1
        check(fits, f"beta2 must lie in [0, 1), got {self.beta2}")

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Blend the two flows, each over its own progress and part of the budget."""
        start, width = self.at - self.anneal / 2, self.anneal
        first = self.first.flow(pool, budget * self.at)
        second = self.second.flow(pool, budget * (1 - self.at))
        return blend(
            stretched(first, 0.0, start + width), stretched(second, start, 1.0), ramp(start, width)
        )

    def stages(self, pool: Pool) -> list[Stage]:
        """Return the stages of both, the switch marked."""
        start, width = self.at - self.anneal / 2, self.anneal
        before = [
            dataclasses.replace(stage, start=stage.start * (start + width))
            for stage in self.first.stages(pool)
        ]
        after = [
            dataclasses.replace(stage, start=start + stage.start * (1 - start))
            for stage in self.second.stages(pool)
        ]
        switch = Switch(self.dip, self.dip_steps, self.beta2)
        after[0] = dataclasses.replace(after[0], start=self.at, switch=switch)
        kept = [stage for stage in before if stage.start < self.at]
        return kept + [stage for stage in after if stage.start >= self.at]


@dataclass(frozen=True, slots=True)
class Mix:
    """Two schedules at once: a share of every batch follows each.

    Attributes:
        first: Schedule of `1 - weight` of the shares.
        second: Schedule of `weight` of them.
        weight: In [0, 1].
    """

    first: Schedule
    second: Schedule
    kind: Literal["mix"] = field(default="mix", init=False)
    weight: float = 0.5

    def __post_init__(self) -> None:
        check(0 <= self.weight <= 1, f"weight must lie in [0, 1], got {self.weight}")
        check_dealt_by_quota(self.first, self.second)

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Add up the two flows' shares."""
        first = self.first.flow(pool, budget * (1 - self.weight))
        second = self.second.flow(pool, budget * self.weight)
        return blend(first, second, lambda progress: self.weight)

    def stages(self, pool: Pool) -> list[Stage]:
        """Return a stretch for every change of either."""
        one, other = self.first.stages(pool), self.second.stages(pool)
        found = []
        for start in sorted({stage.start for stage in (*one, *other)}):
            parts = [[s for s in stages if s.start <= start][-1] for stages in (one, other)]
            switches = [s.switch for s in parts if s.start == start and s.switch is not None]
            name = " & ".join(part.name for part in parts)
            found.append(Stage(start, name, switches[0] if switches else None))
        return found


def check_dealt_by_quota(*parts: Schedule) -> None:
    """Refuse parts that are dealt by draw or decide themselves, which only a whole plan can.

    Raises:
        ValueError: If one is or does.
    """
    decides = any(hasattr(part, "flow_after") for part in parts)
    check(not decides, "a schedule that decides while the run trains cannot be part of another")
    is_drawn = any(getattr(part, "deal", "quota") == "draw" for part in parts)
    check(not is_drawn, "a mixture inside another is dealt by quota: its deal cannot be draw")


def ramp(start: float, width: float) -> Callable[[float], float]:
    """Return the weight of what fades in over a stretch of progress; a jump where it has no width.

    Examples:
        >>> [ramp(0.5, 0.25)(progress) for progress in (0.4, 0.625, 0.8)]
        [0.0, 0.5, 1.0]
    """

    def weight(progress: float) -> float:
        if width == 0:
            return float(progress >= start)
        return float(np.clip((progress - start) / width, 0.0, 1.0))

    return weight


def stretched(flow: Flow, start: float, end: float) -> Flow:
    """Run a flow's whole progress between two points of another's."""

    def own(progress: float) -> float:
        return float(np.clip((progress - start) / (end - start), 0.0, 1.0))

    return Flow(
        flow.axes,
        lambda cells, progress: flow.rule(cells, own(progress)),
        lambda progress: flow.key(own(progress)),
    )
