"""Quota: shares to whole numbers, by error diffusion down a tree of axes.

Each node of the tree splits what it receives among its children so that, while shares stay the
same, every child is within one utterance of its exact part of the node's total, after every
step. The rule is that of proportional-fair scheduling: a child first gets the whole utterances it
is owed, the rest go to children with a part owed, the one whose next whole utterance falls due
first before the others (earliest deadline first; Baruah et al., Proportionate Progress, 1996).
Round-robin is this rule on equal shares.
"""

from dataclasses import dataclass

import numpy as np

from maqam.schedule.pool import Cells

_EPSILON = 1e-9


@dataclass(frozen=True)
class _Level:
    """Children of one level: those of a node lie side by side.

    Attributes:
        first_child: (num_nodes,) index of each node's first child.
        num_children: (num_nodes,) children of each.
        sizes: (num_children_in_all,) utterances below each child.
        leaf_starts: (num_children_in_all,) first cell below each child.
    """

    first_child: np.ndarray
    num_children: np.ndarray
    sizes: np.ndarray
    leaf_starts: np.ndarray


class Quota:
    """Deals whole utterances to cells, batch by batch.

    State is one credit a node: what it is owed, in utterances. It is independent of the number of
    utterances and of how a batch is spread over processes.

    Args:
        cells: The leaves of the tree; its axes are the levels, from the root.
    """

    def __init__(self, cells: Cells) -> None:
        self._levels = _tree(cells)
        self.credits = [np.zeros(len(level.sizes)) for level in self._levels]
        self.num_handed_over = 0
        self._shares: list[np.ndarray] = []

    def set_mass(self, mass: np.ndarray) -> None:
        """Take new shares.

        Args:
            mass: (num_cells,) share of each cell, summing to 1.
        """
        self._shares = []
        parents = np.array([mass.sum()])
        for level in self._levels:
            children = np.add.reduceat(mass, level.leaf_starts)
            above = np.repeat(parents, level.num_children)
            self._shares.append(
                np.divide(children, above, out=np.zeros_like(children), where=above > 0)
            )
            parents = children

    def deal(self, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Split one batch.

        Args:
            batch_size: Utterances to deal, at most those of the pool.

        Returns:
            The cells that get any, ascending, and how many each gets.
        """
        nodes, counts = np.array([0]), np.array([batch_size])
        for index, level in enumerate(self._levels):
            nodes, counts = self._split(index, level, nodes, counts)
        return nodes, counts

    def _split(
        self, index: int, level: _Level, nodes: np.ndarray, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Split what nodes of a level received among their children."""
        widest = int(level.num_children[nodes].max())
        offsets = np.arange(widest)
        is_child = offsets < level.num_children[nodes][:, None]
        children = np.where(is_child, level.first_child[nodes][:, None] + offsets, 0)
        share = np.where(is_child, self._shares[index][children], 0.0)
        room = np.where(is_child, level.sizes[children], 0)
        credit = self.credits[index][children] + share * counts[:, None]
        given = np.clip(np.floor(credit + _EPSILON), 0, room).astype(np.int64)
        left = counts - given.sum(axis=1)
        owed = credit - given
        due = np.full(share.shape, np.inf)
        may_get = (share > 0) & (given < room) & (owed > _EPSILON)
        np.divide(1.0 - owed, share, out=due, where=may_get)
        one = np.flatnonzero((left == 1) & may_get.any(axis=1))
        given[one, due[one].argmin(axis=1)] += 1
        for node in np.flatnonzero(left != 0):
            if left[node] == 1 and may_get[node].any():
                continue
            self._give_rest(
                given[node], int(left[node]), due[node], credit[node], share[node], room[node]
            )
        credit -= given
        is_far = (credit >= 1.0 + _EPSILON) & is_child
        if is_far.any():
            self.num_handed_over += int(np.floor(credit[is_far]).sum())
            dry = is_far.any(axis=1)
            credit[dry] = np.clip(credit[dry], _EPSILON - 1.0, 1.0 - _EPSILON)
        self.credits[index][children[is_child]] = credit[is_child]
        got = given > 0
        return children[got], given[got]

    @staticmethod
    def _give_rest(
        given: np.ndarray,
        left: int,
        due: np.ndarray,
        credit: np.ndarray,
        share: np.ndarray,
        room: np.ndarray,
    ) -> None:
        """Hand out, or take back, what whole parts left over, in place."""
        if left > 0:
            order = np.argsort(due, kind="stable")[:left]
            chosen = order[np.isfinite(due[order])]
            given[chosen] += 1
            left -= len(chosen)
        while left > 0:  # children are full: siblings with room take over, by what they are owed
            ahead = np.where((given < room) & (share > 0), given + 1 - credit, np.inf)
            if not np.isfinite(ahead).any():
                ahead = np.where(given < room, given + 1 - credit, np.inf)
            given[int(ahead.argmin())] += 1
            left -= 1
        while left < 0:  # shares changed: some child was given ahead of its due before
            behind = np.where(given > 0, credit - given, np.inf)
            given[int(behind.argmin())] -= 1
            left += 1


def _tree(cells: Cells) -> list[_Level]:
    """Give the levels of the tree whose leaves are the cells, which are in lexicographic order."""
    levels = []
    starts_above = np.array([0])
    changes = np.zeros(cells.num_cells, dtype=bool)
    changes[:1] = True
    for axis in cells.axes:
        codes = cells.codes[axis]
        changes = changes.copy()
        changes[1:] |= codes[1:] != codes[:-1]
        starts = np.flatnonzero(changes)
        first = np.searchsorted(starts, starts_above)
        levels.append(
            _Level(
                first_child=first,
                num_children=np.diff(np.append(first, len(starts))),
                sizes=np.add.reduceat(cells.sizes, starts),
                leaf_starts=starts,
            )
        )
        starts_above = starts
    return levels
