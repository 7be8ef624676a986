"""Metrics as values: function, title, unit and direction of each stand here and nowhere else.

A task names the metrics of its text answers, the main one first. Every task with labels gets all
that is known of labels, and every text answer the ways in which generation fails.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from maqam.errors import ConfigError
from maqam.score import classification, failures
from maqam.score.answers import Answers
from maqam.score.bootstrap import Statistic
from maqam.score.calibration import average_cost, bins_of_confidence, calibration_error, decisions
from maqam.score.dialects import dialect_gap, sums_by_dialect, worst_dialect
from maqam.score.error_rate import Edits
from maqam.score.labels import posteriors, with_wordings
from maqam.score.measure import Counts, mean, ratio
from maqam.score.ngrams import bleu, bleu_counts, chrf, novel_ngrams
from maqam.settings_file import nearest
from maqam.tasks import Task, Tasks

OWN = ""  # the normalizer profile of the run
Measuring = Callable[[Answers], Sequence[Counts]]


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured of answers, and how the number is to be read.

    Attributes:
        name: Name in files and settings, such as "wer".
        title: Name for people.
        unit: "%" where the number is shown in per cent, else empty.
        higher_is_better: Direction; None where neither is better.
        measure: Gives what it counts in answers; nothing where they hold nothing to measure.
        answer: Kind of answer it is of, or "any".
        profiles: Normalizer profiles that it is given under; none takes texts as they are.
        is_failure: Whether it is a way to fail, which every answer of its kind is looked at for.
        is_detail: Whether it only tells more of another score.
    """

    name: str
    title: str
    unit: Literal["%", ""]
    higher_is_better: bool | None
    measure: Measuring
    answer: Literal["text", "label", "any"] = "text"
    profiles: tuple[str, ...] = ()
    is_failure: bool = False
    is_detail: bool = False


def _error_rate(edits_of: Callable[[Answers], Edits], answers: Answers) -> Sequence[Counts]:
    edits = edits_of(answers)
    kinds = ("substitutions", "deletions", "insertions")
    return [
        Counts(
            sums=np.stack([edits.errors, edits.num_units], axis=1),
            statistic=ratio,
            num_units=edits.num_units,
            counts={name: getattr(edits, name) for name in kinds},
            axes=answers.axes,
        )
    ]


def _over_one(answers: Answers) -> Sequence[Counts]:
    edits = answers.word_edits
    over = np.stack([edits.errors > edits.num_units, np.ones(len(edits.errors))], axis=1)
    over = over * (edits.num_units > 0)[:, None]
    return [Counts(sums=over, statistic=ratio, num_units=over[:, 1])]


def _over_dialects(statistic: Statistic, answers: Answers) -> Sequence[Counts]:
    edits = answers.word_edits
    pairs = np.stack([edits.errors, edits.num_units], axis=1)
    sums = sums_by_dialect(pairs, answers.columns["dialect"])
    if sums.shape[1] < 2:
        return []
    return [Counts(sums=sums, statistic=statistic, num_units=sums[..., 1].sum(axis=1), axes=())]


def _bleu(answers: Answers) -> Sequence[Counts]:
    sums = bleu_counts(*answers.normalized)
    return [Counts(sums=sums, statistic=bleu, num_units=sums[:, 1], axes=answers.axes)]


def _chrf(word_order: int, answers: Answers) -> Sequence[Counts]:
    return [mean(chrf(*answers.normalized, word_order=word_order))]


def _novel(size: int, answers: Answers) -> Sequence[Counts]:
    documents = answers.columns.get("document", ())
    if not any(documents):
        return []
    sums = novel_ngrams(documents, answers.hypotheses, size)
    return [Counts(sums=sums, statistic=ratio, num_units=sums[:, 1])]


def _lengths(answers: Answers) -> Sequence[Counts]:
    texts = (answers.hypotheses, answers.references)
    words = np.array([[len(text.split()) for text in one] for one in texts], dtype=np.float64).T
    return [Counts(sums=words, statistic=ratio, num_units=words[:, 1])]


def _ones(answers: Answers) -> np.ndarray:
    return np.ones(len(answers.references), dtype=np.int64)


def _of_confusions(
    read: str, statistic: Statistic, has_axes: bool, answers: Answers
) -> Sequence[Counts]:
    if read not in answers.confusions:
        return []
    sums = answers.confusions[read]
    axes = answers.axes if has_axes else ("dialect",)
    return [Counts(sums=sums, statistic=statistic, num_units=_ones(answers), axes=axes)]


