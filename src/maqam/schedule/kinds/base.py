"""What every schedule is: a value with a kind, a flow and named stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from maqam.schedule.flow import Flow
from maqam.schedule.pool import Pool
from maqam.schedule.switch import Switch

ADS_AXES = ("task", "label", "cluster")


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a schedule under one rule.

    Attributes:
        start: Progress at which it begins, in [0, 1].
        name: What is dealt in it.
        switch: How the trainer eases the step from the stage before; None where nothing switches.
    """

    start: float
    name: str
    switch: Switch | None = None


class Schedule(Protocol):
    """A rule that decides what each step sees."""

    @property
    def kind(self) -> str:
        """Its name in a recipe."""
        ...

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the shares of cells over the progress of a plan.

        Args:
            pool: What is dealt from.
            budget: What the whole plan deals, in utterances, seconds or tokens.
        """
        ...

    def stages(self, pool: Pool) -> list[Stage]:
        """Return the stretches under one rule, in order, the first from 0."""
        ...


class OneStage:
    """What schedules of a single stage share: they name it, their settings filled in."""

    __slots__ = ()
    stage_name: ClassVar[str]

    def stages(self, pool: Pool) -> list[Stage]:
        """Return the only stage."""
        return [Stage(0.0, self.stage_name.format(self))]


def check(holds: bool, problem: str) -> None:
    """Refuse settings that do not hold.

    Raises:
        ValueError: With the problem.
    """
    if not holds:
        raise ValueError(problem)


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        ValueError: If it is not.
    """
    check(value in choices, f"{name} must be one of {', '.join(choices)}, got {value!r}")
