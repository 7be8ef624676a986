"""Whole groups dealt to splits so that every stratum has the shares asked for, if they allow it.

A stratum is what should be in every split, such as one label of a task of a corpus. Groups are
dealt greedily, the largest first, each to the split that lacks most of what it holds. Then groups
are moved to other splits, and where they are few exchanged in pairs, as long as that lowers the
cost: the squared distance from the shares, and a penalty for each stratum that a split lacks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

_MOST_MOVED = 2000  # groups up to which all of them are moved about; beyond, those of rare strata
_MOST_EXCHANGED = 100
_PASSES = 10
_GAIN = 1e-9

Cells = list[tuple[int, int]]  # strata of a group, and its rows of each


@dataclass(slots=True)
class _Deal:
    """The split of each group so far, and what is in each split.

    Attributes:
        groups: The strata of each group.
        wanted: (num_splits, num_strata) rows each split should get.
        penalties: Cost of a split that lacks a stratum, by split.
        totals: Rows of each stratum.
        filled: (num_splits, num_strata) rows dealt so far.
        split_of: Split of each group.
    """

    groups: Sequence[Cells]
    wanted: list[list[float]]
    penalties: Sequence[float]
    totals: list[float]
    filled: list[list[int]] = field(init=False)
    split_of: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.filled = [[0] * len(self.totals) for _ in self.wanted]
        self.split_of = [-1] * len(self.groups)

    def put(self, group: int, split: int) -> None:
        if self.split_of[group] >= 0:
            self._add(group, self.split_of[group], -1)
        self._add(group, split, 1)
        self.split_of[group] = split

    def gain(self, group: int, split: int) -> float:
        """Return by how much the cost falls if a group is put into a split."""
        before = self.split_of[group]
        found = 0.0
        for stratum, rows in self.groups[group]:
            found += self._cost(split, stratum, 0) - self._cost(split, stratum, rows)
            if before >= 0:
                found += self._cost(before, stratum, 0) - self._cost(before, stratum, -rows)
        return found

    def _cost(self, split: int, stratum: int, change: int) -> float:
        wanted, rows = self.wanted[split][stratum], self.filled[split][stratum] + change
        if not wanted:
            return 0.0
        absent = 0.0 if rows else self.penalties[split]
        return (rows - wanted) ** 2 / (wanted * self.totals[stratum]) + absent

    def _add(self, group: int, split: int, sign: int) -> None:
        for stratum, rows in self.groups[group]:
            self.filled[split][stratum] += sign * rows


def deal_groups(
    counts: Sequence[Cells],
    shares: np.ndarray,
    allowed: np.ndarray,
    penalties: Sequence[float],
) -> np.ndarray:
    """Deal groups to splits.

    Args:
        counts: Strata of each group and its rows of each; of two equally large groups the first is
            dealt first.
        shares: (num_splits, num_strata) share of a stratum's rows that each split should get.
        allowed: (num_groups, num_splits) whether a group may go to a split; one at least.
        penalties: Cost of a split that lacks a stratum, by split: rare strata go to the split with
            the highest first.

    Returns:
        (num_groups,) int64 split of each group.

    Examples:
        >>> one_speaker_each = [[(0, 10)] for _ in range(10)]
        >>> shares = np.array([[0.8], [0.1], [0.1]])
        >>> dealt = deal_groups(one_speaker_each, shares, np.ones((10, 3), bool), (30, 10, 20))
        >>> np.bincount(dealt).tolist()
        [8, 1, 1]
    """
    totals = np.zeros(shares.shape[1])
    for cells in counts:
        for stratum, rows in cells:
            totals[stratum] += rows
    deal = _Deal(counts, (shares * totals).tolist(), penalties, totals.tolist())
    sizes = np.array([sum(rows for _, rows in cells) for cells in counts])
    choices = [np.flatnonzero(one).tolist() for one in allowed]
    order = np.argsort(-sizes, kind="stable").tolist()
    for group in order:
        deal.put(group, max(choices[group], key=lambda split: deal.gain(group, split)))
    moved = order if len(order) <= _MOST_MOVED else list(_of_rare(deal))
    for _ in range(_PASSES):
        changed = [_moves(deal, group, choices[group]) for group in moved]
        if len(moved) <= _MOST_EXCHANGED:
            changed += [_exchanged(deal, pair, choices) for pair in _pairs(moved)]
        if not any(changed):
            break
    return np.array(deal.split_of, dtype=np.int64)


def _of_rare(deal: _Deal) -> Iterator[int]:
    """Yield the groups of strata that some split lacks."""
    rare = {
        stratum
        for split, wanted in enumerate(deal.wanted)
        for stratum, rows in enumerate(wanted)
        if rows and not deal.filled[split][stratum]
    }
    for group, cells in enumerate(deal.groups):
        if any(stratum in rare for stratum, _ in cells):
            yield group


def _moves(deal: _Deal, group: int, choices: Sequence[int]) -> bool:
    """Move a group to the split where the cost is lowest; tell whether it moved."""
    others = [split for split in choices if split != deal.split_of[group]]
    best = max(others, key=lambda split: deal.gain(group, split), default=None)
    if best is None or deal.gain(group, best) <= _GAIN:
        return False
    deal.put(group, best)
    return True


def _pairs(groups: Sequence[int]) -> Iterator[tuple[int, int]]:
    for place, one in enumerate(groups):
        for other in groups[place + 1 :]:
            yield one, other


def _exchanged(deal: _Deal, pair: tuple[int, int], choices: Sequence[Sequence[int]]) -> bool:
    """Exchange the splits of two groups if that lowers the cost; tell whether it did."""
    one, other = pair
    here, there = deal.split_of[one], deal.split_of[other]
    if here == there or there not in choices[one] or here not in choices[other]:
        return False
    gain = deal.gain(one, there)
    deal.put(one, there)
    gain += deal.gain(other, here)
    if gain > _GAIN:
        deal.put(other, here)
        return True
    deal.put(one, here)
    return False
