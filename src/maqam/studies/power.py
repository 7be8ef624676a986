"""What a study can show: the seeds that a difference takes, from the runs that are finished."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from maqam.errors import RunError
from maqam.run_layout import RunLayout
from maqam.runs import stages
from maqam.score.comparison.power import detectable, spread_of
from maqam.studies.grid import Study
from maqam.tasks import tasks_of_record

NUM_SEEDS = (2, 3, 4, 5, 8, 12, 20)


def power_of(study: Study, split: str = "test") -> list[dict[str, Any]]:
    """Return what the methods of a study could differ by and be told apart, by number of seeds.

    Args:
        study: The study; of its runs two that are finished and scored are enough.
        split: Split they were scored on.

    Returns:
        A row a task: its main metric, the spread of the difference between two methods, and by
        number of seeds the difference that is shown in four studies of five, with p-values
        corrected over all methods and tasks.

    Raises:
        RunError: If fewer than two runs of one method are scored.
    """
    scores: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    for method, recipe in study.recipes():
        if stages.is_scored(recipe, split):
            found = RunLayout(recipe.folder).evaluation(split).read_scores()
            for key, value in _main_scores(found).items():
                scores.setdefault(key, {}).setdefault(method, {})[recipe.seed] = value
    num_comparisons = max(1, len(study.methods) - 1) * max(1, len(scores))
    rows = []
    for (task, metric), by_method in scores.items():
        spread = spread_of(by_method)
        if spread is not None:
            rows.append(
                {
                    "task": task,
                    "metric": metric,
                    "num_comparisons": num_comparisons,
                    "spread": asdict(spread),
                    "detectable": {
                        str(number): detectable(
                            spread.value, number, num_comparisons=num_comparisons
                        )
                        for number in NUM_SEEDS
                    },
                }
            )
    if not rows:
        raise RunError(
            "power is told from two pilot runs of one method, and fewer are scored",
            where=study.output,
            hint='run the study with two seeds first, such as "seeds=[0, 1]"',
        )
    return rows


def _main_scores(scores: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """Return the main score of each task over all utterances."""
    tasks = tasks_of_record(scores)
    return {
        (row["task"], row["metric"]): row["value"]
        for row in scores["scores"]
        if row["group"] == "all"
        and row["metric"] == tasks[row["task"]].metrics[0]
        and row["profile"] in (None, scores["profile"])
        and row["value"] is not None
    }