def _by_label(statistic: Statistic, answers: Answers) -> Sequence[Counts]:
    def only(index: int, counts: np.ndarray) -> np.ndarray:
        return statistic(counts)[..., index]

    return [
        Counts(
            sums=answers.confusions[""],
            statistic=partial(only, index),
            num_units=_ones(answers),
            label=label,
        )
        for index, label in enumerate(answers.labels)
    ]


def _wordings(answers: Answers) -> Sequence[Counts]:
    strict = answers.confusions["_strict"]
    sums, statistic = with_wordings(strict, answers.strict, answers.columns)
    return [Counts(sums=sums, statistic=statistic, num_units=_ones(answers), axes=())]


def _of_scores(
    sums_of: Callable[[np.ndarray, np.ndarray], np.ndarray],
    statistic: Statistic,
    axes: tuple[str, ...],
    answers: Answers,
) -> Sequence[Counts]:
    if not all(answers.columns["label_scores"]):  # of a system that gives answers alone
        return []
    logs = posteriors(answers.columns, answers.settings)
    code = {label: index for index, label in enumerate(answers.labels)}
    true = np.array([code[label] for label in answers.references])
    sums = sums_of(logs, true)
    return [Counts(sums=sums, statistic=statistic, num_units=_ones(answers), axes=axes)]


def _no_label(answers: Answers) -> Sequence[Counts]:
    return [mean(np.array([one is None for one in answers.columns["answered_label"]]))]


def _not_strictly(answers: Answers) -> Sequence[Counts]:
    return [mean(np.array([one is None for one in answers.strict]))]


def _of_labels() -> Iterable[Metric]:
    """Return what is known of labels: chosen by likelihood, generated, and label by label."""
    main: Mapping[str, tuple[str, Statistic]] = {
        "macro_f1": ("macro-F1", classification.macro_f1),
        "accuracy": ("accuracy", classification.accuracy),
        "balanced_accuracy": ("balanced accuracy", classification.balanced_accuracy),
        "weighted_f1": ("weighted F1", classification.weighted_f1),
    }
    readings: Mapping[str, tuple[str, Statistic]] = {
        "macro_f1_inventory": (
            "macro-F1 over the inventory",
            partial(classification.macro_f1, over="inventory"),
        ),
        "macro_f1_union": (
            "macro-F1 over labels that occur",
            partial(classification.macro_f1, over="union"),
        ),
    }
    said = {"": "", "_generated": ", generated", "_strict": ", generated, strict"}

    def metric(name: str, title: str, measure: Measuring, is_detail: bool) -> Metric:
        return Metric(name, title, "%", True, measure, "label", is_detail=is_detail)

    for read, words in said.items():
        for name, (title, rule) in main.items():
            measure = partial(_of_confusions, read, rule, not read)
            yield metric(name + read, title + words, measure, read == "_strict")
    for read in ("", "_generated"):
        for name, (title, rule) in readings.items():
            measure = partial(_of_confusions, read, rule, False)
            yield metric(name + read, title + said[read], measure, True)
    for read, words in (
        ("_summed", "summed"),
        ("_averaged", "averaged over tokens"),
        ("_prior_free", "without the prior"),
    ):
        measure = partial(_of_confusions, read, classification.macro_f1, False)
        yield metric(f"macro_f1{read}", f"macro-F1, scores {words}", measure, True)
    yield metric("macro_f1_strings", "macro-F1 over wordings", _wordings, True)
    for name, rule in (
        ("precision", classification.precision_by_label),
        ("recall", classification.recall_by_label),
        ("f1", classification.f1_by_label),
    ):
        yield metric(name, f"{name} of a label", partial(_by_label, rule), True)


