"""A plan that grows while it is followed: dealt window by window, by decisions.

A decision is taken after a window and rules the window after the next, so that batches can be read
ahead. It is plain data: the same decisions deal the same rows, which is how a run is resumed.
"""

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.adaptive.protocol import Adaptive, Decision
from maqam.schedule.compiler import Budget, assemble
from maqam.schedule.dealing.by_cost import DealtRows, Decks
from maqam.schedule.dealing.by_rows import QuotaDealer
from maqam.schedule.dealing.settings import DealSettings
from maqam.schedule.plan import Plan
from maqam.schedule.pool import WEIGHT, Pool
from maqam.schedule.schedules import schedule_as_table
from maqam.seeding import derive


class AdaptivePlan:
    """The rows of the steps dealt so far.

    Args:
        schedule: The rule, which decides from what it is told of the training.
        pool: The utterances it deals from.
        budget: Steps, utterances of a batch, and seed.

    Attributes:
        decisions: Those taken so far, in order.
        rows: (num_utterances,) manifest rows that may be dealt: all of the pool.
        prior: Share of each group of the schedule's axis at the start.
        switches: Steps at which a schedule hands over to another, so far.

    Raises:
        ScheduleError: If the pool is smaller than a batch.
    """

    def __init__(self, schedule: Adaptive, pool: Pool, budget: Budget) -> None:
        if budget.batch_size > pool.num_utterances:
            raise ScheduleError(
                f"a batch of {budget.batch_size} from a pool of {pool.num_utterances} would repeat "
                "utterances",
                where="batch_size",
                hint=f"use at most {pool.num_utterances}",
            )
        if WEIGHT in pool.columns:
            raise ScheduleError(
                f"schedule {schedule.kind} moves the shares of tasks itself and takes no weights "
                "of corpora",
                where="data.manifest",
                hint="leave weight out, or use a schedule that is planned before",
            )
        self._schedule, self._pool, self._budget = schedule, pool, budget
        self._rows = float(budget.steps) * budget.batch_size
        flow = schedule.flow(pool, self._rows)
        self._axes = flow.axes
        cells = pool.cells(flow.axes)
        self._dealer = QuotaDealer(cells, budget.seed, DealSettings())
        self.prior = schedule.prior(flow, cells)
        self._decks = Decks(pool, cells, budget.seed)
        self._positions: list[np.ndarray] = []
        self._notes: tuple[str, ...] = ()
        self.decisions: list[Decision] = []
        self.rows = pool.rows
        self.switches = schedule.switches((), budget.steps)
        for _ in range(2):
            self._deal_window()

    @property
    def num_steps(self) -> int:
        """Steps of the whole plan."""
        return self._budget.steps

    @property
    def batch_size(self) -> int:
        """Utterances of a batch."""
        return self._budget.batch_size

    @property
    def num_dealt(self) -> int:
        """Steps dealt so far."""
        return len(self._positions)

    @property
    def schedule(self) -> dict[str, object]:
        """The schedule as a table of settings."""
        return schedule_as_table(self._schedule)

    @property
    def fingerprint(self) -> str:
        """Hash of what the plan grows from: schedule, pool, budget."""
        parts = (self.schedule, self._pool.fingerprint, self._budget)
        return f"{derive(0, 'growing plan', *parts):032x}"

    def batch(self, step: int) -> np.ndarray:
        """Return the manifest rows of a step, counted from 0, ascending.

        Raises:
            IndexError: If the step is not dealt yet.
        """
        return np.sort(self._pool.rows[self._positions[step]])

    def grow(self, decision: Decision) -> None:
        """Deal the next window by a decision.

        Raises:
            ScheduleError: If the decision is one for another window.
        """
        if decision.begins != self.num_dealt:
            raise ScheduleError(
                f"a decision for step {decision.begins} where step {self.num_dealt} is next",
                where="record of decisions",
                hint="the record of decisions is damaged: train the run anew",
            )
        self.decisions.append(decision)
        self.switches = self._schedule.switches(self.decisions, self.num_steps)
        self._deal_window()

    def finished(self) -> Plan:
        """Return the plan as dealt, whole by now."""
        sizes = [len(one) for one in self._positions]
        dealt = DealtRows(
            np.concatenate(self._positions), np.concatenate([[0], np.cumsum(sizes)]), self._notes
        )
        stages = self._schedule.stages_after(self._pool, self.decisions, self.num_steps)
        return assemble(self._schedule, self._pool, self._axes, dealt, self._budget, stages)

    def _deal_window(self) -> None:
        first = self.num_dealt
        window = range(first, min(first + self._schedule.every, self._budget.steps))
        if not len(window):
            return
        flow = self._schedule.flow_after(self._pool, self._rows, self.decisions, self.num_steps)
        dealt = self._dealer.deal(flow, window, self._budget.steps, self._budget.batch_size)
        self._notes = dealt.notes
        taken = [
            self._take(cell, count)
            for cell, count in zip(dealt.cells.tolist(), dealt.counts.tolist(), strict=True)
        ]
        positions = np.concatenate(taken)
        self._positions.extend(positions.reshape(len(window), self._budget.batch_size))

    def _take(self, cell: int, count: int) -> list[int]:
        held: list[int] = []
        for _ in range(count):
            held.append(self._decks.take(cell, held))
        return held
