"""What a plan does to its groups: draws, epochs, repeats, coverage, first sight."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maqam.schedule.plan import Plan


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


def audit(plan: Plan, axis: str) -> list[GroupAudit]:
    """Tell what a plan does to each group of an axis that it has shares of."""
    shares = plan.shares[axis]
    dealt = shares.counts.sum(axis=0)
    first = first_steps(plan, axis)
    return [
        GroupAudit(
            axis=axis,
            name=name,
            num_utterances=int(held),
            num_dealt=int(count),
            share=float(count / plan.rows.size),
            epochs=float(count / max(int(held), 1)),
            num_never_seen=int(held - seen),
            num_repeats=int(count - seen),
            first_step=first[name],
        )
        for name, held, seen, count in zip(
            shares.names, shares.held, shares.seen, dealt, strict=True
        )
    ]


def epochs_of(plan: Plan, axis: str) -> dict[str, float]:
    """Return how often the groups of an axis of many are dealt, in epochs.

    Returns:
        Number of groups, their least, median and most epochs, and repeats; empty where the plan
        has no shares of the axis.
    """
    if axis not in plan.shares:
        return {}
    epochs = np.array([group.epochs for group in audit(plan, axis)])
    repeats = sum(group.num_repeats for group in audit(plan, axis))
    return {
        "groups": len(epochs),
        "least_epochs": float(epochs.min()),
        "median_epochs": float(np.median(epochs)),
        "most_epochs": float(epochs.max()),
        "repeats": repeats,
    }


def first_steps(plan: Plan, axis: str) -> dict[str, int | None]:
    """Return the first step that holds each group of an axis, None for a group never dealt."""
    shares = plan.shares[axis]
    is_there = shares.counts > 0
    first = is_there.argmax(axis=0)
    return {
        name: int(step) if is_there[step, code] else None
        for code, (name, step) in enumerate(zip(shares.names, first, strict=True))
    }


def groups_per_batch(plan: Plan, axis: str) -> tuple[float, int]:
    """Return the mean and the least number of different groups of an axis in a batch."""
    different = (plan.shares[axis].counts > 0).sum(axis=1)
    return float(different.mean()), int(different.min())


def loss_shares(plan: Plan, normalize: str = "token") -> dict[str, float]:
    """Return the expected share of each task in the loss.

    Args:
        plan: The plan; by token, one that knows the mean target tokens of its tasks.
        normalize: "token", by target tokens; "utterance", by utterances; "task", alike for the
            tasks of a batch.

    Returns:
        Shares by task that sum to 1; none by token where the target tokens are unknown.

    Examples:
        With 30 tokens a transcript and 2 a label, equal samples are no equal shares of the loss.
    """
    shares = plan.shares["task"]
    counts = shares.counts.astype(np.float64)
    if normalize == "token":
        if not plan.target_tokens:
            return {}
        counts = counts * [plan.target_tokens.get(name, 0.0) for name in shares.names]
    weights = (counts > 0).astype(np.float64) if normalize == "task" else counts
    by_step = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    return dict(zip(shares.names, by_step.mean(axis=0).tolist(), strict=True))


def stage_table(plan: Plan, axes: Sequence[str] = ("task", "label")) -> list[dict[str, Any]]:
    """Tell what every stage of a plan holds, a row for each group of some axes.

    Args:
        plan: The plan.
        axes: Axes to list; those the plan has no shares of are left out.

    Returns:
        Rows with axis, group, first_step, num_dealt, epochs, num_repeats, num_never_seen, share of
        the whole plan, loss_share by target tokens (tasks, where known), and the share of each
        stage, in [0, 1].
    """
    borders = [*(step for step, _ in plan.stages), plan.num_steps]
    losses = loss_shares(plan) if "task" in plan.shares else {}
    rows = []
    for axis in axes:
        if axis not in plan.shares:
            continue
        counts = plan.shares[axis].counts
        for code, group in enumerate(audit(plan, axis)):
            own = counts[:, code]
            rows.append(
                {
                    "axis": axis,
                    "group": group.name,
                    "first_step": group.first_step,
                    "num_dealt": group.num_dealt,
                    "epochs": group.epochs,
                    "num_repeats": group.num_repeats,
                    "num_never_seen": group.num_never_seen,
                    "share": group.share,
                    "loss_share": losses.get(group.name) if axis == "task" else None,
                    "stage_shares": [
                        _share(own, plan.batch_sizes, start, end)
                        for start, end in itertools.pairwise(borders)
                    ],
                }
            )
    return rows


def _share(counts: np.ndarray, totals: np.ndarray, start: int, end: int) -> float:
    """Return the share of a group in the utterances of some steps, 0 where there are none."""
    return float(counts[start:end].sum() / max(int(totals[start:end].sum()), 1))
