"""How Qwen2-Audio's encoder is run: transformers gives this family no `get_audio_features`.

The class pads audio to its window and keeps the padding out of attention, so audio encoded at its
own length, with as many positions, gives the same outputs at a fraction of the cost.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.masking_utils import create_bidirectional_mask

from maqam.models.common.model import CommonAudioLLM


class Qwen2Audio(CommonAudioLLM):
    """Qwen2-Audio, whose encoder wants a mask over the outputs of its convolutions."""

    def _aligned(self, features: Tensor, is_real: Tensor, owners: list[int]) -> Tensor:
        tower, aligner = self.model.model.audio_tower, self.model.model.multi_modal_projector
        num_positions = min(-(-features.shape[2] // 2), tower.embed_positions.num_embeddings)
        features, is_real = (one[..., : 2 * num_positions] for one in (features, is_real))
        after_convolutions, counts = tower._get_feat_extract_output_lengths(is_real.sum(dim=1))
        positions = torch.arange(num_positions, device=features.device)
        mask = create_bidirectional_mask(
            config=tower.config,
            inputs_embeds=features.new_zeros(len(features), num_positions, 1),
            attention_mask=(positions < after_convolutions[:, None]).long(),
        )
        cut = {"embed_positions.weight": tower.embed_positions.weight[:num_positions]}
        with _window_of(tower, num_positions):
            outputs = torch.func.functional_call(
                tower, cut, (_even(features),), {"attention_mask": mask}
            )
        states: Tensor = aligner(outputs.last_hidden_state)
        return states[torch.arange(states.shape[1], device=states.device) < counts[:, None]]


def _even(features: Tensor) -> Tensor:
    """Return features with an even number of frames, the last one repeated."""
    if features.shape[2] % 2 == 0:
        return features
    return torch.cat([features, features[..., -1:]], dim=2)


@contextmanager
def _window_of(tower: PreTrainedModel, num_positions: int) -> Iterator[None]:
    """Let an encoder take audio of that many positions while the block runs."""
    whole = tower.config.max_source_positions
    tower.config.max_source_positions = num_positions
    try:
        yield
    finally:
        tower.config.max_source_positions = whole
