"""Methods against a fixed point: what training tasks together costs, and what was forgotten.

Negative transfer is what a task loses against models trained on it alone, forgetting what it loses
against the model that training began with. Both are losses: positive is worse, of any metric.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from maqam.errors import RunError
from maqam.score.comparison.methods import compare_methods
from maqam.score.scoring import Columns, take
from maqam.score.settings import ScoreSettings
from maqam.tasks import Tasks

Runs = Mapping[int, Columns]  # hypotheses by seed

_REFERENCE = "the reference"


def negative_transfer(
    hypotheses: Mapping[str, Runs],
    single: Mapping[str, Runs],
    *,
    tasks: Tasks,
    settings: ScoreSettings,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return what each method loses on a task against models trained on that task alone.

    Args:
        hypotheses: Columns of hypotheses.parquet by method, by seed.
        single: The same by task, of models trained on it alone; rows of other tasks are left out.
        tasks: The tasks that there are.
        settings: Profile and resamples.
        seed: Seed of the bootstrap.

    Returns:
        A row a method and task: both means, the loss with its interval, p-value and verdict.

    Raises:
        RunError: If seeds are not paired, or the utterances of a task are others.
    """
    seeds = sorted({one for runs in single.values() for one in runs})
    for task, runs in single.items():
        if sorted(runs) != seeds:
            raise RunError(
                f"the single-task runs of {task} have seeds {sorted(runs)}, others {seeds}",
                where="compare",
                hint="give a run of each seed for each task",
            )
    reference = {
        one: _joined([_of_task(runs[one], task) for task, runs in single.items()]) for one in seeds
    }
    own = {
        method: {
            one: _joined([_of_task(columns, task) for task in single])
            for one, columns in runs.items()
        }
        for method, runs in hypotheses.items()
    }
    return _losses(own, reference, tasks, settings, seed, ("negative transfer", "gain"))


def forgetting(
    hypotheses: Mapping[str, Runs],
    start: Columns,
    *,
    tasks: Tasks,
    settings: ScoreSettings,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return what each method lost on every task against the model that training began with.

    Args:
        hypotheses: Columns of hypotheses.parquet by method, by seed.
        start: Columns of the model at the start, which all seeds share.
        tasks: The tasks that there are.
        settings: Profile and resamples.
        seed: Seed of the bootstrap.

    Returns:
        A row a method and task: both means, the loss with its interval, p-value and verdict.

    Raises:
        RunError: If the utterances are others.
    """
    seeds = {one for runs in hypotheses.values() for one in runs}
    reference = dict.fromkeys(sorted(seeds), start)
    return _losses(hypotheses, reference, tasks, settings, seed, ("forgotten", "learned"))


def _losses(
    hypotheses: Mapping[str, Runs],
    reference: Runs,
    tasks: Tasks,
    settings: ScoreSettings,
    seed: int,
    words: tuple[str, str],
) -> list[dict[str, Any]]:
    """Turn a comparison with a reference into losses; `words` name a loss and a gain."""
    rows = compare_methods(
        {_REFERENCE: reference, **hypotheses},
        baseline=_REFERENCE,
        tasks=tasks,
        settings=settings,
        seed=seed,
    )
    main = [
        row
        for row in rows
        if row["group"] == "all" and row["metric"] == tasks[row["task"]].metrics[0]
    ]
    means = {row["task"]: row["mean"] for row in main if row["method"] == _REFERENCE}
    named = {"worse": words[0], "better": words[1]}
    found = []
    for row in main:
        if row["method"] == _REFERENCE:
            continue
        ends = [row["difference_low"], row["difference_high"]]
        if row["higher_is_better"]:
            ends = [None if end is None else 0.0 - end for end in reversed(ends)]
        loss = row["difference"]
        if loss is not None and row["higher_is_better"]:
            loss = 0.0 - loss  # of which 0 is not -0
        found.append(
            {
                **{name: row[name] for name in ("task", "metric", "method", "num_seeds", "mean")},
                "reference": means[row["task"]],
                "loss": loss,
                "loss_low": ends[0],
                "loss_high": ends[1],
                "p_value": row["p_value"],
                "verdict": named.get(row["verdict"], row["verdict"]),
            }
        )
    return found


def _of_task(columns: Columns, task: str) -> dict[str, list[Any]]:
    return take(columns, np.flatnonzero(np.asarray(columns["task"], dtype=object) == task))


def _joined(tables: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    names = set.intersection(*(set(table) for table in tables))
    return {
        name: [value for table in tables for value in table[name]]
        for name in tables[0]
        if name in names
    }
