"""Where two plans differ: in their settings, in their rows, in the shares of their groups."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from maqam.schedule.plan import Plan


@dataclass(frozen=True, slots=True)
class GroupDifference:
    """How two plans differ in one group.

    Attributes:
        axis: Column, such as "task".
        name: Group.
        shares: Part of all utterances dealt, of each plan.
        most: Largest difference in utterances dealt since the first step, first minus second.
        at_step: Steps after which it is reached.
    """

    axis: str
    name: str
    shares: tuple[float, float]
    most: int
    at_step: int


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """How two plans differ.

    Attributes:
        settings: Values of both plans where they differ, by name.
        first_step: First step whose rows differ, from 0; None if none does.
        num_equal: Steps whose rows are the same in both.
        num_steps: Steps of each.
        overlap: Rows that both deal over rows that either deals, in the first tenth, half and
            whole of the shorter plan.
        groups: Differences of the groups that both have.
    """

    settings: dict[str, tuple[Any, Any]]
    first_step: int | None
    num_equal: int
    num_steps: tuple[int, int]
    overlap: dict[str, float]
    groups: list[GroupDifference]


def difference(first: Plan, second: Plan) -> PlanDifference:
    """Tell how two plans differ."""
    common = min(first.num_steps, second.num_steps)
    equal = _equal_steps(first, second, common)
    differs = np.flatnonzero(~equal)
    beyond = common if first.num_steps != second.num_steps else None
    return PlanDifference(
        settings=_settings(first, second),
        first_step=int(differs[0]) if len(differs) else beyond,
        num_equal=int(equal.sum()),
        num_steps=(first.num_steps, second.num_steps),
        overlap={
            name: _overlap(first, second, max(round(part * common), 1))
            for name, part in (("tenth", 0.1), ("half", 0.5), ("whole", 1.0))
        },
        groups=_groups(first, second, common),
    )


def _settings(first: Plan, second: Plan) -> dict[str, tuple[Any, Any]]:
    both = [
        {
            "schedule": dict(plan.schedule),
            "deal": dict(plan.deal),
            "seed": plan.seed,
            "num_steps": plan.num_steps,
            "batch_size": plan.batch_size,
            "pool": plan.pool_fingerprint,
        }
        for plan in (first, second)
    ]
    return {
        name: (both[0][name], both[1][name]) for name in both[0] if both[0][name] != both[1][name]
    }


def _equal_steps(first: Plan, second: Plan, common: int) -> np.ndarray:
    """Tell of each step whether both hold the same rows, (common,) bool."""
    equal: np.ndarray = first.batch_sizes[:common] == second.batch_sizes[:common]
    if equal.all():
        end = int(first.offsets[common])
        same = np.asarray(first.rows[:end]) == np.asarray(second.rows[:end])
        return np.logical_and.reduceat(same, first.offsets[:common])
    for step in np.flatnonzero(equal):
        equal[step] = bool((first.batch(int(step)) == second.batch(int(step))).all())
    return equal


def _overlap(first: Plan, second: Plan, steps: int) -> float:
    one = np.unique(first.rows[: first.offsets[steps]])
    other = np.unique(second.rows[: second.offsets[steps]])
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


def _groups(first: Plan, second: Plan, common: int) -> list[GroupDifference]:
    found = []
    for axis in first.shares:
        if axis not in second.shares:
            continue
        one, other = first.shares[axis], second.shares[axis]
        for name in one.names:
            if name not in other.names:
                continue
            counts = one.counts[:, one.names.index(name)]
            others = other.counts[:, other.names.index(name)]
            apart = np.cumsum(counts[:common].astype(np.int64) - others[:common])
            at = int(np.abs(apart).argmax())
            found.append(
                GroupDifference(
                    axis=axis,
                    name=name,
                    shares=(
                        float(counts.sum() / first.rows.size),
                        float(others.sum() / second.rows.size),
                    ),
                    most=int(apart[at]),
                    at_step=at + 1,
                )
            )
    return found
