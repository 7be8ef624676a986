"""Methods against a baseline over paired seeds.

A seed is a whole training, so it is the unit of evidence: the test is a paired t on the seeds'
scores, the interval a two-level bootstrap over seeds and speaker blocks, and p-values are corrected
over all pairs of a task's main metrics by Holm's rule. One seed gives no verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from maqam.errors import RunError
from maqam.score.bootstrap import Interval, block_sums, interval, two_level
from maqam.score.comparison.correction import holm
from maqam.score.groups import ALL, MEAN_OF_SOURCES, tells_dialects
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

FORMAT_VERSION = 1
SIGNIFICANCE = 0.05
ONE_SEED = "one seed: no verdict"
NO_DIFFERENCE = "no difference shown"


@dataclass(frozen=True, slots=True)
class _Seeds:
    """One score of one method on all seeds.

    Attributes:
        sums: (num_seeds, num_blocks, ...) block sums.
        measure: The score, of the first seed.
    """

    sums: np.ndarray
    measure: Measure

    @property
    def values(self) -> np.ndarray:
        """(num_seeds,) score of each seed."""
        return self.measure.statistic(self.sums.sum(axis=1))


def compare_methods(
    hypotheses: Mapping[str, Mapping[int, Columns]],
    *,
    baseline: str,
    tasks: Tasks,
    settings: ScoreSettings,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Compare methods with a baseline on every score of every task.

    Args:
        hypotheses: Columns of hypotheses.parquet by method, by seed.
        baseline: Method the others are compared with.
        tasks: The tasks that there are.
        settings: Profile and resamples.
        seed: Seed of the bootstrap.

    Returns:
        The rows of comparison.json.

    Raises:
        RunError: If methods were not scored on the same utterances, or seeds are not paired.
    """
    seeds = _paired_seeds(hypotheses, baseline)
    first = hypotheses[baseline][seeds[0]]
    rows: list[dict[str, Any]] = []
    for task, members in rows_by_task(first, tasks):
        own = {
            method: [take(by_seed[one], members) for one in seeds]
            for method, by_seed in hypotheses.items()
        }
        rows += _compare_task(own, task, baseline, settings, seed)
    _correct(rows, tasks)
    return rows


def _paired_seeds(hypotheses: Mapping[str, Mapping[int, Columns]], baseline: str) -> list[int]:
    seeds = sorted(hypotheses[baseline])
    ids = list(hypotheses[baseline][seeds[0]]["id"])
    for method, by_seed in hypotheses.items():
        if sorted(by_seed) != seeds:
            raise RunError(
                f"{method} has seeds {sorted(by_seed)}, {baseline} has {seeds}",
                where="compare",
                hint="run the missing seeds: methods are compared on pairs",
            )
        for one, columns in by_seed.items():
            if list(columns["id"]) != ids:
                raise RunError(
                    f"{method}, seed {one}, was scored on other utterances",
                    where="compare",
                    hint="evaluate all runs on the same split",
                )
    return seeds


def _compare_task(
    own: Mapping[str, Sequence[Columns]],
    task: Task,
    baseline: str,
    settings: ScoreSettings,
    seed: int,
) -> list[dict[str, Any]]:
    dialects = np.array([value or "" for value in own[baseline][0]["dialect"]])
    groups = {ALL: np.arange(len(dialects))}
    if not (task.labels and tells_dialects(own[baseline][0])):
        for dialect in sorted(set(dialects) - {""}):
            groups[f"dialect={dialect}"] = np.flatnonzero(dialects == dialect)
    blocks = np.array(blocks_of(own[baseline][0]))
    found = iter(
        common_measures([one for tables in own.values() for one in tables], task, settings)
    )
    measured = {method: [next(found) for _ in by_seed] for method, by_seed in own.items()}
    rows = []
    for index, measure in enumerate(measured[baseline][0]):
        if measure.is_detail or measure.profile not in (None, settings.profile):
            continue
        pooled = {method: [one[index] for one in by_seed] for method, by_seed in measured.items()}
        compared = {
            group: _seeds(pooled, members, blocks)
            for group, members in groups.items()
            if group == ALL or "dialect" in measure.axes
        }
        every = [one for by_seed in pooled.values() for one in by_seed]
        if means := over_sources(every, own[baseline][0], task):
            left = iter(means)
            averaged = {method: [next(left) for _ in by_seed] for method, by_seed in pooled.items()}
            compared[MEAN_OF_SOURCES] = _seeds(averaged, groups[ALL], blocks)
        rows += [
            _row(task.name, group, method, scores, baseline, settings, seed)
            for group, scores in compared.items()
            for method in scores
        ]
    return rows


