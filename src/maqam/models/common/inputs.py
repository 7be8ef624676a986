"""Frames of utterances side by side, in the windows that an encoder hears."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from maqam.models.family import EncoderInputs
from maqam.models.front_end import FrontEnd


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of a batch; B windows, M numbers of a frame, N frames.

    Attributes:
        features: [B, M, N] float32 frames, filled up on the right.
        is_real: [B, N] which of them are audio.
        owners: Index of the utterance that each window is of.
    """

    features: Tensor
    is_real: Tensor
    owners: list[int]


def side_by_side(
    frames: Sequence[np.ndarray], front_end: FrontEnd, inputs: EncoderInputs
) -> Windows:
    """Return the windows of utterances.

    Silence fills a window up where the front end keeps some after the audio, else zeros do.

    Args:
        frames: (N_i, M) frames of each utterance, at least one, as the front end gives them.
        front_end: Says how long a window is.
        inputs: Says what its length must be a multiple of.
    """
    tail = front_end.tail_frames
    lengths = [len(one) - tail for one in frames]
    multiple = inputs.multiple_frames
    size = front_end.window_frames or -(-max(len(one) for one in frames) // multiple) * multiple
    counts = [max(1, -(-length // size)) for length in lengths]
    filled = [
        _filled(one, count * size, is_silent=tail > 0)
        for one, count in zip(frames, counts, strict=True)
    ]
    features = np.concatenate(filled).reshape(sum(counts), size, -1).transpose(0, 2, 1)
    real = [
        min(size, length - index * size)
        for length, count in zip(lengths, counts, strict=True)
        for index in range(count)
    ]
    return Windows(
        features=torch.from_numpy(np.ascontiguousarray(features)),
        is_real=torch.arange(size) < torch.tensor(real)[:, None],
        owners=[index for index, count in enumerate(counts) for _ in range(count)],
    )


def _filled(frames: np.ndarray, size: int, *, is_silent: bool) -> np.ndarray:
    """Return (size, M) frames; audio that fills its windows leaves no room for the tail."""
    kept = frames[:size]
    missing = ((0, size - len(kept)), (0, 0))
    return np.pad(kept, missing, mode="edge") if is_silent else np.pad(kept, missing)
