"""Encoders with a table of positions, run on clips shorter than the window it is made for."""

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel


def encode_at_length(
    tower: PreTrainedModel, features: Tensor, num_positions: int, **inputs: Tensor
) -> Any:  # noqa: ANN401
    """Run an encoder on a part of its window, with the first of its positions.

    Args:
        tower: An encoder of Whisper's kind that masks padding: a convolution of stride 2, then a
            position each.
        features: [B, M, N] frames, N of at most twice the positions; the last one is repeated
            where there is one too few.
        num_positions: Positions that are used.
        inputs: What the encoder takes beside them.

    Returns:
        What the encoder returns.
    """
    missing = 2 * num_positions - features.shape[2]
    if missing > 0:
        features = torch.cat([features, *[features[..., -1:]] * missing], dim=2)
    whole = tower.config.max_source_positions
    cut = {"embed_positions.weight": tower.embed_positions.weight[:num_positions]}
    tower.config.max_source_positions = num_positions
    try:
        return torch.func.functional_call(
            tower, cut, (features[..., : 2 * num_positions],), inputs, strict=False
        )
    finally:
        tower.config.max_source_positions = whole
