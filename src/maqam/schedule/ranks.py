"""How one global batch is split over processes and micro-batches: by length, changing no step.

The split is a pure function of the lengths, so every process computes the whole of it and takes
its part; which utterances a step holds never depends on it.
"""

import numpy as np


def micro_batches(
    lengths: np.ndarray, num_micro_batches: int, world_size: int = 1
) -> list[list[np.ndarray]]:
    """Group the utterances of a batch by length, so that little padding is computed.

    Args:
        lengths: (batch_size,) length of each utterance, in tokens.
        num_micro_batches: Forward passes of a step on each process.
        world_size: Processes that share the batch.

    Returns:
        For every process a list of `num_micro_batches` arrays of positions in the batch, a
        partition of it. Part sizes differ by at most one; the processes' parts of one micro-batch
        are neighbours in length, so they take about as long.

    Raises:
        ValueError: If there are more parts than utterances.

    Examples:
        >>> micro_batches(np.array([9, 1, 8, 2]), num_micro_batches=2)
        [[array([0, 2]), array([1, 3])]]
    """
    num_parts = num_micro_batches * world_size
    if not 1 <= num_parts <= len(lengths):
        raise ValueError(
            f"{len(lengths)} utterances cannot be split into {num_micro_batches} micro-batches "
            f"on {world_size} processes"
        )
    longest_first = np.argsort(-np.asarray(lengths), kind="stable")
    parts = [np.sort(part) for part in np.array_split(longest_first, num_parts)]
    return [parts[rank::world_size] for rank in range(world_size)]
