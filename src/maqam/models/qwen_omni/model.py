"""How the thinker's encoder is run: unpadded, chunk by chunk or side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maqam.models.common.model import CommonAudioLLM
from maqam.models.qwen_omni.chunks import allow_side_by_side, encode_side_by_side


class QwenOmni(CommonAudioLLM):
    """A thinker, whose encoder takes all utterances of a batch one after the other."""

    def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **settings)
        allow_side_by_side(self.model.model.audio_tower)

    def encode_audio(self, log_mels: Sequence[np.ndarray]) -> list[Tensor]:
        """Run encoder and aligner.

        Args:
            log_mels: (N_i, M) float32 log-mel of each utterance, unpadded.

        Returns:
            Aligner outputs [num_audio_tokens, D] of each utterance; gradients flow.
        """
        if not log_mels:
            return []
        lengths = np.array([len(one) for one in log_mels])
        frames = torch.from_numpy(np.concatenate(list(log_mels))).to(self.device).T.contiguous()
        tower = self.model.model.audio_tower
        if self.device.type == "cpu":
            states = tower(frames, feature_lens=torch.from_numpy(lengths)).last_hidden_state
        else:
            states = encode_side_by_side(tower, frames, lengths)
        counts = [self.dialogue.num_audio_tokens(int(length)) for length in lengths]
        return list(torch.split(states, counts))
