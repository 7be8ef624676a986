"""A score as statistics that add up over utterances, which is what resampling needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from maqam.score.bootstrap import Statistic


@dataclass(frozen=True, slots=True)
class Measure:
    """A score as statistics that add up over utterances, and how they become a number.

    Attributes:
        name: Such as "wer".
        sums: (num_utterances, ...) statistics of each utterance.
        statistic: From summed statistics [..., *] to values [...].
        num_units: (num_utterances,) words, characters or utterances behind it.
        higher_is_better: Direction; None where neither is better.
        profile: Normalizer profile, where one applies.
        counts: (num_utterances,) counts that a row of the score shows beside its value, by name.
        axes: Kinds of groups that it is given for beside the whole set; see `groups`.
        label: The label that it is about; empty where it is about all of them.
        is_detail: Whether it only tells more of another score, so that methods are not compared
            on it.
    """

    name: str
    sums: np.ndarray
    statistic: Statistic
    num_units: np.ndarray
    higher_is_better: bool | None
    profile: str | None = None
    counts: Mapping[str, np.ndarray] = field(default_factory=dict)
    axes: tuple[str, ...] = ("dialect",)
    label: str = ""
    is_detail: bool = False


def ratio(sums: np.ndarray) -> np.ndarray:
    """Return the first of two summed statistics over the second."""
    with np.errstate(divide="ignore", invalid="ignore"):
        result: np.ndarray = sums[..., 0] / sums[..., 1]
    return result


def mean(
    name: str, values: np.ndarray, *, higher_is_better: bool | None, profile: str | None = None
) -> Measure:
    """Return the mean of a number that each utterance has.

    Args:
        name: Name of the score.
        values: (num_utterances,) the numbers.
        higher_is_better: Its direction.
        profile: Normalizer profile, where one applies.
    """
    ones = np.ones(len(values))
    sums = np.stack([values.astype(np.float64), ones], axis=1)
    return Measure(name, sums, ratio, ones, higher_is_better, profile)
