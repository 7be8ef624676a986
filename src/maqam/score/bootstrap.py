"""Intervals by resampling: blocks of utterances that hang together, and seeds above them.

Statistics are sums over blocks (errors and words, confusion counts, scores and counts), so a
resample is one row of a matrix of counts times the block sums.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
_MOST_COUNTS = 2**20  # 8 MB of float64, which a cache nearly holds

Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval, empty where there are too few blocks to resample.

    Attributes:
        low: Lower end.
        high: Upper end.
    """

    low: float | None
    high: float | None


def block_sums(values: np.ndarray, blocks: Sequence[str]) -> np.ndarray:
    """Add up the statistics of each block.

    Args:
        values: (num_utterances, ...) statistics that add up.
        blocks: Block of each utterance, such as its speaker.

    Returns:
        (num_blocks, ...) sums, blocks in alphabetical order.

    Examples:
        >>> block_sums(np.array([[1, 2], [3, 4], [5, 6]]), ["a", "b", "a"])
        array([[6., 8.],
               [3., 4.]])
    """
    names, codes = np.unique(np.asarray(blocks, dtype=str), return_inverse=True)
    sums = np.zeros((len(names), *values.shape[1:]))
    np.add.at(sums, codes.reshape(-1), values)
    return sums


def interval(
    sums: np.ndarray, statistic: Statistic, *, num_resamples: int, rng: np.random.Generator
) -> Interval:
    """Return the percentile interval of a statistic over resampled blocks.

    Args:
        sums: (num_blocks, ...) block sums.
        statistic: From summed statistics [..., num_sums] to values [...].
        num_resamples: Resamples drawn.
        rng: Source of randomness.
    """
    return mean_interval([sums], statistic, num_resamples=num_resamples, rng=rng)


def mean_interval(
    parts_sums: Sequence[np.ndarray],
    statistic: Statistic,
    *,
    num_resamples: int,
    rng: np.random.Generator,
) -> Interval:
    """Return the interval of the mean of a statistic over parts, each resampled on its own.

    Args:
        parts_sums: (num_blocks, ...) block sums of each part, such as a test set.
        statistic: From summed statistics [..., num_sums] to values [...].
        num_resamples: Resamples drawn.
        rng: Source of randomness.
    """
    if min(map(len, parts_sums)) < 2:
        return Interval(None, None)
    values = [statistic(resampled(sums, num_resamples, rng)) for sums in parts_sums]
    return percentiles(np.mean(values, axis=0))


def resampled(sums: np.ndarray, num_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return the (num_resamples, ...) totals of resampled blocks.

    Counts are drawn some resamples at a time, so that memory does not grow with both numbers.
    """
    num_blocks, flat = len(sums), sums.reshape(len(sums), -1)
    totals = np.empty((num_resamples, flat.shape[1]))
    for part in parts(num_resamples, num_blocks):
        totals[part] = _counts(part.stop - part.start, num_blocks, rng) @ flat
    return totals.reshape(num_resamples, *sums.shape[1:])


def _counts(num_resamples: int, num_blocks: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how often each resample holds each block.

    Draws that are counted take a sixth of the time of `Generator.multinomial`.
    """
    drawn = rng.integers(num_blocks, size=(num_resamples, num_blocks))
    drawn += num_blocks * np.arange(num_resamples)[:, None]
    counts = np.bincount(drawn.reshape(-1), minlength=num_resamples * num_blocks)
    return counts.reshape(num_resamples, num_blocks).astype(np.float64)


def parts(num_resamples: int, num_blocks: int) -> list[slice]:
    """Cut resamples into stretches whose counts of blocks fit in memory.

    Examples:
        >>> parts(10, 2**18)
        [slice(0, 4, None), slice(4, 8, None), slice(8, 10, None)]
    """
    size = max(1, _MOST_COUNTS // max(num_blocks, 1))
    firsts = range(0, num_resamples, size)
    return [slice(first, min(first + size, num_resamples)) for first in firsts]


def two_level(
    first: np.ndarray | None,
    second: np.ndarray,
    statistic: Statistic,
    *,
    num_resamples: int,
    rng: np.random.Generator,
) -> Interval:
    """Return the interval of a method's mean over seeds, or of its difference over paired seeds.

    Seeds are resampled, then within each the blocks, the same for both methods. An interval over
    utterances alone is far too narrow between trainings: it ignores the spread of seeds.

    Args:
        first: (num_seeds, num_blocks, ...) block sums of the method that is subtracted, on the
            same seeds and blocks; None for the mean of `second` alone.
        second: The same of the method in question.
        statistic: From summed statistics [..., num_sums] to values [...].
        num_resamples: Resamples drawn.
        rng: Source of randomness.
    """
    num_seeds, num_blocks = second.shape[:2]
    if num_seeds < 2 or num_blocks < 2:
        return Interval(None, None)
    sums = np.zeros(num_resamples)
    chosen = rng.integers(num_seeds, size=(num_resamples, num_seeds))
    for part in parts(num_resamples, num_blocks):
        for slot in range(num_seeds):
            counts = _counts(part.stop - part.start, num_blocks, rng)
            for seed in range(num_seeds):
                drawn = np.flatnonzero(chosen[part, slot] == seed)
                if not len(drawn):
                    continue
                kept, places = counts[drawn], part.start + drawn
                sums[places] += statistic(_totals(kept, second[seed]))
                if first is not None:
                    sums[places] -= statistic(_totals(kept, first[seed]))
    return percentiles(sums / num_seeds)


def _totals(counts: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Sum (num_blocks, ...) block sums by how often each resample holds each block."""
    totals = counts @ sums.reshape(len(sums), -1)
    return totals.reshape(len(counts), *sums.shape[1:])


def percentiles(values: np.ndarray) -> Interval:
    """Return the central 95 % of resampled values, undefined ones left out.

    Examples:
        >>> percentiles(np.array([2.0, np.nan]))
        Interval(low=2.0, high=2.0)
    """
    kept = values[np.isfinite(values)]
    if not len(kept):
        return Interval(None, None)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(kept, [tail, 1 - tail])
    return Interval(float(low), float(high))
