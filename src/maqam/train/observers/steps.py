"""The record of a run's steps as columns, as it is read back from what telemetry wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


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
