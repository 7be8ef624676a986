"""Where the rows of a global batch stand in a file, so that a peer's micro-batches hold audio.

A trainer that reads in order takes a window of world_size x micro_batch_size rows a forward pass.
ms-swift gives process r of W the rows r, r + W, ... of the window, accelerate a block of
neighbours. Rows move inside their own global batch only.
"""

import numpy as np

from maqam.export.parts import Sharding


def file_order(
    lengths: np.ndarray,
    has_audio: np.ndarray,
    *,
    world_size: int,
    num_micro_batches: int,
    sharding: Sharding,
) -> np.ndarray:
    """Order a global batch for a peer: audio spread evenly, neighbours in length together.

    Args:
        lengths: (batch_size,) seconds of rows with audio, characters of the others.
        has_audio: (batch_size,) bool.
        world_size: Processes that share the batch.
        num_micro_batches: Forward passes of a step on each process.
        sharding: How the peer spreads a window of rows over its processes.

    Returns:
        (batch_size,) positions in the batch. The first has audio if any has, and the rows with
        audio of two micro-batches differ in number by at most one.

    Raises:
        ValueError: If the batch does not split evenly.

    Examples:
        >>> audio = np.array([False, True, False, True])
        >>> split = dict(world_size=2, num_micro_batches=1)
        >>> file_order(np.arange(4.0), audio, **split, sharding="stride")
        array([3, 1, 2, 0])
        >>> file_order(np.arange(4.0), audio, **split, sharding="block")
        array([3, 2, 1, 0])
    """
    num_parts = world_size * num_micro_batches
    size, left = divmod(len(lengths), num_parts)
    if left or not size:
        raise ValueError(f"{len(lengths)} rows do not split into {num_parts} equal parts")
    longest_first = np.argsort(-lengths, kind="stable")
    heard = has_audio[longest_first]
    audio = np.array_split(longest_first[heard], num_parts)
    ends = np.cumsum([size - len(part) for part in audio])
    text = np.split(longest_first[~heard], ends[:-1])
    parts = np.array([np.concatenate(pair) for pair in zip(audio, text, strict=True)])
    windows = parts.reshape(num_micro_batches, world_size, size)
    if sharding == "stride":
        windows = windows.swapaxes(1, 2)
    return np.ascontiguousarray(windows).reshape(-1)
