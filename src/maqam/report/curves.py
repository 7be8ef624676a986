"""The steps of a run as columns, and the same columns in bins of steps that a picture can show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_REDUCE: Mapping[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean,
    "median": np.median,
    "low": np.min,
    "high": np.max,
}


@dataclass(frozen=True, slots=True)
class Steps:
    """What was logged of every step taken, in the order of the steps.

    Attributes:
        step: (num_steps,) int64, from 1.
        loss: (num_steps,) float64.
        grad_norm: (num_steps,) float64, before clipping.
        seconds: (num_steps,) float64.
        loss_by_task: By task (num_steps,) float64, NaN where the batch holds none of the task.
        utterances_by_task: By task (num_steps,) float64 counts.
        target_tokens_by_task: By task (num_steps,) float64 counts.
        balance_loss: (num_steps,) float64 of experts, before its factor; NaN where there are none.
        router_entropy_by_task: By task (num_steps,) float64 in [0, 1], NaN where the batch holds
            none of the task; empty where there are no experts.
    """

    step: np.ndarray
    loss: np.ndarray
    grad_norm: np.ndarray
    seconds: np.ndarray
    loss_by_task: Mapping[str, np.ndarray]
    utterances_by_task: Mapping[str, np.ndarray]
    target_tokens_by_task: Mapping[str, np.ndarray]
    balance_loss: np.ndarray
    router_entropy_by_task: Mapping[str, np.ndarray]

    @property
    def num_steps(self) -> int:
        """Number of the last step taken, 0 before the first."""
        return int(self.step[-1]) if len(self.step) else 0

    def routers_at_end(self) -> dict[str, float]:
        """Return the medians over the last tenth of the steps: balancing loss, entropy by task."""
        columns = {"balancing loss": self.balance_loss} | {
            f"entropy, {task}": values for task, values in self.router_entropy_by_task.items()
        }
        last = {name: values[-max(1, len(values) // 10) :] for name, values in columns.items()}
        return {
            name: float(np.nanmedian(values))
            for name, values in last.items()
            if np.isfinite(values).any()
        }


def steps_from_records(records: Sequence[Mapping[str, Any]]) -> Steps:
    """Turn the lines of train.jsonl into columns.

    A step that was taken twice (a run resumed from an earlier checkpoint) counts as it was taken
    last.

    Examples:
        >>> steps_from_records([{"step": 1, "loss": 2.5, "loss_by_task": {"asr": 2.5}}]).loss
        array([2.5])
    """
    last = {int(record["step"]): record for record in records}
    rows = [last[step] for step in sorted(last)]
    return Steps(
        step=np.array([row["step"] for row in rows], dtype=np.int64),
        loss=_column(rows, "loss"),
        grad_norm=_column(rows, "grad_norm"),
        seconds=_column(rows, "seconds"),
        loss_by_task=_by_task(rows, "loss_by_task", np.nan),
        utterances_by_task=_by_task(rows, "utterances_by_task", 0.0),
        target_tokens_by_task=_by_task(rows, "target_tokens_by_task", 0.0),
        balance_loss=_column(rows, "balance_loss"),
        router_entropy_by_task=_by_task(rows, "router_entropy_by_task", np.nan),
    )


def edges(num_steps: int, *, most: int, cuts: Sequence[int] = ()) -> np.ndarray:
    """Cut steps into bins of nearly equal size, with extra cuts where a rule changes.

    Args:
        num_steps: Steps to cut, at least 1.
        most: Largest number of bins before the extra cuts.
        cuts: Steps at which a bin must begin.

    Returns:
        (num_bins + 1,) int64 ascending, from 0 to `num_steps`.

    Examples:
        >>> edges(10, most=3, cuts=[5])
        array([ 0,  3,  5,  7, 10])
    """
    even = np.linspace(0, num_steps, min(most, num_steps) + 1).round().astype(np.int64)
    inside = [cut for cut in cuts if 0 < cut < num_steps]
    return np.unique(np.concatenate([even, np.array(inside, dtype=np.int64)]))


def binned_shares(counts: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return the share of each group in each bin of steps.

    Args:
        counts: (num_steps, num_groups) utterances.
        bins: (num_bins + 1,) edges over the steps.

    Returns:
        (num_bins, num_groups) shares; a row sums to 1, or to 0 where the bin holds nothing.

    Examples:
        >>> binned_shares(np.array([[1, 3], [3, 1]]), np.array([0, 2]))
        array([[0.5, 0.5]])
    """
    sums = np.add.reduceat(np.asarray(counts, dtype=np.float64), bins[:-1], axis=0)
    totals = sums.sum(axis=1, keepdims=True)
    shares: np.ndarray = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    return shares


def binned(values: np.ndarray, positions: np.ndarray, bins: np.ndarray, kind: str) -> np.ndarray:
    """Return one statistic of the finite values in each bin of steps.

    Args:
        values: (n,) numbers; those that are not finite are left out.
        positions: (n,) the step of each, from 0.
        bins: (num_bins + 1,) edges over the steps.
        kind: "mean", "median", "low" (smallest) or "high" (largest).

    Returns:
        (num_bins,) float64, NaN where a bin has no value.

    Examples:
        >>> binned(np.array([1.0, 3.0]), np.array([0, 1]), np.array([0, 2, 4]), "mean")
        array([ 2., nan])
    """
    reduce = _REDUCE[kind]
    kept = np.isfinite(values)
    values, where = values[kept], np.searchsorted(bins, positions[kept], side="right") - 1
    found = np.full(len(bins) - 1, np.nan)
    for one in np.unique(where):
        if 0 <= one < len(found):
            found[one] = reduce(values[where == one])
    return found


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.array([_number(row.get(name)) for row in rows], dtype=np.float64)


def _by_task(rows: Sequence[Mapping[str, Any]], name: str, absent: float) -> dict[str, np.ndarray]:
    tasks = dict.fromkeys(task for row in rows for task in row.get(name, {}))
    return {
        task: np.array([_number(row.get(name, {}).get(task, absent)) for row in rows])
        for task in tasks
    }


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
