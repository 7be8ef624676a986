"""Lottery: which utterances a cell deals, in an order that no schedule can change.

Every utterance has a key for each epoch, a hash of (seed, epoch, id); a cell deals in key order. So
no utterance comes twice before its cell is through, what was dealt is always a prefix, and two
schedules with one seed see the same utterances of a cell in the same order.

How many each cell deals is known before (`quota`), so the pool is never sorted: one pass keeps
the utterances whose keys are small enough to be dealt, and only those are sorted.
"""

import numpy as np

from maqam.schedule.pool import Cells, Pool
from maqam.seeding import derive

_CHUNK = 1 << 20
_TOP = np.float64(2**64)


def keys(seed: int, epochs: np.ndarray | int, uids: np.ndarray) -> np.ndarray:
    """Return the lottery keys of utterances: integer mixing only, equal on every machine.

    The mixing is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014), applied twice.

    Args:
        seed: The run's seed.
        epochs: Times each utterance was dealt before; one for all, or (num_utterances,).
        uids: (num_utterances,) uint64 stable ids.

    Returns:
        (num_utterances,) uint64.

    Examples:
        >>> keys(0, 0, np.array([1, 2], dtype=np.uint64)).dtype
        dtype('uint64')
    """
    salt = np.uint64(derive(seed, "lottery"))
    epoch_salt = np.asarray(epochs, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        return _mix(_mix(uids ^ salt) + epoch_salt)


def _mix(values: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = values ^ (values >> np.uint64(30))
    mixed = mixed * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed = mixed * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def draw(
    pool: Pool, cells: Cells, seed: int, dealt_cells: np.ndarray, dealt_counts: np.ndarray
) -> np.ndarray:
    """Turn what each cell deals, event by event, into utterances.

    Args:
        pool: The utterances.
        cells: Their grouping.
        seed: The run's seed.
        dealt_cells: (num_events,) cell of each deal, in the order of the plan; a cell occurs at
            most once in a batch.
        dealt_counts: (num_events,) utterances of each deal, at most those of the cell.

    Returns:
        (sum of dealt_counts,) int64 positions in the pool, deal after deal. No deal holds an
        utterance twice, not even where it crosses from one epoch to the next.
    """
    totals = np.bincount(dealt_cells, weights=dealt_counts, minlength=cells.num_cells)
    sequence, starts = _decks(pool, cells, seed, totals.astype(np.int64))
    order = np.argsort(dealt_cells, kind="stable")
    before = np.cumsum(dealt_counts[order]) - dealt_counts[order]
    first_of_cell = np.searchsorted(dealt_cells[order], dealt_cells[order])
    taken = np.empty(len(order), dtype=np.int64)
    taken[order] = before - before[first_of_cell]
    _mend_crossings(sequence, starts, cells.sizes, dealt_cells, dealt_counts, taken)
    firsts = starts[dealt_cells] + taken
    within = np.arange(int(dealt_counts.sum())) - np.repeat(
        np.cumsum(dealt_counts) - dealt_counts, dealt_counts
    )
    return sequence[np.repeat(firsts, dealt_counts) + within]


def _decks(
    pool: Pool, cells: Cells, seed: int, totals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the dealing order of every cell, as long as needed, one cell after the other.

    Returns:
        Positions in the pool, and where each cell's begin.
    """
    repeats = totals > cells.sizes
    needed = np.where(repeats, 0, totals)
    positions, first_keys = _smallest_keys(pool, cells, seed, needed)
    dealt = cells.of_utterance[positions]
    epochs = np.zeros(len(positions), dtype=np.int64)
    if repeats.any():
        again = np.flatnonzero(repeats[cells.of_utterance])
        num_epochs = -(-totals // cells.sizes)[cells.of_utterance[again]]
        copies = np.repeat(again, num_epochs)
        copy_epochs = np.arange(len(copies)) - np.repeat(
            np.cumsum(num_epochs) - num_epochs, num_epochs
        )
        positions = np.concatenate([positions, copies])
        first_keys = np.concatenate([first_keys, keys(seed, copy_epochs, pool.uids[copies])])
        dealt = np.concatenate([dealt, cells.of_utterance[copies]])
        epochs = np.concatenate([epochs, copy_epochs])
    order = _dealing_order(dealt, epochs, first_keys)
    starts = np.searchsorted(dealt[order], np.arange(cells.num_cells))
    return positions[order], starts


def _dealing_order(cells: np.ndarray, epochs: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Sort by cell, epoch and key; in one number where they fit, several times faster."""
    num_epochs = int(epochs.max(initial=0)) + 1
    groups = cells.astype(np.int64) * num_epochs + epochs
    num_bits = int(groups.max(initial=0)).bit_length()
    shift = np.uint64(num_bits)
    packed = groups.astype(np.uint64) << (np.uint64(64) - shift) if num_bits else np.uint64(0)
    packed = packed | (found >> shift)
    order = np.argsort(packed)
    in_order = packed[order]
    if (in_order[1:] == in_order[:-1]).any():  # equal in what is left of the keys
        return np.lexsort((found, groups))
    return order


def _smallest_keys(
    pool: Pool, cells: Cells, seed: int, needed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find at least the `needed` smallest first-epoch keys of every cell, in one pass or two.

    A key is kept when it lies below a share of the key range that would hold the needed number
    plus six standard deviations; cells that came short all the same are read whole.
    """
    share = np.minimum(1.0, (needed + 6 * np.sqrt(needed) + 16) / cells.sizes)
    share[needed == 0] = 0.0
    limits = np.where(share >= 1, _TOP - 2048, share * _TOP).astype(np.uint64)
    limits[share >= 1] = np.uint64(2**64 - 1)
    positions, found = _below(pool, cells, seed, limits, needed > 0)
    short = np.bincount(cells.of_utterance[positions], minlength=cells.num_cells) < needed
    if short.any():
        whole = np.full(cells.num_cells, np.uint64(2**64 - 1))
        kept = ~short[cells.of_utterance[positions]]
        more, more_keys = _below(pool, cells, seed, whole, short)
        positions = np.concatenate([positions[kept], more])
        found = np.concatenate([found[kept], more_keys])
    return positions, found


def _below(
    pool: Pool, cells: Cells, seed: int, limits: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    positions, found = [], []
    for first in range(0, pool.num_utterances, _CHUNK):
        of_cell = cells.of_utterance[first : first + _CHUNK]
        chunk_keys = keys(seed, 0, pool.uids[first : first + _CHUNK])
        kept = np.flatnonzero((chunk_keys <= limits[of_cell]) & wanted[of_cell])
        positions.append(kept + first)
        found.append(chunk_keys[kept])
    return np.concatenate(positions), np.concatenate(found)


def _mend_crossings(
    sequence: np.ndarray,
    starts: np.ndarray,
    sizes: np.ndarray,
    dealt_cells: np.ndarray,
    dealt_counts: np.ndarray,
    taken: np.ndarray,
) -> None:
    """Reorder, in place, the epochs that a deal enters with utterances it already holds.

    Such utterances are passed over and dealt right after, so the epoch still holds each once.
    """
    size = sizes[dealt_cells]
    crosses = taken // size != (taken + dealt_counts - 1) // size
    for event in np.flatnonzero(crosses & (taken > 0)):
        first, count, length = int(taken[event]), int(dealt_counts[event]), int(size[event])
        base = int(starts[dealt_cells[event]])
        border = base + (first // length + 1) * length
        held = sequence[base + first : border]
        epoch = sequence[border : border + length]
        fresh = np.flatnonzero(~np.isin(epoch, held))[: base + first + count - border]
        later = np.setdiff1d(np.arange(len(epoch)), fresh, assume_unique=True)
        sequence[border : border + length] = epoch[np.concatenate([fresh, later])]
