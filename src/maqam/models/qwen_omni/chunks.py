"""The chunks of an audio encoder, attended to side by side.

Qwen2.5-Omni's encoder attends within chunks of two seconds. Without the flash-attn package,
transformers calls attention once for each chunk of each utterance, in every layer: hundreds of
small calls a step, between which a GPU idles. Here the chunks are padded to the longest, and one
call a layer serves them all. A processor is busy with the smallest call, so padding costs it more
than calls do (`benchmarks/encoder_chunks.py`): it keeps to a call for each.

Tensor letters: N encoder positions (two log-mel frames each), H heads, T tokens, D head width,
M mel bins.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

_SIDE_BY_SIDE = "sdpa_side_by_side"


@dataclass(frozen=True, slots=True)
class Chunks:
    """Where the positions of an encoder lie when its chunks are side by side.

    Attributes:
        slots: [N] place of each position in the flattened [num_chunks * longest].
        is_taken: [num_chunks, 1, 1, longest] whether there is a position in a place.
    """

    slots: Tensor
    is_taken: Tensor

    @classmethod
    def of(cls, num_frames: np.ndarray, chunk_frames: int) -> "Chunks":
        """Lay out utterances.

        Args:
            num_frames: (num_utterances,) log-mel frames of each, at least 1.
            chunk_frames: Log-mel frames of a whole chunk.

        Examples:
            >>> chunks = Chunks.of(np.array([5, 2]), chunk_frames=4)
            >>> chunks.is_taken[:, 0, 0].int().tolist()
            [[1, 1], [1, 0], [1, 0]]
            >>> chunks.slots.tolist()
            [0, 1, 2, 4]
        """
        of_chunks = np.concatenate(
            [np.diff([*range(0, int(total), chunk_frames), int(total)]) for total in num_frames]
        )
        lengths = (of_chunks - 1) // 2 + 1  # the second convolution has a stride of 2
        is_taken = np.arange(lengths.max()) < lengths[:, None]
        return cls(
            slots=torch.from_numpy(is_taken.ravel().nonzero()[0]),
            is_taken=torch.from_numpy(is_taken)[:, None, None, :],
        )

    def to(self, device: torch.device) -> "Chunks":
        """Return the same on a device."""
        return Chunks(self.slots.to(device), self.is_taken.to(device))

    def spread(self, states: Tensor) -> Tensor:
        """Lay [1, H, N, D] states side by side: [num_chunks, H, longest, D], zeros between."""
        num_chunks, longest = len(self.is_taken), self.is_taken.shape[-1]
        rows = states[0].transpose(0, 1)  # [N, H, D]
        places = rows.new_zeros(num_chunks * longest, *rows.shape[1:])
        filled = places.index_copy(0, self.slots, rows)
        return filled.view(num_chunks, longest, *rows.shape[1:]).transpose(1, 2)

    def gather(self, states: Tensor) -> Tensor:
        """Put [num_chunks, longest, H, D] states back in a row: [1, N, H, D]."""
        return states.flatten(0, 1).index_select(0, self.slots)[None]


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    chunks: Chunks | None = None,
    **settings: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    """Attend as transformers' `sdpa` does, within chunks where they are given.

    Args:
        module: The attention layer.
        query: [B, H, T, D]; [1, H, N, D] with chunks, as are key and value.
        key: [B, H, T, D].
        value: [B, H, T, D].
        attention_mask: What a query sees; None with chunks.
        chunks: Where the positions lie.
        settings: Those of transformers' attention functions.

    Returns:
        [B, T, H, D], and None for the weights.
    """
    if chunks is None:
        attended, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
        return attended, None
    spread = [chunks.spread(one) for one in (query, key, value)]
    attended, _ = sdpa_attention_forward(module, *spread, chunks.is_taken, **settings)
    return chunks.gather(attended), None


def allow_side_by_side(tower: PreTrainedModel) -> None:
    """Let an audio tower attend by `attend`: as `sdpa` does, unless it is given chunks."""
    AttentionInterface.register(_SIDE_BY_SIDE, attend)
    tower.set_attn_implementation(_SIDE_BY_SIDE)


def encode_side_by_side(tower: PreTrainedModel, log_mels: Tensor, lengths: np.ndarray) -> Tensor:
    """Run encoder and aligner with one call of attention a layer.

    Args:
        tower: Qwen2.5-Omni's audio tower, `allow_side_by_side` done.
        log_mels: [M, sum of lengths], all utterances one after the other.
        lengths: (num_utterances,) log-mel frames of each, at least 1.

    Returns:
        [total audio tokens, output_dim] what the tower gives without this, up to rounding.
    """
    chunks = Chunks.of(lengths, 2 * tower.config.n_window).to(log_mels.device)
    outputs = tower(
        log_mels,
        feature_lens=torch.from_numpy(lengths).to(log_mels.device),
        valid_indices=chunks.slots,
        # one chunk that holds all: what is a chunk is left to `attend`
        cu_seqlens=torch.tensor([0, len(chunks.slots)], dtype=torch.int32),
        chunks=chunks,
    )
    states: Tensor = outputs.last_hidden_state
    return states
