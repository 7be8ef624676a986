"""How Qwen2-Audio's encoder is run: transformers gives this family no `get_audio_features`."""

from torch import Tensor
from transformers.masking_utils import create_bidirectional_mask

from maqam.models.common.model import CommonAudioLLM


class Qwen2Audio(CommonAudioLLM):
    """Qwen2-Audio, whose encoder wants a mask over the outputs of its convolutions."""

    def _aligned(self, features: Tensor, is_real: Tensor) -> Tensor:
        tower, aligner = self.model.model.audio_tower, self.model.model.multi_modal_projector
        after_convolutions, counts = tower._get_feat_extract_output_lengths(is_real.sum(dim=1))
        taken = (
            after_convolutions[:, None]
            > is_real.new_ones(1, features.shape[2] // 2).cumsum(dim=1) - 1
        )
        mask = create_bidirectional_mask(
            config=tower.config,
            inputs_embeds=features.new_zeros(*taken.shape, 1),
            attention_mask=taken.long(),
        )
        states = aligner(tower(features, attention_mask=mask).last_hidden_state)
        heard = is_real.new_ones(1, states.shape[1]).cumsum(dim=1) - 1 < counts[:, None]
        return states[heard]