def _all() -> Iterable[Metric]:
    compared = (OWN, "leaderboard-v2", "lenient-v1", "none")
    plain = (OWN, "none")
    yield Metric(
        "wer",
        "WER",
        "%",
        False,
        partial(_error_rate, lambda answers: answers.word_edits),
        profiles=compared,
    )
    yield Metric(
        "cer",
        "CER",
        "%",
        False,
        partial(_error_rate, lambda answers: answers.character_edits),
        profiles=compared,
    )
    yield Metric("wer_over_one_rate", "WER over 1", "%", False, _over_one, profiles=(OWN,))
    for name, title, statistic in (
        ("wer_worst_dialect", "WER, worst dialect", worst_dialect),
        ("wer_gap", "WER, gap of the worst", dialect_gap),
    ):
        measure = partial(_over_dialects, statistic)
        yield Metric(name, title, "%", False, measure, profiles=(OWN,))
    yield from _of_labels()
    for name, title, sums_of, cost, axes in (
        ("calibration_error", "calibration error", bins_of_confidence, calibration_error, True),
        ("average_cost", "Cavg", decisions, average_cost, False),
    ):
        scored = partial(_of_scores, sums_of, cost, ("dialect",) if axes else ())
        unit: Literal["%", ""] = "%" if axes else ""
        yield Metric(name, title, unit, False, scored, "label")
    yield Metric("bleu", "BLEU", "%", True, _bleu)
    for name, title in (("rouge_1", "ROUGE-1"), ("rouge_2", "ROUGE-2"), ("rouge_l", "ROUGE-L")):
        yield Metric(name, title, "%", True, partial(_rouge, name), profiles=plain)
    yield Metric("chrf", "chrF", "%", True, partial(_chrf, 0), profiles=plain)
    yield Metric("chrf_plus", "chrF++", "%", True, partial(_chrf, 2), profiles=plain)
    yield Metric("novel_1", "novel words", "%", None, partial(_novel, 1))
    yield Metric("novel_2", "novel bigrams", "%", None, partial(_novel, 2))
    yield from _failures()


def _rouge(name: str, answers: Answers) -> Sequence[Counts]:
    return [mean(answers.rouge[name])]


def _failing(rule: Callable[..., np.ndarray], answers: Answers) -> Sequence[Counts]:
    return [mean(rule(answers.references, answers.hypotheses))]


def _failures() -> Iterable[Metric]:
    def failure(
        name: str,
        title: str,
        measure: Measuring,
        answer: Literal["text", "label", "any"] = "text",
        is_detail: bool = False,
    ) -> Metric:
        return Metric(
            name, title, "%", False, measure, answer, is_failure=True, is_detail=is_detail
        )

    yield failure(
        "blank_rate", "blank", lambda one: [mean(failures.is_blank(one.hypotheses))], "any"
    )
    yield failure("loop_rate", "loops", lambda one: [mean(failures.is_loop(one.hypotheses))])
    for name, title, rule in (
        ("explosion_rate", "far too long", failures.is_explosion),
        ("preface_rate", "prefaces", failures.is_preface),
        ("refusal_rate", "refusals", failures.is_refusal),
        ("wrong_script_rate", "wrong script", failures.is_wrong_script),
    ):
        yield failure(name, title, partial(_failing, rule))
    yield failure("invalid_rate", "invalid answers", _no_label, "label")
    yield failure("invalid_strict", "invalid answers, strict", _not_strictly, "label", True)
    yield Metric("length_ratio", "length ratio", "", None, _lengths, is_failure=True)


METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _all()}


def metrics_of(task: Task) -> list[Metric]:
    """Return the metrics of a task, the main one first.

    Those that it names; for labels then all that are known of labels, and of any task the ways
    to fail.

    Raises:
        ConfigError: If it names one that there is not, or one of another kind of answer.

    Examples:
        >>> from maqam.tasks import default_tasks
        >>> [metric.title for metric in metrics_of(default_tasks()["asr"])[:2]]
        ['WER', 'CER']
    """
    kind = "label" if task.labels else "text"
    where = f"tasks.{task.name}.metrics"
    for name in task.metrics:
        if name not in METRICS:
            known = [one.name for one in METRICS.values() if one.answer in (kind, "any")]
            raise ConfigError(f"no metric {name!r}", where=where, hint=nearest(name, known))
        if METRICS[name].answer not in (kind, "any"):
            raise ConfigError(
                f"{name} is a metric of {METRICS[name].answer} answers, and these are {kind}",
                where=where,
                hint=f"name metrics of {kind} answers, docs/evaluation.md lists them",
            )
    standing = [
        metric.name
        for metric in METRICS.values()
        if metric.answer in (kind, "any") and (kind == "label" or metric.is_failure)
    ]
    return [METRICS[name] for name in dict.fromkeys((*task.metrics, *standing))]


def check_metrics(tasks: Tasks) -> None:
    """Refuse tasks that name metrics which cannot be theirs.

    Raises:
        ConfigError: If one does; the message names task and metric.
    """
    for task in tasks.values():
        metrics_of(task)
