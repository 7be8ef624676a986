"""Every score of a run from its hypotheses alone: no model is needed to score or rescore."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from maqam.errors import RunError
from maqam.score import classification
from maqam.score.answers import Answers
from maqam.score.bootstrap import Interval, block_sums, mean_interval
from maqam.score.groups import ALL, MEAN_OF_SOURCES, groups_of, tells_dialects
from maqam.score.labels import Columns, chosen_labels
from maqam.score.measure import Counts, Measure, mean_of_parts, ratio
from maqam.score.metrics import metrics_of
from maqam.score.ngrams import bleu_signature, chrf_signature
from maqam.score.settings import ScoreSettings
from maqam.seeding import generator
from maqam.tasks import Task, Tasks, tasks_as_table

__all__ = ["Columns", "measures", "ratio", "score_hypotheses"]

FORMAT_VERSION = 1


def measures(columns: Columns, task: Task, settings: ScoreSettings) -> list[Measure]:
    """Return every score of one task's hypotheses.

    Args:
        columns: Columns of hypotheses.parquet, rows of this task only.
        task: The task.
        settings: Profile.
    """
    by_profile: dict[str | None, Answers] = {}
    found = []
    for metric in metrics_of(task):
        profiles = dict.fromkeys(one or settings.profile for one in metric.profiles)
        for profile in profiles or (None,):
            if profile not in by_profile:
                by_profile[profile] = Answers(columns, task.labels, settings, profile)
            found += [
                Measure(
                    **{name: getattr(one, name) for name in Counts.__dataclass_fields__},
                    name=metric.name,
                    higher_is_better=metric.higher_is_better,
                    is_detail=metric.is_detail,
                    profile=profile,
                )
                for one in metric.measure(by_profile[profile])
            ]
    return found


def common_measures(
    tables: Sequence[Columns], task: Task, settings: ScoreSettings
) -> list[list[Measure]]:
    """Return the scores that all of several tables have, of each, in the same order.

    Args:
        tables: Columns of hypotheses.parquet, rows of this task only.
        task: The task.
        settings: Profile.
    """
    found = [measures(columns, task, settings) for columns in tables]
    shared = set.intersection(
        *({(one.name, one.profile, one.label) for one in own} for own in found)
    )
    return [[one for one in own if (one.name, one.profile, one.label) in shared] for own in found]


def over_sources(found: Sequence[Measure], columns: Columns, task: Task) -> list[Measure]:
    """Return one score of several systems as its mean over sources, which adds up as well.

    Args:
        found: The score of each system, of the same utterances.
        columns: Columns of hypotheses.parquet of these, of any of the systems.
        task: The task.

    Returns:
        The score of each system, over the sources for which all systems have a value; none where
        fewer than two are left, or it is not a main score of the task.
    """
    first = found[0]
    if first.name not in task.metrics or first.label or not first.axes:
        return []
    sources = [
        members
        for name, members in groups_of(columns, ("source",)).items()
        if name != ALL and all(np.isfinite(_value(one, members)) for one in found)
    ]
    return [mean_of_parts(one, sources) for one in found] if len(sources) > 1 else []


def score_hypotheses(
    columns: Columns,
    *,
    tasks: Tasks,
    settings: ScoreSettings,
    seed: int,
    split: str,
    synthetic: bool,
) -> dict[str, Any]:
    """Score hypotheses per task and group of utterances, each figure with its interval.

    Args:
        columns: Columns of hypotheses.parquet.
        tasks: The tasks that there are.
        settings: Profile and resamples.
        seed: Seed of the bootstrap.
        split: Name of the split, for the record.
        synthetic: Whether the speech is synthetic, for the record.

    Returns:
        What scores.json holds.

    Raises:
        ConfigError: If a task names a metric that cannot be its own.
        RunError: If the hypotheses are of a task that there is not.
    """
    scores, confusions, shown = [], {}, {}
    for task, rows in rows_by_task(columns, tasks):
        shown[task.name] = task
        own = take(columns, rows)
        for measure in measures(own, task, settings):
            scores += _by_group(measure, own, task, settings, seed)
        if labels := task.labels:
            counts = classification.confusion(
                own["reference"], chosen_labels(own, labels, settings), labels
            )
            confusions[task.name] = {"labels": list(labels), "counts": counts[:, :-1].tolist()}
    return {
        "format_version": FORMAT_VERSION,
        "split": split,
        "profile": settings.profile,
        "synthetic": synthetic,
        "signatures": {
            "bleu": bleu_signature(),
            "chrf": chrf_signature(0),
            "chrf_plus": chrf_signature(2),
        },
        "tasks": tasks_as_table(shown),
        "scores": scores,
        "confusions": confusions,
    }


def rows_by_task(columns: Columns, tasks: Tasks) -> list[tuple[Task, np.ndarray]]:
    """Return the tasks that hypotheses are of, in the order of the tasks, with their rows.

    Raises:
        RunError: If the hypotheses are of a task that there is not.
    """
    named = np.asarray(columns["task"], dtype=object)
    unknown = sorted(set(named.tolist()) - set(tasks))
    if unknown:
        raise RunError(
            f"the hypotheses are of task {unknown[0]!r}, and there are {', '.join(tasks)}",
            where="score",
            hint="the run's tasks.yaml names the tasks it was scored with",
        )
    rows = [(task, np.flatnonzero(named == name)) for name, task in tasks.items()]
    return [(task, own) for task, own in rows if len(own)]


def take(columns: Columns, rows: np.ndarray) -> dict[str, list[Any]]:
    """Return some rows of a table of columns."""
    return {name: [values[int(row)] for row in rows] for name, values in columns.items()}


def blocks_of(columns: Columns) -> list[str]:
    """Return the block of each utterance: its speaker, or itself where no speaker is known."""
    pairs = zip(columns["speaker"], columns["id"], strict=True)
    return [speaker if speaker is not None else f"utterance {name}" for speaker, name in pairs]


def _parts_of_groups(measure: Measure, columns: Columns, task: Task) -> dict[str, list[np.ndarray]]:
    """Return the members of each group in the parts that its value is the mean over.

    That is one part for all groups but the mean over sources, of those that have a value.
    """
    is_told = bool(task.labels) and tells_dialects(columns)
    axes = [axis for axis in measure.axes if not (is_told and axis == "dialect")]
    if measure.label or not measure.axes:
        return {ALL: [np.arange(len(columns["id"]))]}
    groups = {name: [members] for name, members in groups_of(columns, axes).items()}
    sources = [
        members
        for name, members in groups_of(columns, ("source",)).items()
        if name != ALL and np.isfinite(_value(measure, members))
    ]
    return groups | ({MEAN_OF_SOURCES: sources} if len(sources) > 1 else {})


@np.errstate(invalid="ignore", divide="ignore")
def _value(measure: Measure, members: np.ndarray) -> float:
    return float(measure.statistic(measure.sums[members].sum(axis=0)))


def _by_group(
    measure: Measure, columns: Columns, task: Task, settings: ScoreSettings, seed: int
) -> list[dict[str, Any]]:
    blocks = np.array(blocks_of(columns))
    rows = []
    for group, parts in _parts_of_groups(measure, columns, task).items():
        name = f"label={measure.label}" if measure.label else group
        rng = generator(seed, "bootstrap", task.name, measure.name, measure.profile, name)
        sums = [block_sums(measure.sums[part], blocks[part].tolist()) for part in parts]
        value = float(np.mean([measure.statistic(one.sum(axis=0)) for one in sums]))
        around = Interval(None, None)
        if np.isfinite(value):
            around = mean_interval(
                sums, measure.statistic, num_resamples=settings.num_resamples, rng=rng
            )
        members = np.concatenate(parts)
        rows.append(
            {
                "task": task.name,
                "metric": measure.name,
                "group": name,
                "value": value if np.isfinite(value) else None,
                "low": around.low,
                "high": around.high,
                "num_utterances": len(members),
                "num_units": int(measure.num_units[members].sum()),
                "higher_is_better": measure.higher_is_better,
                "profile": measure.profile,
                **{name: int(counts[members].sum()) for name, counts in measure.counts.items()},
            }
        )
    return rows
