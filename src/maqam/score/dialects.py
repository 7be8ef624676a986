"""Error rates of the dialects side by side: the worst one, and its gap to their mean."""

from collections.abc import Sequence

import numpy as np


def sums_by_dialect(pairs: np.ndarray, dialects: Sequence[str | None]) -> np.ndarray:
    """Put the errors and units of each utterance into the place of its dialect.

    Args:
        pairs: (num_utterances, 2) errors and reference units.
        dialects: Dialect of each utterance; one without a dialect counts nowhere.

    Returns:
        (num_utterances, num_dialects, 2), dialects in alphabetical order.

    Examples:
        >>> sums_by_dialect(np.array([[1, 4], [2, 3]]), ["gulf", "msa"]).tolist()
        [[[1, 4], [0, 0]], [[0, 0], [2, 3]]]
    """
    names = sorted({name for name in dialects if name})
    is_of = np.array([[one == name for name in names] for one in dialects], dtype=np.int64)
    result: np.ndarray = is_of.reshape(len(dialects), len(names), 1) * pairs[:, None, :]
    return result


def worst_dialect(sums: np.ndarray) -> np.ndarray:
    """Return the highest error rate of a dialect.

    Args:
        sums: (..., num_dialects, 2) summed errors and units; a dialect without units has no rate.

    Returns:
        (...) the highest rate; NaN where no dialect has one.

    Examples:
        >>> float(worst_dialect(np.array([[1, 4], [2, 4], [1, 0]])))
        0.5
    """
    rates, has_rate = _rates(sums)
    worst = np.where(has_rate, rates, -np.inf).max(axis=-1)
    result: np.ndarray = np.where(has_rate.any(axis=-1), worst, np.nan)
    return result


def dialect_gap(sums: np.ndarray) -> np.ndarray:
    """Return how far the worst dialect's error rate lies above the mean over dialects.

    Args:
        sums: (..., num_dialects, 2) summed errors and units; a dialect without units has no rate.

    Returns:
        (...) the difference of rates; NaN where no dialect has one.

    Examples:
        >>> float(dialect_gap(np.array([[1, 4], [3, 4]])))
        0.25
    """
    rates, has_rate = _rates(sums)
    with np.errstate(invalid="ignore"):
        mean = np.where(has_rate, rates, 0.0).sum(axis=-1) / has_rate.sum(axis=-1)
    result: np.ndarray = worst_dialect(sums) - mean
    return result


def _rates(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    has_rate = sums[..., 1] > 0
    return sums[..., 0] / np.maximum(sums[..., 1], 1), has_rate
