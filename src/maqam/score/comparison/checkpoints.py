"""Checkpoints side by side on one split: which of these models is better, not which method.

One model of each kind says nothing of the next training, so the verdict names checkpoints. Between
methods the test is that of `maqam.score.comparison.methods`, over seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maqam.errors import RunError
from maqam.score.bootstrap import percentiles
from maqam.score.comparison.correction import holm
from maqam.score.comparison.methods import NO_DIFFERENCE, SIGNIFICANCE
from maqam.score.comparison.paired import (
    bootstrap_differences,
    bootstrap_p_value,
    max_t,
    swap_p_value,
    swapped_differences,
)
from maqam.score.groups import ALL, MEAN_OF_SOURCES
from maqam.score.measure import Measure
from maqam.score.scoring import (
    Columns,
    blocks_of,
    common_measures,
    over_sources,
    rows_by_task,
    take,
)
from maqam.score.settings import ScoreSettings
from maqam.seeding import generator
from maqam.tasks import Task, Tasks

NUM_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class _Pair:
    """One score of a checkpoint and of the baseline, by block of the whole split."""

    task: Task
    name: str
    group: str
    measure: Measure
    first: np.ndarray
    second: np.ndarray
    is_held: np.ndarray  # blocks with an utterance of the task

    @property
    def is_main(self) -> bool:
        return self.group == ALL and self.measure.name == self.task.metrics[0]

    @property
    def values(self) -> tuple[float, float]:
        one, other = (
            float(self.measure.statistic(sums.sum(axis=0))) for sums in (self.first, self.second)
        )
        return one, other


def compare_checkpoints(
    hypotheses: Mapping[str, Columns],
    *,
    baseline: str,
    tasks: Tasks,
    settings: ScoreSettings,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Compare checkpoints with one of them on every score of every task.

    Args:
        hypotheses: Columns of hypotheses.parquet by checkpoint.
        baseline: Checkpoint the others are compared with.
        tasks: The tasks that there are.
        settings: Profile.
        num_resamples: Resamples, and times that speakers are swapped.
        seed: Seed of both.

    Returns:
        A row a checkpoint and score: both values, the difference with its 95 % interval, its
        p-values and a verdict on this checkpoint.

    Raises:
        RunError: If checkpoints were not scored on the same utterances.
    """
    pairs = _pairs(hypotheses, baseline, tasks, settings)
    tossed: list[np.ndarray] = []
    rows = []
    for pair in pairs:
        row, nulls = _row(pair, num_resamples, seed)
        rows.append(row)
        tossed.append(nulls)
    for is_main in (True, False):
        family = [
            place
            for place, pair in enumerate(pairs)
            if pair.is_main == is_main
            and rows[place]["p_swap"] is not None
            and pair.measure.higher_is_better is not None
        ]
        if not family:
            continue
        if is_main:
            nulls = np.stack([tossed[place] for place in family], axis=1)
            corrected = max_t([rows[place]["difference"] for place in family], nulls)
        else:
            corrected = holm([rows[place]["p_swap"] for place in family])
        for place, p_value in zip(family, corrected, strict=True):
            _judge(rows[place], p_value)
    return rows


def _pairs(
    hypotheses: Mapping[str, Columns], baseline: str, tasks: Tasks, settings: ScoreSettings
) -> list[_Pair]:
    base = hypotheses[baseline]
    for name, columns in hypotheses.items():
        if list(columns["id"]) != list(base["id"]):
            raise RunError(
                f"{name} was scored on other utterances than {baseline}",
                where="compare",
                hint="evaluate all runs on the same split",
            )
    names, codes = np.unique(np.array(blocks_of(base)), return_inverse=True)
    found = []
    for task, members in rows_by_task(base, tasks):
        own = {name: take(columns, members) for name, columns in hypotheses.items()}
        measured = dict(zip(own, common_measures(list(own.values()), task, settings), strict=True))
        blocks = codes.reshape(-1)[members]
        is_held = np.bincount(blocks, minlength=len(names)) > 0
        for place, measure in enumerate(measured[baseline]):
            if measure.is_detail or measure.profile not in (None, settings.profile):
                continue
            pooled = [one[place] for one in measured.values()]
            for group, scores in (
                (ALL, pooled),
                (MEAN_OF_SOURCES, over_sources(pooled, own[baseline], task)),
            ):
                sums = {
                    name: _summed(one, blocks, len(names))
                    for name, one in zip(measured, scores, strict=False)
                }
                found += [
                    _Pair(task, name, group, scores[0], sums[baseline], sums[name], is_held)
                    for name in sums
                    if name != baseline
                ]
    return found


def _summed(measure: Measure, blocks: np.ndarray, num_blocks: int) -> np.ndarray:
    sums = np.zeros((num_blocks, *measure.sums.shape[1:]))
    np.add.at(sums, blocks, measure.sums)
    return sums


@np.errstate(invalid="ignore", divide="ignore")
def _row(pair: _Pair, num_resamples: int, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """Return a row without its verdict, and its differences under swaps."""
    before, after = pair.values
    gap = after - before
    row: dict[str, Any] = {
        "task": pair.task.name,
        "metric": pair.measure.name,
        "group": pair.group,
        "checkpoint": pair.name,
        "baseline_value": before if np.isfinite(before) else None,
        "value": after if np.isfinite(after) else None,
        "num_blocks": int(pair.is_held.sum()),
        **dict.fromkeys(("difference", "difference_low", "difference_high")),
        **dict.fromkeys(("p_bootstrap", "p_swap", "p_value")),
        "higher_is_better": pair.measure.higher_is_better,
        "verdict": NO_DIFFERENCE,
    }
    none = np.zeros(num_resamples)
    if not np.isfinite(gap):
        return row, none
    row["difference"] = gap
    if row["num_blocks"] < 2:
        return row, none
    held, statistic = pair.is_held, pair.measure.statistic
    group = [] if pair.group == ALL else [pair.group]
    drawn = bootstrap_differences(
        pair.first[held],
        pair.second[held],
        statistic,
        num_resamples=num_resamples,
        rng=generator(seed, "checkpoints", pair.task.name, pair.measure.name, *group),
    )
    nulls = swapped_differences(
        pair.first,
        pair.second,
        statistic,
        num_resamples=num_resamples,
        rng=generator(seed, "swaps"),  # the same coins for all scores: max-|t| needs them together
    )
    around = percentiles(drawn)
    row["difference_low"], row["difference_high"] = around.low, around.high
    row["p_bootstrap"] = bootstrap_p_value(gap, drawn)
    row["p_swap"] = swap_p_value(gap, nulls)
    return row, nulls


def _judge(row: dict[str, Any], p_value: float) -> None:
    """Set a row's corrected p-value and verdict, in place."""
    row["p_value"] = p_value
    low, high = row["difference_low"], row["difference_high"]
    is_apart = low is not None and high is not None and (low > 0 or high < 0)
    if is_apart and p_value < SIGNIFICANCE:
        is_better = (row["difference"] > 0) == row["higher_is_better"]
        row["verdict"] = "better checkpoint" if is_better else "worse checkpoint"
