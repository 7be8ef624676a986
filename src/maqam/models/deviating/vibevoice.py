"""How VibeVoice-ASR's encoders are run: without the noise of its class, and with gradients."""

import torch
from torch import Tensor

from maqam.models.common.model import CommonAudioLLM


class VibeVoiceASR(CommonAudioLLM):
    """VibeVoice-ASR, whose class neither trains its encoders nor hears a clip twice the same."""

    def _aligned(self, features: Tensor, is_real: Tensor, owners: list[int]) -> Tensor:
        model = self.model.model
        size = model.config.acoustic_tokenizer_chunk_size
        latents = []
        for encoder in (model.acoustic_tokenizer_encoder, model.semantic_tokenizer_encoder):
            heard, cache = [], None
            for chunk in torch.split(features, size, dim=-1):
                outputs = encoder(chunk, padding_cache=cache, use_cache=True)
                heard.append(outputs.latents)
                cache = outputs.padding_cache
            latents.append(torch.cat(heard, dim=1))
        aligned: Tensor = model.multi_modal_projector(*latents)
        hop = features.shape[-1] // aligned.shape[1]
        return aligned[is_real[:, ::hop]]
