"""Scores of answers from a closed set: chosen by likelihood, and generated as text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from scipy.special import logsumexp

from maqam.score import classification
from maqam.score.calibration import average_cost, bins_of_confidence, calibration_error, decisions
from maqam.score.groups import AXES
from maqam.score.measure import Measure, mean
from maqam.score.settings import ScoreSettings
from maqam.text.labels import parse_label

Columns = Mapping[str, Sequence[Any]]
_MAIN: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "macro_f1": classification.macro_f1,
    "accuracy": classification.accuracy,
    "balanced_accuracy": classification.balanced_accuracy,
    "weighted_f1": classification.weighted_f1,
}
_READINGS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "macro_f1_inventory": partial(classification.macro_f1, over="inventory"),
    "macro_f1_union": partial(classification.macro_f1, over="union"),
}
_BY_LABEL: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "precision": classification.precision_by_label,
    "recall": classification.recall_by_label,
    "f1": classification.f1_by_label,
}


def chosen_labels(
    columns: Columns, labels: Sequence[str], settings: ScoreSettings
) -> list[str | None]:
    """Return the label that each utterance's scores choose.

    Args:
        columns: Columns of hypotheses.parquet.
        labels: The inventory, in the order of the scores.
        settings: Whether the model's own prior is taken out.

    Examples:
        >>> columns = {"predicted_label": ["a"], "label_scores": [[-1.0, -2.0]]}
        >>> chosen_labels(columns, ["a", "b"], ScoreSettings())
        ['a']
    """
    if settings.label_prior == "kept":
        return list(columns["predicted_label"])
    return [labels[at] for at in posteriors(columns, settings).argmax(axis=1).tolist()]


def posteriors(columns: Columns, settings: ScoreSettings) -> np.ndarray:
    """Return the log-probability of each label: a softmax over the inventory's scores.

    With `label_prior: removed` the log of the model's mean probability of each label over these
    utterances is taken off first.

    Returns:
        (num_utterances, num_labels); rows of probabilities sum to 1.
    """
    scores = np.array([list(row) for row in columns["label_scores"]], dtype=np.float64)
    logs = scores - logsumexp(scores, axis=1, keepdims=True)
    if settings.label_prior == "removed":
        logs = logs - (logsumexp(logs, axis=0) - np.log(len(logs)))
        logs = logs - logsumexp(logs, axis=1, keepdims=True)
    result: np.ndarray = logs
    return result


def label_measures(
    columns: Columns, labels: Sequence[str], settings: ScoreSettings
) -> list[Measure]:
    """Return every score of one task with labels.

    Args:
        columns: Columns of hypotheses.parquet, rows of this task only.
        labels: The inventory.
        settings: How labels are chosen from their scores.
    """
    references, answers = list(columns["reference"]), list(columns["hypothesis"])
    strict = [parse_label(answer, labels, lenient=False) for answer in answers]
    chosen = _one_hot(references, chosen_labels(columns, labels, settings), labels)
    answered = _one_hot(references, list(columns["answered_label"]), labels)
    found = []
    for suffix, one_hot in (
        ("", chosen),
        ("_generated", answered),
        ("_strict", _one_hot(references, strict, labels)),
    ):
        is_detail = suffix == "_strict"
        measured = [
            _of(one_hot, name + suffix, rule, is_detail=is_detail) for name, rule in _MAIN.items()
        ]
        found += [replace(one, axes=AXES) for one in measured] if not suffix else measured
    for suffix, one_hot in (("", chosen), ("_generated", answered)):
        found += [
            _of(one_hot, name + suffix, rule, is_detail=True) for name, rule in _READINGS.items()
        ]
    found.append(_as_strings(_one_hot(references, strict, labels), strict, columns))
    for name, rule in _BY_LABEL.items():
        found += [
            _of(chosen, name, partial(_only, rule, index), label=label, is_detail=True)
            for index, label in enumerate(labels)
        ]
    found += _from_scores(columns, labels, settings)
    for name, parsed in (("invalid_rate", columns["answered_label"]), ("invalid_strict", strict)):
        is_invalid = np.array([answer is None for answer in parsed])
        rate = mean(name, is_invalid, higher_is_better=False)
        found.append(replace(rate, is_detail=name == "invalid_strict"))
    return found


def _one_hot(
    references: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]
) -> np.ndarray:
    """Return the (num_utterances, num_labels, num_labels + 1) confusion of each utterance."""
    return np.stack(
        [
            classification.confusion([true], [answer], labels)
            for true, answer in zip(references, answers, strict=True)
        ]
    )


def _of(
    sums: np.ndarray,
    name: str,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    label: str = "",
    is_detail: bool = False,
) -> Measure:
    ones = np.ones(len(sums), dtype=np.int64)
    return Measure(name, sums, statistic, ones, True, label=label, is_detail=is_detail)


def _only(rule: Callable[[np.ndarray], np.ndarray], index: int, counts: np.ndarray) -> np.ndarray:
    """Return a value by label of one label alone."""
    return rule(counts)[..., index]


def _as_strings(one_hot: np.ndarray, parsed: Sequence[str | None], columns: Columns) -> Measure:
    """Return macro-F1 with every wording that is no label as a class of its own.

    A wording counts at the utterance of the lowest id that has it, so that the numbers add up.
    """
    met: set[str] = set()
    is_new = np.zeros(len(parsed))
    for index in sorted(range(len(parsed)), key=lambda at: str(columns["id"][at])):
        wording = columns["hypothesis"][index].strip()
        if parsed[index] is None and wording not in met:
            met.add(wording)
            is_new[index] = 1
    size = one_hot.shape[1]
    sums = np.concatenate([one_hot.reshape(len(one_hot), -1), is_new[:, None]], axis=1)

    def statistic(flat: np.ndarray) -> np.ndarray:
        counts = flat[..., :-1].reshape(*flat.shape[:-1], size, size + 1)
        num_labels = classification.is_in_union(counts).sum(axis=-1)
        total = classification.f1_by_label(counts).sum(axis=-1)
        result: np.ndarray = total / np.maximum(num_labels + flat[..., -1], 1)
        return result

    ones = np.ones(len(parsed), dtype=np.int64)
    return Measure("macro_f1_strings", sums, statistic, ones, True, axes=(), is_detail=True)


def _from_scores(columns: Columns, labels: Sequence[str], settings: ScoreSettings) -> list[Measure]:
    """Return what the scores themselves are worth: their calibration, and their average cost."""
    logs = posteriors(columns, settings)
    code = {label: index for index, label in enumerate(labels)}
    true = np.array([code[label] for label in columns["reference"]])
    ones = np.ones(len(true), dtype=np.int64)
    return [
        Measure(name, sums, statistic, ones, higher_is_better=False, axes=axes)
        for name, sums, statistic, axes in (
            ("calibration_error", bins_of_confidence(logs, true), calibration_error, ("dialect",)),
            ("average_cost", decisions(logs, true), average_cost, ()),
        )
    ]
