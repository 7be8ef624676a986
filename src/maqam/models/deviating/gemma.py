"""How Gemma 4 is run: every layer reads the tokens anew, and its logits are bounded."""

from typing import Any

import torch
from torch import Tensor

from maqam.models.common.model import CommonAudioLLM


class Gemma4(CommonAudioLLM):
    """Gemma 4 with its audio encoder."""

    def _aligned(self, features: Tensor, is_real: Tensor, owners: list[int]) -> Tensor:
        outputs = self.model.model.get_audio_features(features.mT, is_real)
        aligned: Tensor = outputs.pooler_output[outputs.attention_mask]
        return aligned

    def _run(self, ids: Tensor, inputs: Tensor, **settings: Any) -> Any:  # noqa: ANN401
        if self.llm.config.hidden_size_per_layer_input:
            written = ids.masked_fill(ids == self.dialogue.audio_id, self.llm.config.pad_token_id)
            settings["per_layer_inputs"] = self.llm.get_per_layer_inputs(written)
        return super()._run(ids, inputs, **settings)

    def logits(self, hidden: Tensor) -> Tensor:
        """Project hidden states [..., D] to the vocabulary."""
        bound = self.llm.config.final_logit_softcapping
        projected = super().logits(hidden)
        return projected if bound is None else bound * torch.tanh(projected / bound)
