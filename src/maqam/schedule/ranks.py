"""How one global batch is split over processes and micro-batches: by length, changing no step.

The split is a pure function of the lengths, so every process computes the whole of it and takes
its part; which utterances a step holds never depends on it.
"""

from itertools import pairwise

import numpy as np


def micro_batches(
    lengths: np.ndarray,
    num_micro_batches: int,
    world_size: int = 1,
    max_tokens: int | None = None,
) -> list[list[np.ndarray]]:
    """Group the utterances of a batch by length, so that little padding is computed.

    Micro-batches hold neighbours in length and may differ in size: two summaries beside thirty
    labels become a micro-batch of their own. None holds more tokens, padding counted, than the
    largest of an equal split would, nor more than `max_tokens`.

    Args:
        lengths: (batch_size,) length of each utterance, in tokens.
        num_micro_batches: Forward passes of a step on each process; more where `max_tokens`
            needs them.
        world_size: Processes that share the batch.
        max_tokens: Most tokens of a micro-batch, padding counted, or those of the longest
            utterance where it has more. No limit when None.

    Returns:
        For every process as many arrays of positions in the batch, longest first and ascending
        within each: a partition of the batch. What processes get of one micro-batch are
        neighbours in length, so they take about as long.

    Raises:
        ValueError: If there are more parts than utterances.

    Examples:
        >>> micro_batches(np.array([9, 1, 8, 2, 1, 2]), num_micro_batches=2)
        [[array([0, 2]), array([1, 3, 4, 5])]]
        >>> micro_batches(np.array([9, 1, 8, 2, 1, 2]), num_micro_batches=1, max_tokens=10)
        [[array([0]), array([2]), array([1, 3, 4, 5])]]
        >>> micro_batches(np.array([9, 1, 8, 2]), num_micro_batches=2, world_size=2)
        [[array([0]), array([3])], [array([2]), array([1])]]
    """
    if not 1 <= num_micro_batches * world_size <= len(lengths):
        raise ValueError(
            f"{len(lengths)} utterances cannot be split into {num_micro_batches} micro-batches "
            f"on {world_size} processes"
        )
    order = np.argsort(-np.asarray(lengths), kind="stable")
    longest = np.maximum(np.asarray(lengths, dtype=np.float64)[order], 1.0)
    # processes take turns; each turn is one place, the last takes up what is left
    starts = np.arange(len(order) // world_size) * world_size
    ends = np.append(starts[1:], len(order))
    sizes = -(-(ends - starts) // world_size)
    cuts = _cuts(longest[starts], sizes, num_micro_batches, max_tokens)
    parts = [order[starts[first] : ends[last - 1]] for first, last in pairwise(cuts)]
    return [[np.sort(part[rank::world_size]) for part in parts] for rank in range(world_size)]


def _cuts(
    longest: np.ndarray, sizes: np.ndarray, num_parts: int, max_tokens: int | None
) -> list[int]:
    """Cut places into parts with the least padding that their number and limits allow.

    Args:
        longest: (num_places,) longest utterance of each place, descending.
        sizes: (num_places,) utterances that one process has of each.
        num_parts: Fewest parts.
        max_tokens: Most tokens of a part, padding counted.

    Returns:
        Where the parts begin, and the end of the last.
    """
    num_places = len(longest)
    before = np.concatenate([[0], np.cumsum(sizes)])
    # tokens[first, last] of a part from place `first` to place `last`, both within it
    tokens = (before[None, 1:] - before[:-1, None]) * longest[:, None]
    if max_tokens is not None:
        largest = max(float(max_tokens), float((sizes * longest).max()))
        num_parts = max(num_parts, _fewest(tokens, largest))
    else:
        largest = np.inf
    equal = [int(part[-1]) for part in np.array_split(np.arange(num_places), num_parts)]
    limit = min(largest, max(tokens[first, last] for first, last in _spans(equal)))
    tokens[(tokens <= 0) | (tokens > limit)] = np.inf
    best = np.full(num_places + 1, np.inf)  # least tokens of the places from here on
    best[num_places] = 0.0
    choices = []
    for _ in range(num_parts):
        totals = tokens + best[None, 1:]
        choices.append(totals.argmin(axis=1) + 1)
        best = np.append(totals.min(axis=1), np.inf)
    cuts = [0]
    for choice in reversed(choices):
        cuts.append(int(choice[cuts[-1]]))
    return cuts


def _fewest(tokens: np.ndarray, limit: float) -> int:
    """Return the fewest parts of which none exceeds a limit: each as large as it may be."""
    first, number = 0, 0
    while first < len(tokens):
        first += int((tokens[first, first:] <= limit).sum())
        number += 1
    return number


def _spans(lasts: list[int]) -> list[tuple[int, int]]:
    """Return the first and last place of parts, from their last places."""
    return [(last_before + 1, last) for last_before, last in pairwise([-1, *lasts])]
