"""Groups of utterances that scores are given for: dialect, source, length, noise."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

ALL = "all"
MEAN_OF_SOURCES = "mean over sources"  # in which every source counts alike
_NAMES = ("dialect", "source")
_BOUNDS: Mapping[str, tuple[float, ...]] = {
    "seconds": (2.0, 5.0, 10.0, 20.0),
    "snr_db": (0.0, 5.0, 10.0, 15.0, 20.0),
}
AXES = (*_NAMES, *_BOUNDS)


def groups_of(columns: Mapping[str, Sequence[Any]], axes: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the members of every group, the whole set first.

    Utterances of unknown dialect, source, length or noise are in no group of that kind. Numbers
    are put into bins closed below. Where all that is known falls into one source or one bin,
    that says nothing the whole set does not, and is left out.

    Args:
        columns: Columns of hypotheses.parquet.
        axes: Kinds of groups, of `AXES`.

    Returns:
        Name of each group, such as "dialect=gulf" or "seconds=2 to 5", and its row indexes.

    Examples:
        >>> columns = {"id": ["a", "b", "c"], "seconds": [1.5, 2.0, None]}
        >>> found = groups_of(columns, ["seconds"])
        >>> {name: members.tolist() for name, members in found.items()}
        {'all': [0, 1, 2], 'seconds=under 2': [0], 'seconds=2 to 5': [1]}
    """
    groups = {ALL: np.arange(len(columns["id"]))}
    for axis in axes:
        if axis not in columns:
            continue
        own = _by_bin(columns[axis], _BOUNDS[axis]) if axis in _BOUNDS else _by_name(columns[axis])
        if len(own) > 1 or axis == "dialect":
            groups.update({f"{axis}={name}": members for name, members in own.items()})
    return groups


def tells_dialects(columns: Mapping[str, Sequence[Any]]) -> bool:
    """Tell whether a label follows from the dialect: of one alone there is nothing to tell apart.

    Args:
        columns: Columns of hypotheses.parquet, rows of one task with labels.

    Examples:
        >>> tells_dialects({"dialect": ["EG", "SA", "EG"], "reference": ["nile", "gulf", "nile"]})
        True
        >>> tells_dialects({"dialect": ["EG", "EG"], "reference": ["happy", "sad"]})
        False
    """
    both = zip(columns["dialect"], columns["reference"], strict=True)
    pairs = {(dialect, label) for dialect, label in both if dialect}
    return len({dialect for dialect, _ in pairs}) == len(pairs)


def _by_name(values: Sequence[str | None]) -> dict[str, np.ndarray]:
    named = np.array([value or "" for value in values])
    return {str(name): np.flatnonzero(named == name) for name in np.unique(named) if name}


def _by_bin(values: Sequence[float | None], bounds: Sequence[float]) -> dict[str, np.ndarray]:
    numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    bins = np.where(np.isfinite(numbers), np.searchsorted(bounds, numbers, side="right"), -1)
    return {
        _words(bounds, index): np.flatnonzero(bins == index)
        for index in range(len(bounds) + 1)
        if (bins == index).any()
    }


def _words(bounds: Sequence[float], index: int) -> str:
    if index == 0:
        return f"under {bounds[0]:g}"
    if index == len(bounds):
        return f"{bounds[-1]:g} or more"
    return f"{bounds[index - 1]:g} to {bounds[index]:g}"
