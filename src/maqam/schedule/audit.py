"""What a plan does to its groups: draws, epochs, repeats, coverage, first sight."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maqam.schedule.plan import Plan
from maqam.schedule.pool import Pool


@dataclass(frozen=True, slots=True)
class GroupAudit:
    """What a plan deals of one group.

    Attributes:
        axis: Column, such as "task".
        name: Group.
        num_utterances: Utterances the pool holds of it.
        num_dealt: Utterances dealt, repeats counted.
        share: Part of all dealt utterances, in [0, 1].
        epochs: Dealt over held.
        num_never_seen: Utterances that no step holds.
        num_repeats: Deals of an utterance dealt before.
        first_step: First step that holds one, from 0; None if none does.
    """

    axis: str
    name: str
    num_utterances: int
    num_dealt: int
    share: float
    epochs: float
    num_never_seen: int
    num_repeats: int
    first_step: int | None


def audit(plan: Plan, pool: Pool, axis: str) -> list[GroupAudit]:
    """Tell what a plan does to each group of an axis.

    Args:
        plan: The plan.
        pool: The pool it was dealt from.
        axis: Column of the pool.

    Raises:
        ScheduleError: If the pool is not the plan's.
    """
    plan.check_pool(pool)
    order = np.argsort(pool.rows)
    positions = order[np.searchsorted(pool.rows[order], plan.rows)]
    times = np.bincount(positions, minlength=pool.num_utterances)
    codes, names = pool.columns[axis], pool.names[axis]
    num_groups = len(names)
    held = np.bincount(codes, minlength=num_groups)
    dealt = np.bincount(codes, weights=times, minlength=num_groups).astype(np.int64)
    seen = np.bincount(codes, weights=times > 0, minlength=num_groups).astype(np.int64)
    first = first_steps(plan, axis)
    return [
        GroupAudit(
            axis=axis,
            name=names[code],
            num_utterances=int(held[code]),
            num_dealt=int(dealt[code]),
            share=float(dealt[code] / plan.rows.size),
            epochs=float(dealt[code] / held[code]),
            num_never_seen=int(held[code] - seen[code]),
            num_repeats=int(dealt[code] - seen[code]),
            first_step=first[names[code]],
        )
        for code in range(num_groups)
    ]


def first_steps(plan: Plan, axis: str) -> dict[str, int | None]:
    """Give the first step that holds each group of an axis, None for a group never dealt."""
    shares = plan.shares[axis]
    is_there = shares.counts > 0
    first = is_there.argmax(axis=0)
    return {
        name: int(step) if is_there[step, code] else None
        for code, (name, step) in enumerate(zip(shares.names, first, strict=True))
    }


def groups_per_batch(plan: Plan, axis: str) -> tuple[float, int]:
    """Give the mean and the least number of different groups of an axis in a batch."""
    different = (plan.shares[axis].counts > 0).sum(axis=1)
    return float(different.mean()), int(different.min())


def loss_shares(plan: Plan, tokens: dict[str, float]) -> dict[str, float]:
    """Give the share of target tokens of each task, which token-normalised loss follows.

    Args:
        plan: The plan.
        tokens: Mean target tokens of an utterance of each task.

    Examples:
        With 30 tokens a transcript and 2 a label, equal samples are no equal shares of the loss.
    """
    shares = plan.shares["task"]
    sums = shares.counts.sum(axis=0) * np.array([tokens.get(name, 0.0) for name in shares.names])
    total = sums.sum() or 1.0
    return {name: float(part / total) for name, part in zip(shares.names, sums, strict=True)}


def stage_table(plan: Plan, axes: Sequence[str] = ("task", "label")) -> list[dict[str, Any]]:
    """Tell what every stage of a plan holds, a row for each group of some axes.

    Args:
        plan: The plan.
        axes: Axes to list; those the plan has no shares of are left out.

    Returns:
        Rows with axis, group, first_step, num_dealt, share of the whole plan and the share of
        each stage, in [0, 1].
    """
    borders = [*(step for step, _ in plan.stages), plan.num_steps]
    rows = []
    for axis in axes:
        if axis not in plan.shares:
            continue
        counts = plan.shares[axis].counts
        first = first_steps(plan, axis)
        for code, name in enumerate(plan.shares[axis].names):
            own = counts[:, code]
            rows.append(
                {
                    "axis": axis,
                    "group": name,
                    "first_step": first[name],
                    "num_dealt": int(own.sum()),
                    "share": float(own.sum() / plan.rows.size),
                    "stage_shares": [
                        _share(own, plan.batch_sizes, start, end)
                        for start, end in itertools.pairwise(borders)
                    ],
                }
            )
    return rows


def _share(counts: np.ndarray, totals: np.ndarray, start: int, end: int) -> float:
    """Give the share of a group in the utterances of some steps, 0 where there are none."""
    return float(counts[start:end].sum() / max(int(totals[start:end].sum()), 1))
