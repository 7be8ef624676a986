"""How many seeds show which difference, from the spread of pilot runs.

A comparison of methods is a paired t-test over seeds, so what it can show follows from the spread
of the difference between two methods from seed to seed (Cohen, 1988, chapter 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from maqam import extras
from maqam.score.comparison.methods import SIGNIFICANCE

POWER = 0.8  # share of studies that would show a difference which is there
_GRID = 4000  # quantiles of the spread seen that power is averaged over: scipy's nct overflows
CONFIDENCE = 0.8  # that the spread is not larger than `high` says


@dataclass(frozen=True, slots=True)
class Spread:
    """Spread of the difference between two methods over seeds.

    Attributes:
        value: Standard deviation, in units of the score.
        high: What it lies below with the probability of `CONFIDENCE`.
        freedom: Degrees of freedom behind it.
        is_paired: Whether differences of paired runs were seen; else those of seeds alone, which
            are larger where pairs share what a seed decides.
    """

    value: float
    high: float
    freedom: int
    is_paired: bool


def spread_of(scores: Mapping[str, Mapping[int, float]]) -> Spread | None:
    """Return the spread of the difference between two methods.

    Of several methods and seeds it is what a method and a seed leave unexplained in their score;
    of one method over seeds, the spread of two independent runs.

    Args:
        scores: Score by method, by seed; seeds that a method lacks are left out for all.

    Returns:
        None where there are fewer than two seeds of one method.

    Examples:
        >>> spread_of({"uniform": {0: 10.0, 1: 12.0}, "ads": {0: 13.0, 1: 17.0}}).freedom
        1
        >>> spread_of({"uniform": {0: 10.0}}) is None
        True
    """
    shared = sorted(set.intersection(*(set(by_seed) for by_seed in scores.values())))
    if len(scores) > 1 and len(shared) > 1:
        table = np.array([[by_seed[seed] for seed in shared] for by_seed in scores.values()])
        rest = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
        return _spread(float((rest**2).sum()), (table.shape[0] - 1) * (table.shape[1] - 1), True)
    several = [np.array(list(by_seed.values())) for by_seed in scores.values() if len(by_seed) > 1]
    if not several:
        return None
    squares = sum(float(((one - one.mean()) ** 2).sum()) for one in several)
    return _spread(squares, sum(len(one) - 1 for one in several), False)


def _spread(squares: float, freedom: int, is_paired: bool) -> Spread:
    stats = extras.load("scipy.stats")
    high = 2 * squares / stats.chi2.isf(CONFIDENCE, freedom)
    value = float(np.sqrt(2 * squares / freedom))
    return Spread(value, float(np.sqrt(high)), freedom, is_paired=is_paired)


def detectable(spread: float, num_seeds: int, *, num_comparisons: int = 1) -> float:
    """Return the difference that a paired t-test shows with the probability of `POWER`.

    Args:
        spread: Standard deviation of the difference over seeds.
        num_seeds: Seeds of every method, at least 2.
        num_comparisons: Comparisons that p-values are corrected over; the first step of Holm's
            rule is taken.

    Examples:
        >>> [round(detectable(1.0, seeds), 2) for seeds in (2, 3, 5, 10)]
        [11.55, 3.26, 1.68, 1.0]
    """
    stats, optimize = extras.load("scipy.stats"), extras.load("scipy.optimize")
    freedom = num_seeds - 1
    beyond = stats.t.isf(SIGNIFICANCE / num_comparisons / 2, freedom)
    at = (np.arange(_GRID) + 0.5) / _GRID
    beyond_by_spread = beyond * np.sqrt(stats.chi2.ppf(at, freedom) / freedom)

    def missing(effect: float) -> float:
        shift = effect * np.sqrt(num_seeds)
        tails = (shift - beyond_by_spread, -shift - beyond_by_spread)
        return float(sum(stats.norm.cdf(tail).mean() for tail in tails)) - POWER

    most = 1.0
    while missing(most) < 0:
        most *= 2
    return float(spread * optimize.brentq(missing, 0.0, most))
