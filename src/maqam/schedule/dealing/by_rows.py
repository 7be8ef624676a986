"""From shares to whole utterances a cell, step by step: by quota, or by independent draw."""

from dataclasses import dataclass

import numpy as np

from maqam.schedule.dealing.quota import Quota
from maqam.schedule.dealing.settings import DealSettings
from maqam.schedule.flow import Flow
from maqam.schedule.pool import Cells
from maqam.seeding import generator


@dataclass(frozen=True)
class Dealt:
    """What each step takes of each cell.

    Attributes:
        cells: (num_events,) cell of every deal, step after step; a cell at most once a step.
        counts: (num_events,) utterances of every deal.
        steps: (num_events,) step of every deal, counted from the first one dealt here.
        num_steps: Steps dealt, fewer than asked for where the pool ran out.
        notes: What the user should know.
    """

    cells: np.ndarray
    counts: np.ndarray
    steps: np.ndarray
    num_steps: int
    notes: tuple[str, ...]


class FlowMass:
    """The mass of a flow at every step, computed again only when it changes.

    Args:
        flow: The flow.
        cells: The cells it is over.
    """

    def __init__(self, flow: Flow, cells: Cells) -> None:
        self._flow, self._cells = flow, cells
        self._last: list[object] = []
        self.mass = np.zeros(cells.num_cells)

    def at(self, progress: float) -> bool:
        """Go to a progress in [0, 1]; tell whether the mass has changed."""
        key = self._flow.key(progress)
        if self._last and self._last[0] == key:
            return False
        self._last = [key]
        self.mass = self._flow.mass(self._cells, progress)
        return True


class QuotaDealer:
    """Deals every batch so that no group is ever an utterance away from its part.

    Args:
        cells: The cells of the pool.
        seed: The run's seed.
        deal: What a group does that was dealt through.
    """

    def __init__(self, cells: Cells, seed: int, deal: DealSettings) -> None:
        self._cells = cells
        self._quota = Quota(cells, seed, deal.max_epochs if deal.exhaustion == "cap" else None)
        self._limit = Limit(cells, deal)
        self._end = ""

    def deal(self, flow: Flow, window: range, steps: int, batch_size: int) -> Dealt:
        """Deal some steps of a plan, those before having been dealt.

        Args:
            flow: Shares of the cells.
            window: The steps.
            steps: Steps of the whole plan, which progress is measured by.
            batch_size: Utterances of a batch.
        """
        quota, shares = self._quota, FlowMass(flow, self._cells)
        dealt: list[tuple[np.ndarray, np.ndarray]] = []
        for step in window:
            if quota.room is not None and quota.room < batch_size:
                self._end = f"the plan ends after {step} steps: the pool was dealt through"
                if quota.num_left:
                    self._end += f", but for {quota.num_left} utterances that make no full batch"
                break
            if shares.at(step / steps):
                quota.set_mass(shares.mass)
            event = quota.deal(batch_size)
            if self._limit.is_reached(*event):
                self._end = f"the plan ends after {step} steps: {self._limit.reason}"
                break
            dealt.append(event)
        return _joined(dealt, self._notes())

    def _notes(self) -> list[str]:
        """Say what the user should know of all steps dealt so far."""
        notes = [self._end] if self._end else []
        if len(self._quota.dry):
            notes.append(
                f"{len(self._quota.dry)} of {self._cells.num_cells} groups were dealt through; "
                "their shares went to the groups beside them"
            )
        if self._quota.num_handed_over:
            notes.append(
                f"{self._quota.num_handed_over} utterances came from other groups: some groups "
                "have fewer utterances than their quota of one batch"
            )
        return notes


def deal_by_draw(flow: Flow, cells: Cells, steps: int, batch_size: int, seed: int) -> Dealt:
    """Draw the cell of every utterance independently: what quota is compared with.

    Args:
        flow: Shares of the cells.
        cells: The cells of the pool.
        steps: Steps asked for.
        batch_size: Utterances of a batch.
        seed: The run's seed.
    """
    shares = FlowMass(flow, cells)
    dealt: list[tuple[np.ndarray, np.ndarray]] = []
    num_redrawn = 0
    for step in range(steps):
        rng = generator(seed, "draw", step)
        shares.at(step / steps)
        given = rng.multinomial(batch_size, shares.mass)
        while (excess := int(np.maximum(given - cells.sizes, 0).sum())) > 0:
            num_redrawn += excess
            given = np.minimum(given, cells.sizes)
            open_mass = np.where(given < cells.sizes, np.maximum(shares.mass, 1e-300), 0.0)
            given = given + rng.multinomial(excess, open_mass / open_mass.sum())
        dealt.append((np.flatnonzero(given), given[given > 0]))
    notes = []
    if num_redrawn:
        notes.append(
            f"{num_redrawn} utterances were drawn again, because their cell had no more of them "
            "for the batch"
        )
    return _joined(dealt, notes)


class Limit:
    """Tells when a plan must stop so that no group of the first axis is dealt too often.

    Args:
        cells: The cells of the pool.
        deal: Only "stop" sets a limit.
    """

    def __init__(self, cells: Cells, deal: DealSettings) -> None:
        self.reason = ""
        self._is_on = deal.exhaustion == "stop"
        self._max_epochs = deal.max_epochs
        axis = cells.axes[0] if cells.axes else None
        self._names = cells.names[axis] if axis else ("the pool",)
        none = np.zeros(cells.num_cells, dtype=np.int64)
        self._codes = cells.codes[axis] if axis else none
        size = len(self._names)
        self._room = deal.max_epochs * np.bincount(
            self._codes, weights=cells.sizes, minlength=size
        ).astype(np.int64)

    def is_reached(self, cells: np.ndarray, counts: np.ndarray) -> bool:
        """Note a step's deal; tell whether a group would be dealt further than allowed."""
        if not self._is_on:
            return False
        np.subtract.at(self._room, self._codes[cells], counts)
        if (self._room >= 0).all():
            return False
        name = self._names[int(self._room.argmin())]
        passes = "once" if self._max_epochs == 1 else f"{self._max_epochs} times"
        self.reason = f"{name} was dealt through {passes}"
        return True


def _joined(dealt: list[tuple[np.ndarray, np.ndarray]], notes: list[str]) -> Dealt:
    none = np.zeros(0, dtype=np.int64)
    return Dealt(
        cells=np.concatenate([none, *(cells for cells, _ in dealt)]),
        counts=np.concatenate([none, *(counts for _, counts in dealt)]),
        steps=np.repeat(np.arange(len(dealt)), [len(cells) for cells, _ in dealt]),
        num_steps=len(dealt),
        notes=tuple(notes),
    )
