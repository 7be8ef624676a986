"""Schedules of the user's own: a Python function named in a recipe, or an object in Python."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.flow import Flow, check_shares
from maqam.schedule.kinds.base import Stage, check
from maqam.schedule.pool import Cells, Pool
from maqam.user_functions import load_function


@dataclass(frozen=True, slots=True)
class Custom:
    """Shares that a function gives: `shares(cells, progress, **settings)`.

    The function gets the cells of the pool and the progress in [0, 1), and gives (num_cells,)
    numbers, finite and at least 0 with a positive sum; they need not sum to 1. It must depend on
    nothing else, so that the same recipe gives the same plan.

    Attributes:
        function: "package.module:name", or "path/to/file.py:name".
        axes: Columns or bins that cells are made of, from the outermost.
        settings: Further arguments of the function.
    """

    function: str
    kind: Literal["custom"] = field(default="custom", init=False)
    axes: tuple[str, ...] = ("task",)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        module, _, name = self.function.rpartition(":")
        fits = bool(module) and name.isidentifier()
        check(fits, f"function must be module:name or file.py:name, got {self.function!r}")

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the function's shares, checked at every step.

        Raises:
            ScheduleError: If there is no such function, or it fails or gives no shares.
        """
        shares = load_function(self.function, ScheduleError, where="schedule.function")

        def rule(cells: Cells, progress: float) -> np.ndarray:
            try:
                found = np.asarray(shares(cells, progress, **self.settings), dtype=np.float64)
            except Exception as error:
                raise ScheduleError(
                    f"{self.function} fails at progress {progress:.3f}: {_said(error)}",
                    where="schedule.function",
                    hint="it is called with the cells of the pool, the progress and the settings",
                ) from error
            check_shares(found, cells, f"{self.function}, progress {progress:.3f}")
            return found

        return Flow(self.axes, rule)

    def stages(self, pool: Pool) -> list[Stage]:
        """Return the only stage, which is called as the function is."""
        return [Stage(0.0, self.function.rpartition(":")[2])]


class FlowMaker(Protocol):
    """What `make_plan` needs of a schedule of the user's own; `stages` and `kind` are optional."""

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the shares of cells over the progress of a plan (see `Schedule.flow`)."""
        ...


@dataclass(frozen=True, slots=True)
class Own:
    """A flow, or an object that makes one, as a schedule; no recipe can name it.

    Attributes:
        rule: The flow, or the object.

    Raises:
        TypeError: If it is neither.
    """

    rule: Flow | FlowMaker
    kind: Literal["own"] = field(default="own", init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.rule, Flow) and not callable(getattr(self.rule, "flow", None)):
            raise TypeError(
                "a schedule is a Flow or an object with flow(pool, budget), "
                f"got {type(self.rule).__name__}"
            )

    @property
    def name(self) -> str:
        """What a plan calls it: its kind where it has one, or its class."""
        return str(getattr(self.rule, "kind", type(self.rule).__name__))

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the flow.

        Raises:
            TypeError: If the object makes something else.
        """
        found = self.rule if isinstance(self.rule, Flow) else self.rule.flow(pool, budget)
        if not isinstance(found, Flow):
            raise TypeError(f"flow of {self.name} must return a Flow, got {type(found).__name__}")
        return found

    def stages(self, pool: Pool) -> list[Stage]:
        """Return the object's own stages where it tells them, or one."""
        own = getattr(self.rule, "stages", None)
        return list(own(pool)) if own else [Stage(0.0, self.name)]


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
