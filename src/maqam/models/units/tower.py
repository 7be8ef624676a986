"""The encoder of a model of units: the first layers of a Whisper, kept in float32.

A unit is a decision, so it must not turn with the number format that the LLM runs in. Whisper's
encoder hears the silence that fills its window up, and was trained so: at a clip's own length its
outputs are others, and it never trains here to make up for that.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from maqam.models.composed.parts import ENCODER_SHAPE

TOWER = "unit_tower"  # its name inside the model


def first_layers(encoder: WhisperEncoder, layer: int) -> WhisperEncoder:
    """Return an encoder that gives the outputs of one of its layers, in place.

    Args:
        encoder: A Whisper's.
        layer: From 1; the layers after it and the last norm go.
    """
    del encoder.layers[layer:]
    encoder.config.encoder_layers = layer
    encoder.layer_norm = nn.Identity()
    return encoder.float().eval()


def new_tower(settings: Mapping[str, Any]) -> WhisperEncoder:
    """Build an encoder without its weights.

    Args:
        settings: As `encoder_settings` returns them.
    """
    config = WhisperConfig(**{name: settings[name] for name in ENCODER_SHAPE})
    config._attn_implementation = "sdpa"
    return first_layers(WhisperEncoder(config), config.encoder_layers)


@torch.no_grad()
def encoder_frames(encoder: WhisperEncoder, log_mel: Tensor, num_frames: int) -> Tensor:
    """Return the [T, D] outputs of an encoder for one clip, window by window.

    Args:
        encoder: As `first_layers` returns it.
        log_mel: [N, M] frames of the clip, silence after it included.
        num_frames: Those of the clip alone.
    """
    window = 2 * encoder.config.max_source_positions
    heard = []
    for first in range(0, num_frames, window):
        frames = log_mel[first : first + window].float()
        silence = frames[-1:].expand(window - len(frames), -1)
        features = torch.cat([frames, silence]).T[None]
        states = encoder(features).last_hidden_state
        heard.append(states[0, : (min(num_frames - first, window) - 1) // 2 + 1])
    return torch.cat(heard)
