"""Every score of a run from its hypotheses alone: no model is needed to score or rescore."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maqam.score import classification
from maqam.score.bootstrap import Interval, block_sums, interval
from maqam.score.dialects import dialect_gap, sums_by_dialect, worst_dialect
from maqam.score.error_rate import Edits, edits_by_utterance
from maqam.score.failures import (
    is_blank,
    is_explosion,
    is_loop,
    is_preface,
    is_refusal,
    is_wrong_script,
)
from maqam.score.groups import AXES, groups_of
from maqam.score.labels import chosen_labels, label_measures
from maqam.score.measure import Measure, mean, ratio
from maqam.score.rouge import chrf, chrf_signature, novel_ngrams, rouge
from maqam.score.settings import ScoreSettings
from maqam.seeding import generator
from maqam.tasks import TASKS
from maqam.text.profiles import normalize

FORMAT_VERSION = 1
COMPARED_PROFILES = ("leaderboard-v2", "none")

Columns = Mapping[str, Sequence[Any]]


def measures(columns: Columns, task: str, settings: ScoreSettings) -> list[Measure]:
    """Return every score of one task's hypotheses.

    Args:
        columns: Columns of hypotheses.parquet, rows of this task only.
        task: Name of the task.
        settings: Profile.
    """
    references, hypotheses = list(columns["reference"]), list(columns["hypothesis"])
    if labels := TASKS[task].labels:
        return label_measures(columns, list(labels), settings) + _blanks(hypotheses)
    found = []
    if task == "asr":
        profiles = dict.fromkeys((settings.profile, *COMPARED_PROFILES))
        for profile in profiles:
            axes = AXES if profile == settings.profile else ("dialect",)
            found += _error_rates(references, hypotheses, profile, axes)
        found += _word_error_measures(columns, settings.profile)
    else:
        found += _summary_measures(columns, settings.profile)
    found += _failures(references, hypotheses)
    words = [[len(text.split()) for text in texts] for texts in (hypotheses, references)]
    lengths = np.array(words, dtype=np.float64).T
    found.append(Measure("length_ratio", lengths, ratio, lengths[:, 1], higher_is_better=None))
    return found + _blanks(hypotheses)


def score_hypotheses(
    columns: Columns, *, settings: ScoreSettings, seed: int, split: str, synthetic: bool
) -> dict[str, Any]:
    """Score hypotheses per task and group of utterances, each figure with its interval.

    Args:
        columns: Columns of hypotheses.parquet.
        settings: Profile and resamples.
        seed: Seed of the bootstrap.
        split: Name of the split, for the record.
        synthetic: Whether the speech is synthetic, for the record.

    Returns:
        What scores.json holds.
    """
    tasks = np.asarray(columns["task"], dtype=object)
    scores, confusions = [], {}
    for task in [name for name in TASKS if (tasks == name).any()]:
        own = take(columns, np.flatnonzero(tasks == task))
        for measure in measures(own, task, settings):
            scores += _by_group(measure, own, task, settings, seed)
        if labels := TASKS[task].labels:
            counts = classification.confusion(
                own["reference"], chosen_labels(own, labels, settings), labels
            )
            confusions[task] = {"labels": list(labels), "counts": counts[:, :-1].tolist()}
    return {
        "format_version": FORMAT_VERSION,
        "split": split,
        "profile": settings.profile,
        "synthetic": synthetic,
        "signatures": {"chrf": chrf_signature(0), "chrf_plus": chrf_signature(2)},
        "scores": scores,
        "confusions": confusions,
    }


def take(columns: Columns, rows: np.ndarray) -> dict[str, list[Any]]:
    """Return some rows of a table of columns."""
    return {name: [values[int(row)] for row in rows] for name, values in columns.items()}


def blocks_of(columns: Columns) -> list[str]:
    """Return the block of each utterance: its speaker, or itself where no speaker is known."""
    pairs = zip(columns["speaker"], columns["id"], strict=True)
    return [speaker if speaker is not None else f"utterance {name}" for speaker, name in pairs]


def _by_group(
    measure: Measure, columns: Columns, task: str, settings: ScoreSettings, seed: int
) -> list[dict[str, Any]]:
    is_label = task == "did"  # of one dialect alone there is nothing to tell apart
    axes = [axis for axis in measure.axes if not (is_label and axis == "dialect")]
    if measure.label:
        axes = []
    groups = groups_of(columns, axes)
    blocks = np.array(blocks_of(columns))
    rows = []
    for group, members in groups.items():
        name = f"label={measure.label}" if measure.label else group
        rng = generator(seed, "bootstrap", task, measure.name, measure.profile, name)
        sums = block_sums(measure.sums[members], blocks[members].tolist())
        value = float(measure.statistic(sums.sum(axis=0)))
        around = Interval(None, None)
        if np.isfinite(value):
            around = interval(
                sums, measure.statistic, num_resamples=settings.num_resamples, rng=rng
            )
        rows.append(
            {
                "task": task,
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


def _error_rates(
    references: Sequence[str], hypotheses: Sequence[str], profile: str, axes: tuple[str, ...]
) -> list[Measure]:
    found = []
    for name, unit in (("wer", "word"), ("cer", "character")):
        edits = edits_by_utterance(
            references,
            hypotheses,
            profile=profile,
            unit=unit,  # type: ignore[arg-type]
        )
        sums = np.stack([edits.errors, edits.num_units], axis=1)
        found.append(
            Measure(name, sums, ratio, edits.num_units, False, profile, _kinds(edits), axes)
        )
    return found


def _kinds(edits: Edits) -> dict[str, np.ndarray]:
    names = ("substitutions", "deletions", "insertions")
    return {name: getattr(edits, name) for name in names}


def _word_error_measures(columns: Columns, profile: str) -> list[Measure]:
    edits = edits_by_utterance(columns["reference"], columns["hypothesis"], profile=profile)
    over = np.stack([edits.errors > edits.num_units, np.ones(len(edits.errors))], axis=1)
    over = over * (edits.num_units > 0)[:, None]
    found = [Measure("wer_over_one_rate", over, ratio, over[:, 1], False, profile)]
    pairs = np.stack([edits.errors, edits.num_units], axis=1)
    sums = sums_by_dialect(pairs, columns["dialect"])
    if sums.shape[1] > 1:
        words = sums[..., 1].sum(axis=1)
        for name, statistic in (("wer_worst_dialect", worst_dialect), ("wer_gap", dialect_gap)):
            found.append(Measure(name, sums, statistic, words, False, profile, axes=()))
    return found


def _summary_measures(columns: Columns, profile: str) -> list[Measure]:
    found = []
    for one in dict.fromkeys((profile, "none")):
        plain = [
            [normalize(text, one) for text in columns[name]] for name in ("reference", "hypothesis")
        ]
        overlaps = rouge(plain[0], plain[1])
        overlaps["chrf"] = chrf(plain[0], plain[1])
        overlaps["chrf_plus"] = chrf(plain[0], plain[1], word_order=2)
        found += [
            mean(name, values, higher_is_better=True, profile=one)
            for name, values in overlaps.items()
        ]
    documents = columns.get("document", [None] * len(columns["id"]))
    for size in (1, 2) if any(documents) else ():
        sums = novel_ngrams(documents, list(columns["hypothesis"]), size)
        found.append(Measure(f"novel_{size}", sums, ratio, sums[:, 1], None))
    return found


def _failures(references: Sequence[str], hypotheses: Sequence[str]) -> list[Measure]:
    rates = {
        "loop_rate": is_loop(hypotheses),
        "explosion_rate": is_explosion(references, hypotheses),
        "preface_rate": is_preface(references, hypotheses),
        "refusal_rate": is_refusal(references, hypotheses),
        "wrong_script_rate": is_wrong_script(references, hypotheses),
    }
    return [mean(name, values, higher_is_better=False) for name, values in rates.items()]


def _blanks(hypotheses: Sequence[str]) -> list[Measure]:
    return [mean("blank_rate", is_blank(hypotheses), higher_is_better=False)]
