"""How Music Flamingo's encoder is run: its aligner is told the time of every output in its clip."""

from typing import Any

import torch
from torch import Tensor

from maqam.models.common.model import CommonAudioLLM


class MusicFlamingo(CommonAudioLLM):
    """Music Flamingo, whose class reads off the placeholders which windows are of one clip."""

    def encoder_inputs(
        self, features: Tensor, is_real: Tensor, owners: list[int]
    ) -> dict[str, Any]:
        """Return the arguments of `get_audio_features`, placeholders of each clip among them."""
        arguments = super().encoder_inputs(features, is_real, owners)
        lengths = torch.bincount(torch.tensor(owners), weights=is_real.sum(dim=1).cpu()).long()
        heard, gap = self.dialogue.audio_id, self.dialogue.padding_id
        counts = [self.dialogue.front_end.count(length) for length in lengths.tolist()]
        ids = [one for count in counts for one in (*[heard] * count, gap)]
        return arguments | {"input_ids": torch.tensor([ids], device=self.device)}
