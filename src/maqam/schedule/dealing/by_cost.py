"""Dealing utterance by utterance, where what is dealt next depends on the utterance itself.

Needed for budgets in seconds or tokens, for picks among candidates and for plans that grow while
they are followed; slower than dealing whole plans at once (`dealing`, `deck`), with the same decks.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from maqam.schedule.dealing.by_rows import FlowMass, Limit
from maqam.schedule.dealing.deck import keys
from maqam.schedule.dealing.settings import DealSettings
from maqam.schedule.flow import Flow
from maqam.schedule.pool import Cells, Pool
from maqam.seeding import generator


class Decks:
    """The utterances of every cell in lottery order, dealt one at a time.

    Args:
        pool: The utterances.
        cells: Their grouping.
        seed: The run's seed.
    """

    def __init__(self, pool: Pool, cells: Cells, seed: int) -> None:
        self._uids, self._seed, self._sizes = pool.uids, seed, cells.sizes
        self._order = np.lexsort((keys(seed, 0, pool.uids), cells.of_utterance))
        self._starts = np.cumsum(cells.sizes) - cells.sizes
        self._epochs: dict[int, tuple[int, np.ndarray]] = {}
        self.taken = np.zeros(cells.num_cells, dtype=np.int64)

    def take(self, cell: int, held: list[int]) -> int:
        """Deal the next utterance of a cell that the batch does not hold.

        Utterances of a new epoch that the batch holds from the last are dealt right after.

        Args:
            cell: Its cell.
            held: Positions that the batch holds of the cell, fewer than the cell has.

        Returns:
            Its position in the pool.
        """
        epoch, place = divmod(int(self.taken[cell]), int(self._sizes[cell]))
        deck = self._deck(cell, epoch)
        if held:
            found = place
            while int(deck[found]) in held:
                found += 1
            fresh = deck[found]
            deck[place + 1 : found + 1] = deck[place:found].copy()
            deck[place] = fresh
        self.taken[cell] += 1
        return int(deck[place])

    def _deck(self, cell: int, epoch: int) -> np.ndarray:
        if cell not in self._epochs or self._epochs[cell][0] != epoch:
            start, size = int(self._starts[cell]), int(self._sizes[cell])
            members = self._order[start : start + size]
            if epoch:
                members = np.sort(members)
                members = members[np.argsort(keys(self._seed, epoch, self._uids[members]))]
            self._epochs[cell] = (epoch, members.copy())
        return self._epochs[cell][1]


class _Node:
    """A node of the tree of axes: what its children are owed, and which of them give.

    Args:
        first: First cell below each child, (num_children + 1,), the end last.
        below: Nodes of the children; none where children are cells.

    Attributes:
        credit: (num_children,) what each child is owed.
        mass: (num_children,) share of each child, of any sum.
        is_open: (num_children,) whether a child can give an utterance now.
        share: (num_children,) part of each open child in what the node deals.
    """

    def __init__(self, first: np.ndarray, below: "list[_Node]") -> None:
        size = len(first) - 1
        self.first, self.below = first, below
        self.credit, self.mass = np.zeros(size), np.zeros(size)
        self.is_open = np.ones(size, dtype=bool)
        self.share_out()

    def share_out(self) -> None:
        """Split the node's share among its open children; alike where none has a mass."""
        mass = self.mass * self.is_open
        if mass.sum() <= 0:
            mass = self.is_open.astype(np.float64)
        self.share = mass / max(mass.sum(), 1e-300)
        self._block = np.where(mass > 0, 0.0, -np.inf)

    def neediest(self) -> int:
        """Return the open child that is owed most, the first of equals."""
        return int((self.credit + self._block).argmax())

    def child_of(self, cell: int) -> int:
        """Return the child that a cell is below."""
        return int(np.searchsorted(self.first, cell, side="right")) - 1


class CostQuota:
    """Deals cells one by one, so that what each node costs stays close to its part.

    The child that is owed most gives an utterance and pays its cost; every open child is credited
    its part of that cost: deficit round-robin (Shreedhar and Varghese, 1995) down a tree.

    Args:
        cells: The leaves of the tree.
        seed: Decides which child goes first where several are owed alike, in each node anew.
    """

    def __init__(self, cells: Cells, seed: int = 0) -> None:
        self._root = _grow(cells, 0, 0, cells.num_cells)
        _shuffle(self._root, generator(seed, "cost quota"))

    def set_mass(self, mass: np.ndarray) -> None:
        """Take new shares, (num_cells,) summing to 1."""
        _set_mass(self._root, mass)

    def next_cell(self) -> int:
        """Return the cell whose turn it is; some cell must be open."""
        node = self._root
        while True:
            child = node.neediest()
            if not node.below:
                return int(node.first[child])
            node = node.below[child]

    def pay(self, cell: int, cost: float) -> None:
        """Charge a cell, and all above it, for an utterance."""
        for node in self._path(cell):
            node.credit += node.share * cost
            node.credit[node.child_of(cell)] -= cost

    def set_open(self, cell: int, is_open: bool) -> None:
        """Close a cell that gives nothing now, or open it again; its siblings share its part."""
        for node in reversed(self._path(cell)):
            was_any = bool(node.is_open.any())
            node.is_open[node.child_of(cell)] = is_open
            node.share_out()
            if bool(node.is_open.any()) == was_any:
                return
            is_open = not was_any

    def _path(self, cell: int) -> list[_Node]:
        path = [self._root]
        while path[-1].below:
            path.append(path[-1].below[path[-1].child_of(cell)])
        return path


