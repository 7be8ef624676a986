"""A score as statistics that add up over utterances, which is what resampling needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from maqam.score.bootstrap import Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Statistics of answers that add up over utterances, and how they become a number.

    Attributes:
        sums: (num_utterances, ...) statistics of each utterance.
        statistic: From summed statistics [..., *] to values [...].
        num_units: (num_utterances,) words, characters or utterances behind it.
        counts: (num_utterances,) counts that a row of the score shows beside its value, by name.
        axes: Kinds of groups that it is given for beside the whole set; see `groups`.
        label: The label that it is about; empty where it is about all of them.
    """

    sums: np.ndarray
    statistic: Statistic
    num_units: np.ndarray
    counts: Mapping[str, np.ndarray] = field(default_factory=dict)
    axes: tuple[str, ...] = ("dialect",)
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure(Counts):
    """What a metric found in answers.

    Attributes:
        name: Name of the metric, such as "wer".
        higher_is_better: Its direction; None where neither is better.
        is_detail: Whether it only tells more of another score, so that methods are not compared
            on it.
        profile: Normalizer profile, where one applies.
    """

    name: str
    higher_is_better: bool | None
    is_detail: bool
    profile: str | None


def mean_of_parts(measure: Measure, parts: Sequence[np.ndarray]) -> Measure:
    """Return a score as its mean over parts of the utterances, in which each part counts alike.

    Args:
        measure: The score.
        parts: Utterances of each part.

    Examples:
        >>> shares = mean(np.array([1.0, 1.0, 1.0, 0.0]))
        >>> found = mean_of_parts(
        ...     Measure(
        ...         name="share",
        ...         higher_is_better=True,
        ...         is_detail=False,
        ...         profile=None,
        ...         sums=shares.sums,
        ...         statistic=shares.statistic,
        ...         num_units=shares.num_units,
        ...     ),
        ...     [np.arange(3), np.array([3])],
        ... )
        >>> float(found.statistic(found.sums.sum(axis=0)))
        0.5
    """
    sums, statistic = measure.sums, measure.statistic
    wide = np.zeros((len(sums), len(parts), *sums.shape[1:]))
    for place, members in enumerate(parts):
        wide[members, place] = sums[members]
    return replace(measure, sums=wide, statistic=lambda each: statistic(each).mean(axis=-1))


def ratio(sums: np.ndarray) -> np.ndarray:
    """Return the first of two summed statistics over the second."""
    with np.errstate(divide="ignore", invalid="ignore"):
        result: np.ndarray = sums[..., 0] / sums[..., 1]
    return result


def mean(values: np.ndarray) -> Counts:
    """Return the mean of a number that each utterance has.

    Args:
        values: (num_utterances,) the numbers.

    Examples:
        >>> found = mean(np.array([1.0, 0.0]))
        >>> float(found.statistic(found.sums.sum(axis=0)))
        0.5
    """
    ones = np.ones(len(values))
    sums = np.stack([values.astype(np.float64), ones], axis=1)
    return Counts(sums=sums, statistic=ratio, num_units=ones)
