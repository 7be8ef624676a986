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

from maqam.schedule.dealing.deck import keys
from maqam.schedule.pool import Cells
from maqam.seeding import derive

_EPSILON = 1e-9
_WIDE, _FEW = 64, 16  # past this width the first few are found sooner by search than by sorting
_ABOVE, _STEEP, _NEVER = np.nextafter(_EPSILON, 1.0), 1e300, 1e270


@dataclass(frozen=True)
class _Level:
    """Children of one level: a table of a row a node, rows filled up to the widest.

    Attributes:
        first_child: (num_nodes,) index of each node's first child.
        child_at: (num_nodes * widest,) child at each place of the flattened table.
        num_children: (num_nodes,) children of each.
        leaf_starts: (num_children_in_all,) first cell below each child.
        places: (num_children_in_all,) place of each child in the flattened table.
        room: (num_nodes, widest) utterances below each child, 0 where there is none.
    """

    first_child: np.ndarray
    child_at: np.ndarray
    num_children: np.ndarray
    leaf_starts: np.ndarray
    places: np.ndarray
    room: np.ndarray

    def table(self, values: np.ndarray) -> np.ndarray:
        """Lay out (num_children_in_all,) values by node, 0 where there is no child."""
        table = np.zeros(self.room.shape)
        table.reshape(-1)[self.places] = values
        return table


