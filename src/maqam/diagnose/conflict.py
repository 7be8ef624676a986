"""From inner products of single utterances' gradients to conflict between groups of them.

The mean gradient of a group is a sum of signal and noise: products of an utterance with itself
hold the noise, so they are left out of every sum (a U-statistic). A cosine near 0 between noisy
groups is then not read as independence, nor noise in a shared mean as agreement.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maqam.seeding import generator

CONFLICT, AGREEMENT, UNTOLD = "conflict", "agreement", "not told from noise"


@dataclass(frozen=True, slots=True)
class Conflict:
    """How the gradients of groups lie to each other.

    Attributes:
        names: Names of the groups.
        counts: (num_groups,) utterances of each.
        norms: (num_groups,) length of the mean gradient without its noise; NaN where noise is
            all there is.
        noise: (num_groups,) trace of the covariance of an utterance's gradient.
        cosines: (num_groups, num_groups) without noise; NaN where a norm is NaN.
        lows: Lower ends of their 95 % intervals, over utterances.
        highs: Upper ends.
        plain: Cosines of the means as they are, noise and all.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    norms: np.ndarray
    noise: np.ndarray
    cosines: np.ndarray
    lows: np.ndarray
    highs: np.ndarray
    plain: np.ndarray

    def as_table(self) -> dict[str, Any]:
        """Return the plain values, None where there is no number."""
        numbers = ("norms", "noise", "cosines", "lows", "highs", "plain")
        return {"names": [*self.names], "counts": self.counts.tolist()} | {
            name: _plain(getattr(self, name)) for name in numbers
        }


def conflict_of(
    gram: np.ndarray,
    groups: Mapping[str, np.ndarray],
    *,
    num_resamples: int = 200,
    seed: int = 0,
) -> Conflict:
    """Measure the conflict between groups of utterances.

    Args:
        gram: (num_rows, num_rows) inner products of the gradients of single utterances.
        groups: (num_rows,) booleans by name, two rows each at least.
        num_resamples: Resamples of the intervals, 0 for none.
        seed: Seed of the resamples.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> signal = np.repeat([[1.0, 0.0], [-1.0, 1.0]], 50, axis=0)
        >>> gradients = signal + rng.normal(size=(100, 2))
        >>> first = np.arange(100) < 50
        >>> found = conflict_of(gradients @ gradients.T, {"a": first, "b": ~first})
        >>> bool(found.cosines[0, 1] < -0.5), verdict_of(found.lows[0, 1], found.highs[0, 1])
        (True, 'conflict')
    """
    members = np.array([*groups.values()], dtype=np.float64)
    norms, cosines = _corrected(gram, members[None])
    lows = highs = np.full(cosines[0].shape, np.nan)
    if num_resamples:
        drawn = _resampled(members, num_resamples, seed)
        _, resampled = _corrected(gram, drawn)
        lows, highs = _ends(resampled)
    sizes = members.sum(axis=1)
    means = members @ gram @ members.T / np.outer(sizes, sizes)
    lengths = np.sqrt(np.maximum(np.diagonal(means), np.finfo(float).tiny))
    squares = members @ np.diagonal(gram) / sizes
    return Conflict(
        names=tuple(groups),
        counts=sizes.astype(np.int64),
        norms=np.sqrt(norms[0]),
        noise=np.maximum(squares - np.nan_to_num(norms[0]), 0.0),
        cosines=cosines[0],
        lows=lows,
        highs=highs,
        plain=means / np.outer(lengths, lengths),
    )


def verdict_of(low: float | None, high: float | None) -> str:
    """Say what an interval of a cosine shows.

    Examples:
        >>> verdict_of(-0.5, -0.1), verdict_of(-0.1, 0.2), verdict_of(None, None)
        ('conflict', 'not told from noise', 'not told from noise')
    """
    if low is None or high is None or not np.isfinite([low, high]).all():
        return UNTOLD
    return CONFLICT if high < 0 else AGREEMENT if low > 0 else UNTOLD


def _corrected(gram: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return squared norms [R, G] and cosines [R, G, G] of groups; NaN where noise is all.

    Products of a row with itself are left out.

    Args:
        gram: [N, N].
        weights: [R, G, N] how often each row counts in each group.
    """
    own = np.diagonal(gram)
    sums = weights @ gram @ weights.swapaxes(1, 2)
    same = weights * own @ weights.swapaxes(1, 2)
    sizes = weights.sum(axis=2)
    pairs = sizes[:, :, None] * sizes[:, None, :] - weights @ weights.swapaxes(1, 2)
    products = np.divide(sums - same, pairs, out=np.full_like(sums, np.nan), where=pairs > 0)
    squares = np.diagonal(products, axis1=1, axis2=2)
    squares = np.where(squares > 0, squares, np.nan)
    lengths = np.sqrt(squares)
    cosines = products / (lengths[:, :, None] * lengths[:, None, :])
    return squares, np.clip(cosines, -1.0, 1.0)


def _resampled(members: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw the rows of every group anew: [R, G, N], a row that groups share as often in each."""
    rng = generator(seed, "conflict")
    num_rows = members.shape[1]
    kinds = np.unique(members, axis=1, return_inverse=True)[1].reshape(-1)
    drawn = np.zeros((count, num_rows))
    for kind in np.unique(kinds):  # rows of the same groups stand for each other
        at = np.flatnonzero(kinds == kind)
        drawn[:, at] = rng.multinomial(len(at), np.full(len(at), 1 / len(at)), size=count)
    return drawn[:, None, :] * members[None]


def _ends(resampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % interval; NaN where more than one resample in twenty has no number."""
    is_told = np.isnan(resampled).mean(axis=0) <= 1 / 20
    filled = np.where(is_told[None], resampled, 0.0)
    lows, highs = np.nanquantile(filled, [0.025, 0.975], axis=0)
    return np.where(is_told, lows, np.nan), np.where(is_told, highs, np.nan)


def _plain(values: np.ndarray) -> list[Any]:
    return [
        _plain(one) if np.ndim(one) else None if np.isnan(one) else round(float(one), 6)
        for one in values
    ]
