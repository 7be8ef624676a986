"""How Qwen2-Audio's encoder is run: transformers gives this family no `get_audio_features`.

The class pads audio to its window and keeps the padding out of attention, so audio encoded at its
own length, with as many positions, gives the same outputs at a fraction of the cost.
"""

import torch
from torch import Tensor
from transformers.masking_utils import create_bidirectional_mask

from maqam.models.common.model import CommonAudioLLM
from maqam.models.common.positions import encode_at_length


class Qwen2Audio(CommonAudioLLM):
    """Qwen2-Audio, whose encoder wants a mask over the outputs of its convolutions."""

    def _aligned(self, features: Tensor, is_real: Tensor, owners: list[int]) -> Tensor:
        tower, aligner = self.model.model.audio_tower, self.model.model.multi_modal_projector
        longest = int(is_real.sum(dim=1).max()) + self.dialogue.front_end.tail_frames
        num_positions = min(-(-longest // 2), tower.embed_positions.num_embeddings)
        features, is_real = (one[..., : 2 * num_positions] for one in (features, is_real))
        after_convolutions, counts = tower._get_feat_extract_output_lengths(is_real.sum(dim=1))
        positions = torch.arange(num_positions, device=features.device)
        mask = create_bidirectional_mask(
            config=tower.config,
            inputs_embeds=features.new_zeros(len(features), num_positions, 1),
            attention_mask=(positions < after_convolutions[:, None]).long(),
        )
        outputs = encode_at_length(tower, features, num_positions, attention_mask=mask)
        states: Tensor = aligner(outputs.last_hidden_state)
        return states[torch.arange(states.shape[1], device=states.device) < counts[:, None]]
