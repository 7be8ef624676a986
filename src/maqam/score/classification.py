"""Accuracy and F1 of closed-set answers, from a confusion matrix with a column for no answer."""

from collections.abc import Sequence

import numpy as np


def confusion(
    references: Sequence[str], predictions: Sequence[str | None], labels: Sequence[str]
) -> np.ndarray:
    """Count answers by true label.

    Args:
        references: True label of each utterance, one of `labels`.
        predictions: Answered label, None where the answer was no label.
        labels: The inventory.

    Returns:
        (num_labels, num_labels + 1) counts [true, answered]; the last column is no valid answer.

    Examples:
        >>> confusion(["a", "b", "b"], ["a", "a", None], ["a", "b"])
        array([[1, 0, 0],
               [1, 0, 1]])
    """
    code = {label: index for index, label in enumerate(labels)}
    size = len(labels)
    true = np.array([code[label] for label in references], dtype=np.int64)
    answered = np.array([code.get(label or "", size) for label in predictions], dtype=np.int64)
    counts = np.bincount(true * (size + 1) + answered, minlength=size * (size + 1))
    return counts.reshape(size, size + 1)


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the share of right answers of confusion matrices [..., C, C + 1]."""
    right = np.trace(counts[..., :-1], axis1=-2, axis2=-1)
    total = counts.sum(axis=(-2, -1))
    return _ratio(right, total)


def f1_by_label(counts: np.ndarray) -> np.ndarray:
    """Return the F1 of each label of confusion matrices [..., C, C + 1], 0 where undefined."""
    right = np.diagonal(counts[..., :-1], axis1=-2, axis2=-1)
    true = counts.sum(axis=-1)
    answered = counts[..., :-1].sum(axis=-2)
    return np.nan_to_num(_ratio(2.0 * right, true + answered))


def precision_by_label(counts: np.ndarray) -> np.ndarray:
    """Return each label's precision in confusion matrices [..., C, C + 1], 0 where undefined."""
    right = np.diagonal(counts[..., :-1], axis1=-2, axis2=-1)
    return np.nan_to_num(_ratio(right, counts[..., :-1].sum(axis=-2)))


def recall_by_label(counts: np.ndarray) -> np.ndarray:
    """Return the recall of each label of confusion matrices [..., C, C + 1], 0 where undefined."""
    right = np.diagonal(counts[..., :-1], axis1=-2, axis2=-1)
    return np.nan_to_num(_ratio(right, counts.sum(axis=-1)))


def is_in_union(counts: np.ndarray) -> np.ndarray:
    """Tell which labels [..., C] of confusion matrices occur as references or answers."""
    result: np.ndarray = counts.sum(axis=-1) + counts[..., :-1].sum(axis=-2) > 0
    return result


def macro_f1(counts: np.ndarray, *, over: str = "present") -> np.ndarray:
    """Return the mean F1 over labels of confusion matrices [..., C, C + 1].

    Args:
        counts: Confusion matrices.
        over: "present" averages over labels that occur as references, "union" over those that
            occur as references or answers, "inventory" over all.

    Examples:
        >>> macro_f1(np.array([[2, 0, 0], [1, 1, 0], [0, 0, 0]])[:, [0, 1, 2, 2]]).round(3)
        np.float64(0.733)
    """
    f1 = f1_by_label(counts)
    if over == "inventory":
        mean: np.ndarray = f1.mean(axis=-1)
        return mean
    is_meant = is_in_union(counts) if over == "union" else counts.sum(axis=-1) > 0
    return _ratio((f1 * is_meant).sum(axis=-1), is_meant.sum(axis=-1))


def weighted_f1(counts: np.ndarray) -> np.ndarray:
    """Return the mean F1 weighted by how often each label is true."""
    true = counts.sum(axis=-1)
    return _ratio((f1_by_label(counts) * true).sum(axis=-1), true.sum(axis=-1))


def balanced_accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the mean recall over labels that occur as references."""
    is_present = counts.sum(axis=-1) > 0
    return _ratio(recall_by_label(counts).sum(axis=-1), is_present.sum(axis=-1))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        result: np.ndarray = np.true_divide(above, below)
    return result
