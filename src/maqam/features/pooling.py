"""One vector per utterance from its frames.

Tensor letters: B utterances, T frames, D width of the aligner outputs.
"""

import torch
from torch import Tensor


def mean_over_frames(frames: Tensor, num_frames: Tensor) -> Tensor:
    """Average the real frames of each utterance and ignore its padding.

    Args:
        frames: [B, T, D] aligner outputs, right-padded, any float dtype.
        num_frames: [B] int64 count of real frames, each in [1, T].

    Returns:
        [B, D] float32 whatever the input: distances between clusters need more
        digits than bfloat16 keeps.

    Examples:
        >>> padded = torch.tensor([[[1.0], [3.0], [99.0]]])
        >>> mean_over_frames(padded, torch.tensor([2]))
        tensor([[2.]])
    """
    positions = torch.arange(frames.shape[1], device=frames.device)
    is_real = positions < num_frames[:, None]  # [B, T]
    total = torch.where(is_real[..., None], frames.float(), 0.0).sum(dim=1)  # [B, D]
    return total / num_frames[:, None]
