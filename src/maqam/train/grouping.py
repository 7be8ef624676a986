"""Micro-batches of one process with as little padding as their number allows."""

import numpy as np


def least_padding(lengths: np.ndarray, num_parts: int) -> list[np.ndarray]:
    """Split utterances into groups of like length.

    Groups are neighbours in length, and may differ in size: two summaries beside thirty labels
    become a group of their own. No group is larger, padding included, than the largest group of
    an equal split, so memory stays within what an equal split takes.

    Args:
        lengths: (num_utterances,) tokens of each utterance.
        num_parts: Groups, at most as many as utterances.

    Returns:
        `num_parts` arrays of positions, longest first, ascending within a group.

    Examples:
        >>> least_padding(np.array([9, 1, 8, 2, 1, 2]), num_parts=2)
        [array([0, 2]), array([1, 3, 4, 5])]
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    longest = np.asarray(lengths, dtype=np.float64)[order]
    size = len(order)
    equal = np.array_split(np.arange(size), num_parts)
    limit = max(len(part) * longest[part[0]] for part in equal)
    starts = np.arange(size)
    best = np.full(size + 1, np.inf)  # least tokens of the utterances from here on
    best[size] = 0.0
    cuts = []
    for _ in range(num_parts):
        ends = np.arange(1, size + 1)
        tokens = (ends[None, :] - starts[:, None]) * longest[:, None]
        tokens[(tokens <= 0) | (tokens > limit)] = np.inf
        totals = tokens + best[None, 1:]
        cut = totals.argmin(axis=1)
        cuts.append(cut + 1)
        best = np.append(totals[starts, cut], np.inf)
    parts, first = [], 0
    for cut in reversed(cuts):
        parts.append(np.sort(order[first : cut[first]]))
        first = int(cut[first])
    return parts
