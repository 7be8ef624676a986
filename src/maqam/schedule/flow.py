"""Flows: what share of a step each cell of the pool gets, as a pure function of progress.

A flow is a value. `by` sets the shares of an axis' groups and `blend` joins two flows: a step is
*then*, a constant *mix*, a ramp *anneal*. Nothing here knows of whole numbers, rows, audio or
ranks.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.pool import WEIGHT, Cells, Pool

Rule = Callable[[Cells, float], np.ndarray]
Weights = Callable[[tuple[str, ...], float], np.ndarray]


def always_moves(progress: float) -> Hashable:
    """Return the key of a flow whose shares may differ at every progress."""
    return progress


def never_moves(progress: float) -> Hashable:
    """Return the key of a flow whose shares are the same all along."""
    return ()


@dataclass(frozen=True)
class Flow:
    """A path of measures over the cells of a pool.

    Attributes:
        axes: Axes the measure depends on, in the order in which batches are balanced.
        rule: Gives the (num_cells,) mass at a progress in [0, 1], summing to 1.
        key: Gives a value that differs whenever the mass does, so that the mass is computed anew
            only where it does; at every step unless said otherwise.
    """

    axes: tuple[str, ...]
    rule: Rule
    key: Callable[[float], Hashable] = field(default=always_moves)

    def mass(self, cells: Cells, progress: float) -> np.ndarray:
        """Return the share of each cell at a progress in [0, 1].

        Raises:
            ScheduleError: If a share is negative or not finite, or all are zero.
        """
        mass = np.asarray(self.rule(cells, progress), dtype=np.float64)
        check_shares(mass, cells, f"progress {progress:.3f}")
        total = mass.sum()
        return mass / total

    def by(self, axis: str, *, power: float = 0.0, weights: Weights | None = None) -> "Flow":
        """Set the shares of the groups of an axis and keep what lies within each.

        Args:
            axis: Column such as "task".
            power: Exponent on the group's present share: 1 keeps it, 0 makes groups equal.
            weights: Gives the groups' shares from their names and the progress, instead.
        """

        def rule(cells: Cells, progress: float) -> np.ndarray:
            below = self.mass(cells, progress)
            codes, names = cells.codes[axis], cells.names[axis]
            old = np.bincount(codes, weights=below, minlength=len(names))
            is_there = old > 0
            if weights is None:
                new = np.where(is_there, np.where(is_there, old, 1.0) ** power, 0.0)
            else:
                new = np.where(is_there, weights(names, progress), 0.0)
            return below * (new / np.where(is_there, old, 1.0))[codes]

        key = self.key if weights is None else always_moves
        return Flow(_joined(self.axes, (axis,)), rule, key)


def check_shares(shares: np.ndarray, cells: Cells, where: str) -> None:
    """Refuse what is no measure over cells, in words that say why.

    Args:
        shares: One number a cell, of any positive sum.
        cells: The cells.
        where: What gave them.

    Raises:
        ScheduleError: If there are too many or few, one is negative or not finite, or all are 0.
    """
    size = cells.num_cells
    if shares.shape != (size,):
        problem = f"{size} cells need {size} shares, got an array of shape {shares.shape}"
    elif not np.isfinite(shares).all():
        problem = f"{int((~np.isfinite(shares)).sum())} of {size} shares are not finite"
    elif (shares < 0).any():
        problem = f"{int((shares < 0).sum())} of {size} shares are negative"
    elif shares.sum() <= 0:
        problem = "no cell of the pool has any share"
    else:
        return
    raise ScheduleError(
        problem, where=where, hint="give every cell a finite share of at least 0, not all 0"
    )


def examples() -> Flow:
    """Return the flow in which every utterance has the same share."""
    return Flow((), lambda cells, progress: cells.costs / cells.costs.sum(), never_moves)


def nested(axes: tuple[str, ...], power: float = 0.0) -> Flow:
    """Return the groups of the first axis equal shares, within each those of the second, and so on.

    The rows of a cell share its part alike.

    Args:
        axes: From the outermost.
        power: Exponent on the size of the groups of the last axis: 0 makes them equal.
    """

    def rule(cells: Cells, progress: float) -> np.ndarray:
        mass = np.ones(cells.num_cells)
        group = np.zeros(cells.num_cells, dtype=np.int64)
        for axis in axes:
            path = group * len(cells.names[axis]) + cells.codes[axis]
            paths, finer = np.unique(path, return_inverse=True)
            parents = np.zeros(len(paths), dtype=np.int64)
            parents[finer] = group
            sizes = np.bincount(finer, weights=cells.costs)
            weights = sizes ** (power if axis == axes[-1] else 0.0)
            mass = mass * weights[finer] / np.bincount(parents, weights=weights)[group]
            group = finer
        return mass * cells.costs / np.bincount(group, weights=cells.costs)[group]

    return Flow(axes, rule, never_moves)


def blend(first: Flow, second: Flow, weight: Callable[[float], float]) -> Flow:
    """Join two flows: `1 - weight` parts of the first and `weight` of the second.

    Args:
        first: What a weight of 0 gives.
        second: What a weight of 1 gives.
        weight: From progress to a weight in [0, 1].
    """
    before, after = _remembered(first), _remembered(second)

    def rule(cells: Cells, progress: float) -> np.ndarray:
        part = weight(progress)
        if part <= 0:
            return before(cells, progress)
        if part >= 1:
            return after(cells, progress)
        return (1 - part) * before(cells, progress) + part * after(cells, progress)

    def key(progress: float) -> Hashable:
        part = weight(progress)
        return (
            part,
            first.key(progress) if part < 1 else None,
            second.key(progress) if part > 0 else None,
        )

    return Flow(_joined(first.axes, second.axes), rule, key)


def held(flow: Flow, steps: int, total: int) -> Flow:
    """Return a flow that takes its course in the first steps and stays as it was in the last one.

    Args:
        flow: What takes its course.
        steps: Steps in which it does.
        total: Steps that progress is measured by.
    """

    def course(progress: float) -> float:
        return min(round(progress * total), steps - 1) / steps

    return Flow(
        flow.axes,
        lambda cells, progress: flow.rule(cells, course(progress)),
        lambda progress: flow.key(course(progress)),
    )


def weighted(flow: Flow, pool: Pool, kind: str) -> Flow:
    """Return a flow in which an utterance counts as many as its weight says; as it is without.

    Args:
        flow: The shares of utterances that count alike.
        pool: What is dealt from; its axis "sampling_weight" holds the weights.
        kind: Name of the schedule, for errors.

    Raises:
        ScheduleError: If the weights change no share.

    Examples:
        >>> names = {"task": ["asr"] * 4, WEIGHT: ["1", "1", "3", "3"]}
        >>> pool = Pool.from_columns(names)
        >>> flow = weighted(examples(), pool, "uniform")
        >>> flow.mass(pool.cells(flow.axes), 0.0).tolist()
        [0.25, 0.75]
    """
    if WEIGHT not in pool.columns:
        return flow

    def rule(cells: Cells, progress: float) -> np.ndarray:
        weights = np.array([float(name) for name in cells.names[WEIGHT]])
        return flow.rule(replace(cells, costs=cells.costs * weights[cells.codes[WEIGHT]]), progress)

    found = Flow(_joined(flow.axes, (WEIGHT,)), rule, flow.key)
    cells = pool.cells(found.axes)
    if all(np.allclose(found.mass(cells, at), flow.mass(cells, at)) for at in (0.0, 0.5, 1.0)):
        raise ScheduleError(
            f"the weights of corpora change nothing under schedule {kind}, whose groups each come "
            "from corpora of one weight",
            where="data.manifest",
            hint="leave weight out, or use a schedule whose shares follow the sizes of corpora, "
            "such as uniform or alpha",
        )
    return found


def _remembered(flow: Flow) -> Rule:
    """Return a flow's mass, computed anew only when its key changes, as in an anneal it may not."""
    last: list[tuple[Cells, Hashable, np.ndarray]] = []

    def rule(cells: Cells, progress: float) -> np.ndarray:
        key = flow.key(progress)
        if not last or last[0][0] is not cells or last[0][1] != key:
            last[:] = [(cells, key, flow.mass(cells, progress))]
        return last[0][2]

    return rule


def _joined(*parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(axis for part in parts for axis in part))
