"""Labels of answers from a closed set: chosen by likelihood, or generated as text."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maqam import extras
from maqam.score import classification
from maqam.score.bootstrap import Statistic
from maqam.score.settings import ScoreSettings

Columns = Mapping[str, Sequence[Any]]


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
    logsumexp = extras.load("scipy.special").logsumexp
    logs = scores - logsumexp(scores, axis=1, keepdims=True)
    if settings.label_prior == "removed":
        logs = logs - (logsumexp(logs, axis=0) - np.log(len(logs)))
        logs = logs - logsumexp(logs, axis=1, keepdims=True)
    result: np.ndarray = logs
    return result


def one_hot(
    references: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]
) -> np.ndarray:
    """Return the (num_utterances, num_labels, num_labels + 1) confusion of each utterance."""
    return np.stack(
        [
            classification.confusion([true], [answer], labels)
            for true, answer in zip(references, answers, strict=True)
        ]
    )


def with_wordings(
    confusions: np.ndarray, parsed: Sequence[str | None], columns: Columns
) -> tuple[np.ndarray, Statistic]:
    """Return statistics of macro-F1 with every wording that is no label as a class of its own.

    A wording counts at the utterance of the lowest id that has it, so that the numbers add up.
    """
    met: set[str] = set()
    is_new = np.zeros(len(parsed))
    for index in sorted(range(len(parsed)), key=lambda at: str(columns["id"][at])):
        wording = columns["hypothesis"][index].strip()
        if parsed[index] is None and wording not in met:
            met.add(wording)
            is_new[index] = 1
    size = confusions.shape[1]
    sums = np.concatenate([confusions.reshape(len(confusions), -1), is_new[:, None]], axis=1)

    def statistic(flat: np.ndarray) -> np.ndarray:
        counts = flat[..., :-1].reshape(*flat.shape[:-1], size, size + 1)
        num_labels = classification.is_in_union(counts).sum(axis=-1)
        total = classification.f1_by_label(counts).sum(axis=-1)
        result: np.ndarray = total / np.maximum(num_labels + flat[..., -1], 1)
        return result

    return sums, statistic
