"""Spikes of losses and gradient norms, read from the record of the steps alone.

A spike is told from the steps before it: their median, and the median distance from it, on a
logarithmic scale, so that neither a slow fall nor an earlier spike moves the measure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from maqam.diagnose.record import EUCLIDEAN
from maqam.train.observers.steps import steps_from_records

NORM, LOSS = "gradient norm", "loss"
WINDOW = 25  # steps that tell what is usual
_FEWEST = 8
_DEVIATIONS = 6.0
_SMALLEST = 1.5  # times the usual: less is no spike, however steady the steps before
_BACK = 3.0  # deviations within which a series is as usual again
_PATIENCE = 50  # steps after which what has not come back is the new usual


@dataclass(frozen=True, slots=True)
class Spike:
    """A rise far above what was usual.

    Attributes:
        series: What rose: the gradient norm, or the loss of a task.
        onset: First step of the rise.
        peak: Step of its highest value.
        size: Highest value over the usual one.
        duration: Steps above what is a spike.
        recovery: Steps from the onset until it is as usual again; None where it did not come back.
        after_switch: Steps from the last switch of schedule to the onset; None where none is near.
    """

    series: str
    onset: int
    peak: int
    size: float
    duration: int
    recovery: int | None
    after_switch: int | None = None


def spikes(
    steps: Sequence[int] | np.ndarray, values: Sequence[float] | np.ndarray, series: str = NORM
) -> list[Spike]:
    """Find the spikes of a series.

    Args:
        steps: (n,) step of each value, ascending; a task need not be in every step.
        values: (n,) numbers above 0; others are passed over.
        series: What they are.

    Examples:
        >>> usual = 1 + 0.05 * np.sin(np.arange(60))
        >>> usual[40:44] = 5, 4, 3, 2
        >>> (found,) = spikes(range(1, 61), usual)
        >>> found.onset, found.duration, found.recovery, round(found.size)
        (41, 4, 4, 5)
    """
    at = np.asarray(steps)
    numbers = np.asarray(values, dtype=np.float64)
    is_number = np.isfinite(numbers) & (numbers > 0)
    at, logs = at[is_number], np.log(numbers[is_number])
    found: list[Spike] = []
    usual: list[float] = []
    place = 0
    while place < len(logs):
        known = np.array(usual[-WINDOW:])
        if len(known) < _FEWEST or logs[place] <= _limit(known, _DEVIATIONS, _SMALLEST):
            usual.append(float(logs[place]))
            place += 1
            continue
        found.append(_spike(series, at, logs, place, known))
        length = found[-1].recovery
        if length is None:  # what is usual has changed, or the series ends
            place, usual = int(np.searchsorted(at, at[place] + _PATIENCE)), []
        else:
            place = int(np.searchsorted(at, at[place] + length))
    return found


def _limit(known: np.ndarray, deviations: float, smallest: float) -> float:
    middle = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - middle)))
    return middle + max(deviations * spread, float(np.log(smallest)))


def _spike(series: str, at: np.ndarray, logs: np.ndarray, place: int, known: np.ndarray) -> Spike:
    """Measure the spike that begins at a place, by what was usual before it."""
    end = int(np.searchsorted(at, at[place] + _PATIENCE))
    part, steps = logs[place:end], at[place:end]
    back = np.flatnonzero(part <= _limit(known, _BACK, _SMALLEST**0.5))
    inside = part[: back[0]] if len(back) else part
    peak = int(np.argmax(inside))
    above = inside > _limit(known, _DEVIATIONS, _SMALLEST)
    return Spike(
        series=series,
        onset=int(steps[0]),
        peak=int(steps[peak]),
        size=float(np.exp(inside[peak] - np.median(known))),
        duration=int(above.sum()),
        recovery=int(steps[back[0]] - steps[0]) if len(back) else None,
    )


def volatility(records: Sequence[Mapping[str, Any]], switches: Sequence[int]) -> dict[str, Any]:
    """Measure how a run shook, from its `train.jsonl`.

    Args:
        records: Lines of it, by step.
        switches: Steps taken before each switch of schedule.

    Returns:
        A table: spikes of the gradient norm and of the loss of every task; for each series its
        median and its roughness, the median change from one step to the next as a ratio; what
        each switch did to the gradient norm.
    """
    steps = steps_from_records(records)
    values = {NORM: steps.grad_norm}
    values |= {f"{LOSS} of {task}": steps.loss_by_task[task] for task in sorted(steps.loss_by_task)}
    near = _near(len(steps.step))
    found = [one for name, own in values.items() for one in spikes(steps.step, own, name)]
    placed = [_with_switch(one, switches, near) for one in found]
    return {
        "steps": len(steps.step),
        "spikes": [asdict(one) for one in sorted(placed, key=lambda one: (one.onset, one.series))],
        "series": {name: _summary(own) for name, own in values.items()},
        "switches": [_around(steps.step, steps.grad_norm, step, near) for step in switches],
    }


def noise_scales(measures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the gradient noise scale of every task at every measure of conflict.

    It is the trace of the covariance of an utterance's gradient over the square of the mean
    gradient's length (McCandlish et al. 2018): about the batch above which more utterances of the
    task add little.

    Args:
        measures: Lines of `conflict.jsonl`.

    Examples:
        >>> table = {"names": ["asr"], "norms": [2.0], "noise": [64.0]}
        >>> noise_scales([{"step": 5, "metrics": {"euclidean": {"groups": {"task": table}}}}])
        [{'step': 5, 'noise_scale': {'asr': 16.0}}]
    """
    found = []
    for line in measures:
        table = line["metrics"][EUCLIDEAN]["groups"]["task"]
        scales = {
            name: None if not norm else noise / norm**2
            for name, norm, noise in zip(
                table["names"], table["norms"], table["noise"], strict=True
            )
        }
        found.append({"step": line["step"], "noise_scale": scales})
    return found


def _near(num_steps: int) -> int:
    """Return the steps after a switch that count as around it."""
    return max(10, num_steps // 20)


def _with_switch(spike: Spike, switches: Sequence[int], near: int) -> Spike:
    after = [spike.onset - step for step in switches if 0 <= spike.onset - step <= near]
    return Spike(**{**asdict(spike), "after_switch": min(after) if after else None})


def _around(
    at: np.ndarray, values: np.ndarray, step: int, near: int
) -> dict[str, float | int | None]:
    """Return the median gradient norm before and after a switch."""
    before = values[(at <= step) & (at > step - near) & np.isfinite(values)]
    after = values[(at > step) & (at <= step + near) & np.isfinite(values)]
    if not len(before) or not len(after):
        return {"step": step, "before": None, "after": None, "highest_after": None}
    return {
        "step": step,
        "before": float(np.median(before)),
        "after": float(np.median(after)),
        "highest_after": float(np.max(after)),
    }


def _summary(values: np.ndarray) -> dict[str, float | None]:
    known = values[np.isfinite(values) & (values > 0)]
    if len(known) < 2:
        return {"median": float(known[0]) if len(known) else None, "roughness": None}
    changes = np.abs(np.diff(np.log(known)))
    return {"median": float(np.median(known)), "roughness": float(np.exp(np.median(changes)))}
