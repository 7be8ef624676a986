"""Labels of answers from a closed set: chosen by likelihood, or generated as text."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
        settings: Whether scores are averaged over tokens, and the model's own prior taken out.

    Examples:
        >>> columns = {"predicted_label": ["a"], "label_scores": [[-1.0, -2.0]]}
        >>> chosen_labels(columns, ["a", "b"], ScoreSettings())
        ['a']
    """
    if settings.label_prior == "kept" and not has_tokens(columns):
        return list(columns["predicted_label"])  # of scores as they stand, or of an answer alone
    return [labels[at] for at in posteriors(columns, settings).argmax(axis=1).tolist()]


def readings(
    columns: Columns, labels: Sequence[str], settings: ScoreSettings
) -> dict[str, list[str | None]]:
    """Return the labels that each way to read the scores chooses, whatever the settings say.

    "summed" takes the likelihood of the whole label, "averaged" that of its mean token,
    "prior_free" the sum without the model's own preference for a label; empty where there are no
    scores, or where it is not known how many tokens a label has.
    """
    if not has_tokens(columns):
        return {}
    summed = replace(settings, length_normalized=False, label_prior="kept")
    ways = {
        "summed": summed,
        "averaged": replace(summed, length_normalized=True),
        "prior_free": replace(summed, label_prior="removed"),
    }
    return {name: chosen_labels(columns, labels, way) for name, way in ways.items()}


def has_tokens(columns: Columns) -> bool:
    """Return whether sums and averages of label scores can be told apart.

    Answers of other systems come without the tokens of labels.
    """
    return "label_tokens" in columns and all(columns["label_tokens"])


def posteriors(columns: Columns, settings: ScoreSettings) -> np.ndarray:
    """Return the log-probability of each label: a softmax over the inventory's scores.

    The scores are sums over a label's tokens; with `length_normalized` their averages. With
    `label_prior: removed` the log of the model's mean probability of each label over these
    utterances is taken off first.

    Returns:
        (num_utterances, num_labels); rows of probabilities sum to 1.
    """
    scores = np.array([list(row) for row in columns["label_scores"]], dtype=np.float64)
    if settings.length_normalized and has_tokens(columns):
        scores = scores / np.array([list(row) for row in columns["label_tokens"]])
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
