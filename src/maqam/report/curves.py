"""Columns of steps in bins that a picture can show."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

_REDUCE: Mapping[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean,
    "median": np.median,
    "low": np.min,
    "high": np.max,
}


def edges(num_steps: int, *, most: int, cuts: Sequence[int] = ()) -> np.ndarray:
    """Cut steps into bins of nearly equal size, with extra cuts where a rule changes.

    Args:
        num_steps: Steps to cut, at least 1.
        most: Largest number of bins before the extra cuts.
        cuts: Steps at which a bin must begin.

    Returns:
        (num_bins + 1,) int64 ascending, from 0 to `num_steps`.

    Examples:
        >>> edges(10, most=3, cuts=[5])
        array([ 0,  3,  5,  7, 10])
    """
    even = np.linspace(0, num_steps, min(most, num_steps) + 1).round().astype(np.int64)
    inside = [cut for cut in cuts if 0 < cut < num_steps]
    return np.unique(np.concatenate([even, np.array(inside, dtype=np.int64)]))


def binned_shares(counts: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return the share of each group in each bin of steps.

    Args:
        counts: (num_steps, num_groups) utterances.
        bins: (num_bins + 1,) edges over the steps.

    Returns:
        (num_bins, num_groups) shares; a row sums to 1, or to 0 where the bin holds nothing.

    Examples:
        >>> binned_shares(np.array([[1, 3], [3, 1]]), np.array([0, 2]))
        array([[0.5, 0.5]])
    """
    sums = np.add.reduceat(np.asarray(counts, dtype=np.float64), bins[:-1], axis=0)
    totals = sums.sum(axis=1, keepdims=True)
    shares: np.ndarray = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    return shares


def binned(values: np.ndarray, positions: np.ndarray, bins: np.ndarray, kind: str) -> np.ndarray:
    """Return one statistic of the finite values in each bin of steps.

    Args:
        values: (n,) numbers; those that are not finite are left out.
        positions: (n,) the step of each, from 0.
        bins: (num_bins + 1,) edges over the steps.
        kind: "mean", "median", "low" (smallest) or "high" (largest).

    Returns:
        (num_bins,) float64, NaN where a bin has no value.

    Examples:
        >>> binned(np.array([1.0, 3.0]), np.array([0, 1]), np.array([0, 2, 4]), "mean")
        array([ 2., nan])
    """
    reduce = _REDUCE[kind]
    kept = np.isfinite(values)
    values, where = values[kept], np.searchsorted(bins, positions[kept], side="right") - 1
    found = np.full(len(bins) - 1, np.nan)
    for one in np.unique(where):
        if 0 <= one < len(found):
            found[one] = reduce(values[where == one])
    return found