def _seeds(
    found: Mapping[str, Sequence[Measure]], members: np.ndarray, blocks: np.ndarray
) -> dict[str, _Seeds]:
    """Sum one score of all methods and seeds over the blocks of some utterances."""
    own = blocks[members].tolist()
    return {
        method: _Seeds(
            np.stack([block_sums(one.sums[members], own) for one in by_seed]), by_seed[0]
        )
        for method, by_seed in found.items()
    }


@np.errstate(invalid="ignore")
def _row(  # noqa: PLR0913  one flat record
    task: str,
    group: str,
    method: str,
    scores: Mapping[str, _Seeds],
    baseline: str,
    settings: ScoreSettings,
    seed: int,
) -> dict[str, Any]:
    one, base = scores[method], scores[baseline]
    measure, num_seeds = one.measure, len(one.sums)
    rng = generator(seed, "compare", task, measure.name, group)
    draws: Any = {"num_resamples": settings.num_resamples, "rng": rng}
    if num_seeds == 1:
        around = interval(one.sums[0], measure.statistic, **draws)
    else:
        around = two_level(None, one.sums, measure.statistic, **draws)
    gap, p_value = Interval(None, None), None
    difference = None if method == baseline else _finite((one.values - base.values).mean())
    if method != baseline and num_seeds > 1 and difference is not None:
        gap = two_level(base.sums, one.sums, measure.statistic, **draws)
        p_value = paired_p_value(one.values - base.values)
    return {
        "task": task,
        "metric": measure.name,
        "group": group,
        "method": method,
        "num_seeds": num_seeds,
        "mean": _finite(one.values.mean()),
        "low": around.low,
        "high": around.high,
        "difference": difference,
        "difference_low": gap.low,
        "difference_high": gap.high,
        "p_value": p_value,
        "higher_is_better": measure.higher_is_better,
        "verdict": ONE_SEED if num_seeds == 1 else NO_DIFFERENCE,
    }


def paired_p_value(differences: np.ndarray) -> float:
    """Return the two-sided p-value of a paired t-test on the seeds' differences.

    Examples:
        >>> round(paired_p_value(np.array([1.0, 1.2, 0.9, 1.1, 1.0])), 5)
        3e-05
    """
    spread = differences.std(ddof=1)
    if spread == 0:
        return 1.0 if differences[0] == 0 else 0.0
    t = differences.mean() / (spread / np.sqrt(len(differences)))
    return float(2 * stats.t.sf(abs(t), df=len(differences) - 1))


def _correct(rows: list[dict[str, Any]], tasks: Tasks) -> None:
    """Correct the p-values of each family and give the verdicts, in place.

    The family of a claim is every method on every task's main metric; other scores, single dialects
    and means over sources are corrected among themselves. A score without a direction gets no
    verdict.
    """
    families: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for row in rows:
        if row["p_value"] is not None and row["higher_is_better"] is not None:
            is_main = row["group"] == ALL and row["metric"] == tasks[row["task"]].metrics[0]
            families[is_main].append(row)
    for family in families.values():
        for row, p_value in zip(family, holm([row["p_value"] for row in family]), strict=True):
            row["p_value"] = p_value
            low, high = row["difference_low"], row["difference_high"]
            is_apart = low is not None and high is not None and (low > 0 or high < 0)
            if is_apart and p_value < SIGNIFICANCE:
                is_better = (row["difference"] > 0) == row["higher_is_better"]
                row["verdict"] = "better" if is_better else "worse"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
