"""What the scores of labels are worth: expected calibration error and average cost."""

import numpy as np

from maqam import extras

NUM_BINS = 15


def bins_of_confidence(log_probabilities: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Put each utterance's confidence and whether it is right into its bin.

    Args:
        log_probabilities: (num_utterances, num_labels) rows of probabilities that sum to 1.
        true: (num_utterances,) index of the true label.

    Returns:
        (num_utterances, NUM_BINS, 3) count, confidence and rightness, in one bin each.
    """
    confidence = np.exp(log_probabilities.max(axis=1))
    is_right = log_probabilities.argmax(axis=1) == true
    place = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    sums = np.zeros((len(true), NUM_BINS, 3))
    sums[np.arange(len(true)), place] = np.stack([np.ones(len(true)), confidence, is_right], axis=1)
    return sums


def calibration_error(sums: np.ndarray) -> np.ndarray:
    """Return the expected calibration error (Guo et al., *ICML*, 2017), bins of equal width.

    Args:
        sums: (..., NUM_BINS, 3) summed counts, confidences and rightness.

    Returns:
        (...) mean distance of confidence and accuracy over bins, weighted by their counts.

    Examples:
        >>> logs = np.log(np.array([[0.8, 0.2], [0.8, 0.2]]))
        >>> sums = bins_of_confidence(logs, np.array([0, 1])).sum(axis=0)
        >>> round(float(calibration_error(sums)), 3)
        0.3
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        result: np.ndarray = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1) / sums[..., 0].sum(
            axis=-1
        )
    return result


def decisions(log_probabilities: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Tell which labels each utterance is accepted for: log-likelihood ratio above 0.

    The ratio of a label is its probability over the mean probability of the others.

    Args:
        log_probabilities: (num_utterances, num_labels).
        true: (num_utterances,) index of the true label.

    Returns:
        (num_utterances, num_labels, num_labels + 1): in the row of the true label, 1 for each
        label that is accepted, and 1 in the last column.
    """
    logsumexp = extras.load("scipy.special").logsumexp
    size = log_probabilities.shape[1]
    others = np.stack(
        [logsumexp(np.delete(log_probabilities, one, axis=1), axis=1) for one in range(size)],
        axis=1,
    ) - np.log(size - 1)
    sums = np.zeros((len(true), size, size + 1))
    rows = np.arange(len(true))
    sums[rows, true, :size] = log_probabilities > others
    sums[rows, true, size] = 1
    return sums


def average_cost(sums: np.ndarray) -> np.ndarray:
    """Return Cavg as the ADI-17 challenge computes it: misses and false alarms over pairs.

    A pair is a label that utterances may be accepted for, and another that is their true one:
    it costs the misses of the first and the false alarms of the second's utterances. Pairs with
    a label that is never true are left out. From 0 to 2; accepting all or nothing gives 1.

    Args:
        sums: (..., num_labels, num_labels + 1) summed `decisions`.

    Returns:
        (...) mean cost over pairs; NaN where fewer than two labels are true.

    Examples:
        >>> float(average_cost(np.array([[2, 1, 2], [0, 2, 2]])))
        0.25
    """
    size = sums.shape[-2]
    count = sums[..., size]
    is_true = count > 0
    accepted = sums[..., :size] / np.maximum(count, 1)[..., None]  # [..., true, accepted]
    miss = 1 - np.diagonal(accepted, axis1=-2, axis2=-1)
    pair_cost = miss[..., None, :] + accepted  # [..., q, p]
    is_pair = is_true[..., :, None] & is_true[..., None, :] & ~np.eye(size, dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: np.ndarray = (pair_cost * is_pair).sum(axis=(-2, -1)) / is_pair.sum(axis=(-2, -1))
    return result