class Quota:
    """Deals whole utterances to cells, batch by batch.

    State is one credit a node: what it is owed, in utterances. It is independent of the number of
    utterances and of how a batch is spread over processes.

    Args:
        cells: The leaves of the tree; its axes are the levels, from the root.
        seed: Decides which child goes first where several are due alike. Each node has a
            random order of its own: with one for all, nodes with equal shares would pick the
            same child, and batches would lack variety.
        max_epochs: Passes over a cell after which it is dry and its siblings take over its
            share; None for no end.

    Attributes:
        num_handed_over: Utterances that cells too small for their part of a batch did not give.
    """

    def __init__(self, cells: Cells, seed: int = 0, max_epochs: int | None = None) -> None:
        _keep_freed_memory()
        self._levels = _tree(cells, seed)
        self._credits = [np.zeros(level.room.shape) for level in self._levels]
        self._shares: list[np.ndarray] = []
        self._mass = np.zeros(cells.num_cells)
        self._sizes = cells.sizes
        self._left = None if max_epochs is None else cells.sizes * max_epochs
        self._is_open = np.ones(cells.num_cells, dtype=bool)
        self.num_handed_over = 0

    @property
    def credits(self) -> list[np.ndarray]:
        """What each node is owed: for every level (num_children_in_all,) utterances."""
        return [
            credits.reshape(-1)[level.places]
            for level, credits in zip(self._levels, self._credits, strict=True)
        ]

    def set_mass(self, mass: np.ndarray) -> None:
        """Take new shares.

        Args:
            mass: (num_cells,) share of each cell, summing to 1.
        """
        self._mass = mass
        self._share_out()

    def _share_out(self) -> None:
        """Split the share of every node among those of its children that are not dry."""
        self._shares = []
        for level in self._levels:
            children = np.add.reduceat(self._mass, level.leaf_starts)
            if self._left is not None:
                children = children * np.logical_or.reduceat(self._is_open, level.leaf_starts)
            above = np.repeat(np.add.reduceat(children, level.first_child), level.num_children)
            shares = np.divide(children, above, out=np.zeros_like(children), where=above > 0)
            self._shares.append(level.table(shares))

    def deal(self, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Split one batch.

        Args:
            batch_size: Utterances to deal, at most those of the pool.

        Returns:
            The cells that get any, ascending, and how many each gets.
        """
        nodes, counts = np.array([0]), np.array([batch_size])
        with np.errstate(divide="ignore", over="ignore"):  # a share of 0 is never due
            for index in range(len(self._levels)):
                nodes, counts = self._split(index, nodes, counts)
        order = nodes.argsort()
        nodes, counts = nodes[order], counts[order]
        if self._left is not None:
            self._take(nodes, counts)
        return nodes, counts

    @property
    def room(self) -> int | None:
        """Utterances that a batch can hold, none of them twice; None where epochs have no end."""
        if self._left is None:
            return None
        return int(np.minimum(self._sizes, self._left).sum())

    @property
    def num_left(self) -> int:
        """Utterances, repeats counted, that are left to deal before the last epoch ends."""
        return 0 if self._left is None else int(self._left.sum())

    @property
    def dry(self) -> np.ndarray:
        """Cells that were dealt through, (num_dry,) ascending."""
        return np.flatnonzero(~self._is_open)

    def _take(self, cells: np.ndarray, counts: np.ndarray) -> None:
        """Note what was dealt, and close the cells that are dry now."""
        if self._left is None:
            return
        before = np.minimum(self._sizes[cells], self._left[cells])
        self._left[cells] -= counts
        less = before - np.minimum(self._sizes[cells], self._left[cells])
        shrunk = np.flatnonzero(less)
        for level in self._levels:
            child = np.searchsorted(level.leaf_starts, cells[shrunk], side="right") - 1
            np.subtract.at(level.room.reshape(-1), level.places[child], less[shrunk])
        closed = cells[self._left[cells] == 0]
        if len(closed):
            self._is_open[closed] = False
            self._share_out()
            for level, credit in zip(self._levels, self._credits, strict=True):
                _write_off(credit, level.room == 0)

    def _split(
        self, index: int, nodes: np.ndarray, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Split what nodes of a level received among their children."""
        level, share = self._levels[index], self._shares[index][nodes]
        credit = self._credits[index][nodes]
        credit += share * counts.astype(np.float64)[:, None] if counts.max() > 1 else share
        if credit.shape[1] <= _WIDE:
            has_whole = True
            given, left, owed = _give_whole(credit, counts, level.room[nodes])
        else:  # wide lower levels, most of the work, seldom owe a whole utterance
            whole = (credit.max(axis=1) + _EPSILON >= 1.0).nonzero()[0]
            has_whole = bool(whole.size)
            given, left, owed = np.zeros(credit.shape), counts.copy(), credit
            if self._left is not None:
                owed = np.where(level.room[nodes] > 0, credit, 0.0)
            if has_whole:
                owed = owed.copy()
                given[whole], left[whole], owed[whole] = _give_whole(
                    credit[whole], counts[whole], level.room[nodes[whole]]
                )
        _give_earliest(given, left, owed, share)
        for row in left.nonzero()[0]:
            _give_rest(given[row], int(left[row]), credit[row], share[row], level.room[nodes[row]])
        places = (given != 0).reshape(-1).nonzero()[0]
        gifts = given.reshape(-1)[places]
        credit.reshape(-1)[places] -= gifts
        if has_whole:
            self._hand_over(credit)
        self._credits[index][nodes] = credit
        rows = places // given.shape[1]
        places += (nodes[rows] - rows) * given.shape[1]  # from the nodes' rows to the table's
        return level.child_at[places], gifts.astype(np.int64)

    def _hand_over(self, credit: np.ndarray) -> None:
        """Write off, in place, what children too small for their part are owed."""
        is_far = credit >= 1.0 + _EPSILON
        if is_far.any():
            dry = is_far.any(axis=1)
            self.num_handed_over += int(np.floor(credit[is_far]).sum())
            credit[dry] = np.clip(credit[dry], _EPSILON - 1.0, 1.0 - _EPSILON)


def _keep_freed_memory() -> None:
    """Have glibc keep the tables of a batch when they are freed, for those of the next.

    Freeing one block of 16 MB, which is never touched, raises its thresholds for giving memory
    back; else the first plan of a process takes two million page faults and twice the time.
    """
    np.empty(1 << 24, dtype=np.uint8)


def _write_off(credit: np.ndarray, is_dry: np.ndarray) -> None:
    """Pass on, in place, what dry children are owed to their siblings, in equal parts."""
    owed = np.where(is_dry, credit, 0.0).sum(axis=1)
    num_open = (~is_dry).sum(axis=1)
    credit += np.where(is_dry, -credit, (owed / np.maximum(num_open, 1))[:, None])


def _give_whole(
    credit: np.ndarray, counts: np.ndarray, room: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the children of a row their whole utterances: given, left to give, and still owed."""
    given = np.minimum(np.maximum(np.floor(credit + _EPSILON), 0.0), room)
    left = counts - np.add.reduce(given, axis=1).astype(np.int64)
    return given, left, np.where(given < room, credit - given, 0.0)


def _give_earliest(
    given: np.ndarray, left: np.ndarray, owed: np.ndarray, share: np.ndarray
) -> None:
    """Hand out, in place, one utterance each to the children of a row that are due first."""
    due = 1.0 - owed
    np.divide(due, share, out=due)
    blocked = _ABOVE - owed  # who is owed nothing is never due: a mask, but without branches,
    blocked *= _STEEP  # half of which would be mispredicted at three times the cost
    np.maximum(due, blocked, out=due)
    most = int(left.max())
    if due.shape[1] > _WIDE and most <= _FEW:
        every_row = np.arange(len(due))
        for _ in range(most):
            first = due.argmin(axis=1)
            is_given = (left > 0) & (due[every_row, first] < _NEVER)
            given[every_row, first] += is_given
            due[every_row, first] = np.inf
            left -= is_given
        return
    if most > 0:
        row = np.arange(len(due))[:, None]
        order = due.argsort(axis=1, kind="stable")[:, :most]
        chosen = (due[row, order] < _NEVER) & (np.arange(order.shape[1]) < left[:, None])
        given[row, order] += chosen
        left -= np.add.reduce(chosen, axis=1)


def _give_rest(
    given: np.ndarray, left: int, credit: np.ndarray, share: np.ndarray, room: np.ndarray
) -> None:
    """Hand out what no child is due, or take back what whole parts gave too much, in place."""
    while left > 0:  # children are full: siblings with room take over, by what they are owed
        # a child whose share fell to 0 while it was owed a part is paid before others pass theirs
        is_meant = (share > 0) | (credit - given > _EPSILON)
        ahead = np.where((given < room) & is_meant, given + 1 - credit, np.inf)
        if not np.isfinite(ahead).any():
            ahead = np.where(given < room, given + 1 - credit, np.inf)
        given[int(ahead.argmin())] += 1
        left -= 1
    while left < 0:  # shares changed: some child was given ahead of its due before
        behind = np.where(given > 0, credit - given, np.inf)
        given[int(behind.argmin())] -= 1
        left += 1


def _tree(cells: Cells, seed: int) -> list[_Level]:
    """Return the levels of the tree whose leaves are the cells, in lexicographic order."""
    levels = []
    starts_above = np.array([0])
    lots_above = np.array([derive(seed, "quota")], dtype=np.uint64)
    changes = np.zeros(cells.num_cells, dtype=bool)
    changes[:1] = True
    for axis in cells.axes:
        codes = cells.codes[axis]
        changes = changes.copy()
        changes[1:] |= codes[1:] != codes[:-1]
        starts = np.flatnonzero(changes)
        first = np.searchsorted(starts, starts_above)
        num_children = np.diff(np.append(first, len(starts)))
        widest = int(num_children.max())
        rows = np.repeat(np.arange(len(first)), num_children)
        lots = keys(seed, codes[starts] + 1, lots_above[rows])
        places = np.empty(len(starts), dtype=np.int64)
        places[np.lexsort((lots, rows))] = rows * widest + np.arange(len(starts)) - first[rows]
        child_at = np.zeros(len(first) * widest, dtype=np.int64)
        child_at[places] = np.arange(len(starts))
        room = np.zeros(len(first) * widest, dtype=np.int64)
        room[places] = np.add.reduceat(cells.sizes, starts)
        table = room.reshape(-1, widest)
        levels.append(_Level(first, child_at, num_children, starts, places, table))
        starts_above, lots_above = starts, lots
    return levels
