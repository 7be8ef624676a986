"""Two checkpoints on the same test items: paired bootstrap and approximate randomisation.

Blocks are what is drawn and what is swapped, so that utterances of one speaker stay together. All
of it holds for these two checkpoints only: another training of either method is another pair.
"""

from collections.abc import Sequence

import numpy as np

from maqam.score.bootstrap import Statistic, parts, resampled


def bootstrap_differences(
    first: np.ndarray,
    second: np.ndarray,
    statistic: Statistic,
    *,
    num_resamples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the difference, second minus first, in every resample of their common blocks.

    Args:
        first: (num_blocks, ...) block sums of one checkpoint.
        second: The same of the other, on the same blocks.
        statistic: From summed statistics [..., *] to values [...].
        num_resamples: Resamples drawn.
        rng: Source of randomness.

    Returns:
        (num_resamples,) differences, NaN where a resample has no score.

    Examples:
        >>> sums = np.array([[1.0, 4.0], [3.0, 4.0]])
        >>> rng = np.random.default_rng(0)
        >>> bootstrap_differences(sums, sums, lambda s: s[..., 0], num_resamples=3, rng=rng)
        array([0., 0., 0.])
    """
    totals = resampled(np.stack([first, second], axis=1), num_resamples, rng)
    values = statistic(totals)
    differences: np.ndarray = values[:, 1] - values[:, 0]
    return differences


def swapped_differences(
    first: np.ndarray,
    second: np.ndarray,
    statistic: Statistic,
    *,
    num_resamples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the difference, second minus first, after blocks were swapped by tosses of a coin.

    These are the differences of checkpoints that are alike. Equal generators toss equal coins for
    equal numbers of blocks, whatever the statistics.

    Args:
        first: (num_blocks, ...) block sums of one checkpoint.
        second: The same of the other, on the same blocks.
        statistic: From summed statistics [..., *] to values [...].
        num_resamples: Times that all coins are tossed.
        rng: Source of randomness.

    Returns:
        (num_resamples,) differences, NaN where there is no score.
    """
    num_blocks = len(first)
    gaps = (second - first).reshape(num_blocks, -1)
    moved = np.empty((num_resamples, gaps.shape[1]))
    for part in parts(num_resamples, num_blocks):
        coins = rng.integers(0, 2, size=(part.stop - part.start, num_blocks), dtype=np.int8)
        moved[part] = coins.astype(np.float64) @ gaps
    shifts = moved.reshape(num_resamples, *first.shape[1:])
    differences: np.ndarray = statistic(second.sum(axis=0) - shifts) - statistic(
        first.sum(axis=0) + shifts
    )
    return differences


def bootstrap_p_value(difference: float, resamples: np.ndarray) -> float:
    """Return the two-sided p-value of no difference from resampled differences.

    The resamples are moved to a mean difference of 0; both signs count.

    Examples:
        >>> bootstrap_p_value(2.0, np.array([0.0, 1.5, 2.0, 2.5]))
        0.4
    """
    return swap_p_value(difference, resamples - difference)


def swap_p_value(difference: float, nulls: np.ndarray) -> float:
    """Return the two-sided p-value of a difference from those of checkpoints that are alike.

    It is (1 + as large ones) / (1 + all), hence never 0.

    Examples:
        >>> swap_p_value(2.0, np.array([-2.0, 1.0, 0.5]))
        0.5
    """
    kept = nulls[np.isfinite(nulls)]
    slack = 1e-12 * max(1.0, abs(difference))  # sums in another order are not other numbers
    extreme = int((np.abs(kept) >= abs(difference) - slack).sum())
    return (1 + extreme) / (1 + len(kept))


def max_t(differences: Sequence[float], nulls: np.ndarray) -> list[float]:
    """Correct p-values for their number by the step-down max-|t| of Westfall and Young (1993).

    Each difference is put over its spread under no difference and held against the largest of all
    that are not clearer. Unlike Holm's rule it knows how the differences hang together: ten
    versions of one score cost hardly more than one.

    Args:
        differences: One of each pair and score.
        nulls: (num_resamples, num_differences) the same under no difference, drawn together.

    Examples:
        >>> tosses = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
        >>> max_t([3.0, 0.5], tosses)
        [0.25, 1.0]
    """
    known = np.nan_to_num(nulls)
    spreads = known.std(axis=0)
    scale = np.where(spreads > 0, spreads, np.inf)
    clear, tossed = np.abs(np.asarray(differences)) / scale, np.abs(known) / scale
    order = np.argsort(-clear, kind="stable")
    corrected, worst = np.ones(len(order)), 0.0
    for rank, index in enumerate(order):
        if spreads[index] > 0:
            largest = tossed[:, order[rank:]].max(axis=1)
            extreme = int((largest >= clear[index] * (1 - 1e-12)).sum())
            worst = max(worst, (1 + extreme) / (1 + len(known)))
            corrected[index] = worst
    return [float(value) for value in corrected]
