"""Dealing by pick: more candidates than a batch holds, the most diverse of them kept."""

import itertools

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.dealing.by_rows import Dealt
from maqam.schedule.dealing.deck import keys
from maqam.schedule.dealing.diversity import KERNELS
from maqam.schedule.dealing.settings import Pick
from maqam.schedule.pool import Cells, Pool
from maqam.seeding import generator


class WaitingDecks:
    """Decks whose first utterances can be looked at, some taken, and the others left waiting.

    Args:
        pool: The utterances.
        cells: Their grouping.
        seed: The run's seed.
    """

    def __init__(self, pool: Pool, cells: Cells, seed: int) -> None:
        self._uids, self._seed = pool.uids, seed
        order = np.argsort(cells.of_utterance, kind="stable")
        self._members = np.split(order, np.cumsum(cells.sizes)[:-1])
        self._left: dict[int, np.ndarray] = {}
        self._epochs: dict[int, int] = {}

    def look(self, cell: int, count: int, wanted: int) -> np.ndarray:
        """Return the first utterances of a cell that are left, without taking them.

        Args:
            cell: Its cell.
            count: Utterances to look at; those of the next epoch are not among them unless
                fewer than `wanted` are left of this one.
            wanted: Utterances that will be taken, at most as many as the cell holds.

        Returns:
            Positions in the pool, `wanted` at least; in the first places all that are left of an
            epoch that ends here.
        """
        left = self._left_of(cell)
        if len(left) >= wanted:
            return left[:count]
        following = self._shuffled(cell, self._epochs[cell] + 1)
        fresh = following[~np.isin(following, left)]
        return np.concatenate([left, fresh[: wanted - len(left)]])

    def take(self, cell: int, taken: np.ndarray) -> None:
        """Take utterances that were looked at."""
        left = self._left_of(cell)
        kept = left[~np.isin(left, taken)]
        ahead = taken[~np.isin(taken, left)]
        if len(ahead):  # the epoch has ended
            self._epochs[cell] += 1
            following = self._shuffled(cell, self._epochs[cell])
            kept = following[~np.isin(following, ahead)]
        self._left[cell] = kept

    def _left_of(self, cell: int) -> np.ndarray:
        if cell not in self._left:
            self._epochs[cell] = 0
            self._left[cell] = self._shuffled(cell, 0)
        elif not len(self._left[cell]):
            self._epochs[cell] += 1
            self._left[cell] = self._shuffled(cell, self._epochs[cell])
        return self._left[cell]

    def _shuffled(self, cell: int, epoch: int) -> np.ndarray:
        members = self._members[cell]
        shuffled: np.ndarray = members[np.argsort(keys(self._seed, epoch, self._uids[members]))]
        return shuffled


def pick(pool: Pool, cells: Cells, dealt: Dealt, seed: int, settings: Pick) -> np.ndarray:
    """Choose the utterances of every step by their embeddings.

    Args:
        pool: The utterances, with embeddings.
        cells: Their grouping.
        dealt: How many each cell gives in each step.
        seed: The run's seed.
        settings: Kernel, and candidates for every utterance.

    Returns:
        (sum of counts,) positions in the pool, step after step.

    Raises:
        ScheduleError: If the pool has no embeddings.
    """
    if pool.embeddings is None:
        raise ScheduleError(
            "a pick needs embeddings, the pool has none",
            where="deal.pick",
            hint="train in phase tune, where features are stored",
        )
    centre = pool.embeddings.mean(axis=0)
    decks = WaitingDecks(pool, cells, seed)
    choose = KERNELS[settings.kernel]
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(dealt.steps)) + 1, [len(dealt.cells)]])
    chosen: list[np.ndarray] = []
    for step, (start, end) in enumerate(itertools.pairwise(bounds)):
        given, quotas = dealt.cells[start:end], dealt.counts[start:end]
        looked = [
            decks.look(int(cell), settings.candidates * int(count), int(count))
            for cell, count in zip(given, quotas, strict=True)
        ]
        groups = np.repeat(np.arange(len(looked)), [len(one) for one in looked])
        candidates = np.concatenate(looked)
        rng = generator(seed, "pick", step)
        picked = choose(pool.embeddings[candidates] - centre, groups, quotas, rng)
        for group, cell in enumerate(given):
            decks.take(int(cell), candidates[picked[groups[picked] == group]])
        chosen.append(candidates[picked])
    return np.concatenate(chosen)