def _shuffle(node: _Node, rng: np.random.Generator) -> None:
    """Start the children of every node with a little credit, so that nodes do not go in step."""
    node.credit += 1e-6 * rng.permutation(len(node.credit))
    for child in node.below:
        _shuffle(child, rng)


def _set_mass(node: _Node, mass: np.ndarray) -> None:
    inside = mass[node.first[0] : node.first[-1]]
    node.mass = np.add.reduceat(inside, node.first[:-1] - node.first[0])
    node.share_out()
    for child in node.below:
        _set_mass(child, mass)


def _grow(cells: Cells, level: int, start: int, end: int) -> _Node:
    """Return the node of a level over the cells from `start` to `end`."""
    if not cells.axes:
        return _Node(np.array([start, end]), [])
    codes = cells.codes[cells.axes[level]][start:end]
    first = np.append(np.flatnonzero(np.diff(codes, prepend=codes[0] - 1)) + start, end)
    if level + 1 == len(cells.axes):
        return _Node(first, [])
    bounds = itertools.pairwise(first)
    return _Node(first, [_grow(cells, level + 1, int(a), int(b)) for a, b in bounds])


@dataclass(frozen=True)
class DealtRows:
    """The utterances of every step.

    Attributes:
        positions: (num_dealt,) positions in the pool, step after step.
        offsets: (num_steps + 1,) where each step begins.
        notes: What the user should know.
    """

    positions: np.ndarray
    offsets: np.ndarray
    notes: tuple[str, ...]


class CostDealer:
    """Deals batches that hold as many seconds or tokens each.

    A step ends with the utterance that brings what was dealt so far to its multiple of the
    batch's budget: a batch is off by less than an utterance, and so is the whole plan.

    Args:
        pool: The utterances.
        cells: Their grouping, costs in the unit of the budget.
        seed: The run's seed.
        deal: Unit, and what a group does that was dealt through.
    """

    def __init__(self, pool: Pool, cells: Cells, seed: int, deal: DealSettings) -> None:
        self._decks = Decks(pool, cells, seed)
        self._quota = CostQuota(cells, seed)
        self._limit = Limit(cells, deal)
        self._cells = cells
        self._costs = pool.costs(deal.unit)
        is_capped = deal.exhaustion == "cap"
        most = cells.sizes * deal.max_epochs if is_capped else np.full(cells.num_cells, np.inf)
        self._left = most.astype(np.float64)
        self._spent = 0.0

    def deal(self, flow: Flow, steps: int, batch: float) -> DealtRows:
        """Deal some steps.

        Args:
            flow: Shares of the cells.
            steps: Steps asked for.
            batch: What a batch holds, in the unit.
        """
        shares = FlowMass(flow, self._cells)
        positions: list[int] = []
        offsets = [0]
        notes: list[str] = []
        for step in range(steps):
            if shares.at(step / steps):
                self._quota.set_mass(shares.mass)
            dealt = self._step((step + 1) * batch)
            if not self._is_full((step + 1) * batch) or self._limit.reason:
                reason = self._limit.reason or "the pool was dealt through"
                notes.append(f"the plan ends after {step} steps: {reason}")
                break
            positions.extend(dealt)
            offsets.append(len(positions))
        dry = int((self._left <= 0).sum())
        if dry:
            notes.append(
                f"{dry} of {self._cells.num_cells} groups were dealt through; "
                "their shares went to the groups beside them"
            )
        return DealtRows(np.array(positions, dtype=np.int64), np.array(offsets), tuple(notes))

    def _step(self, until: float) -> list[int]:
        """Deal utterances until so much was spent since the first step."""
        held: dict[int, list[int]] = {}
        dealt: list[int] = []
        closed: list[int] = []
        while not self._is_full(until):
            cell = self._quota.next_cell()
            mine = held.setdefault(cell, [])
            position = self._decks.take(cell, mine)
            mine.append(position)
            dealt.append(position)
            cost = float(self._costs[position])
            self._spent += cost
            self._quota.pay(cell, cost)
            self._left[cell] -= 1
            if self._limit.is_reached(np.array([cell]), np.array([1])):
                return dealt
            if self._left[cell] <= 0 or len(mine) == self._cells.sizes[cell]:
                self._quota.set_open(cell, False)
                closed.append(cell)
                if self._is_all_closed(closed):
                    break
        for cell in closed:
            if self._left[cell] > 0:
                self._quota.set_open(cell, True)
        return dealt

    def _is_full(self, until: float) -> bool:
        return self._spent >= until * (1 - 1e-12)

    def _is_all_closed(self, closed: list[int]) -> bool:
        num_dry = int((self._left <= 0).sum())
        return num_dry + sum(self._left[cell] > 0 for cell in closed) == self._cells.num_cells
