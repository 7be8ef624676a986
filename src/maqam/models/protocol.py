"""The seam between audio LLMs and everything that trains, decodes or explains them.

Nothing outside of `models` knows of which family a model is. `CommonAudioLLM` is the seam for the
families of transformers; a class that shares nothing with it need only fit `AudioLLM`.

Tensor letters: B utterances, T tokens, D LLM width, N frames, M numbers of a frame,
S positions.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from maqam.models.dialogue import DialogueEncoder, Encoded


class AudioStates(Protocol):
    """Where aligner outputs come from: a feature store, or the encoder run on the spot."""

    def __call__(self, rows: Sequence[int]) -> list[Tensor]:
        """Return the aligner outputs [T_i, D] of manifest rows; zero length for text rows."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Dialogues side by side, right-padded.

    Attributes:
        input_ids: [B, T] int64.
        lengths: [B] int64 real tokens of each row.
        target_starts: [B] int64 index of each row's first supervised token.
        audio_states: Aligner outputs [T_i, D] of each row, zero length for a text row.
    """

    input_ids: Tensor
    lengths: Tensor
    target_starts: Tensor
    audio_states: list[Tensor]


def collate(encoded: Sequence[Encoded], audio_states: Sequence[Tensor], padding_id: int) -> Batch:
    """Put dialogues side by side, right-padded."""
    ids = [torch.from_numpy(one.input_ids) for one in encoded]
    return Batch(
        input_ids=pad_sequence(ids, batch_first=True, padding_value=padding_id),
        lengths=torch.tensor([len(one) for one in ids]),
        target_starts=torch.tensor([one.target_start for one in encoded]),
        audio_states=list(audio_states),
    )


class AudioLLM(Protocol):
    """One audio LLM: encoder, aligner and LLM, and the steps that training and decoding share."""

    @property
    def model(self) -> Any:  # noqa: ANN401  a PreTrainedModel, which transformers leaves untyped
        """The module of transformers whose parameters train; LoRA layers may be injected."""
        ...

    @property
    def dialogue(self) -> DialogueEncoder:
        """Texts to ids and back, audio counted in tokens."""
        ...

    @property
    def llm(self) -> Any:  # noqa: ANN401  as above
        """The module that runs on embeddings."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    @property
    def audio_dim(self) -> int:
        """Width of the aligner outputs, which is the LLM's."""
        ...

    def encode_audio(self, log_mels: Sequence[np.ndarray]) -> list[Tensor]:
        """Run encoder and aligner.

        Args:
            log_mels: (N_i, M) float32 frames of each utterance, as the front end gives them.

        Returns:
            Aligner outputs [num_audio_tokens, D] of each utterance; gradients flow.
        """
        ...

    def embeddings(self, batch: Batch) -> Tensor:
        """Return the LLM's inputs [B, T, D], aligner outputs in place of the placeholders."""
        ...

    def hidden(self, batch: Batch) -> Tensor:
        """Return the LLM's hidden states [B, T, D] for every position."""
        ...

    def hidden_at(self, batch: Batch, positions: Tensor) -> Tensor:
        """Return the LLM's hidden states [S, D] at positions of the flattened [B * T]."""
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """Project hidden states [..., D] to the vocabulary."""
        ...

    def generate(
        self, prompts: Sequence[Encoded], audio_states: Sequence[Tensor], max_new_tokens: int
    ) -> list[list[int]]:
        """Answer prompts greedily, side by side.

        Args:
            prompts: Dialogues encoded without their target.
            audio_states: Aligner outputs of each prompt.
            max_new_tokens: Where an answer without an end is cut.

        Returns:
            New ids of each answer; the end-of-turn id is last where the model gave it.
        """
        ...

    def answer(
        self,
        prompts: Sequence[Encoded],
        audio_states: Sequence[Tensor],
        max_new_tokens: int,
        continuations: Sequence[Sequence[int]] = (),
    ) -> tuple[list[list[int]], Tensor]:
        """Answer greedily and score fixed answers, for one pass of the prompts.

        Args:
            prompts: Dialogues encoded without their target.
            audio_states: Aligner outputs of each prompt.
            max_new_tokens: Where an answer without an end is cut; 0 to score only.
            continuations: Ids of each fixed answer, the end-of-turn id last.

        Returns:
            New ids of each answer, and the [B, num_continuations] float32 log-likelihoods of the
            fixed ones: sums over their tokens.
        """
        ...

    def part_of(self, parameter_name: str) -> str | None:
        """Return the part a parameter belongs to, None for what is never trained."""
        ...

    def parts(self) -> dict[str, list[str]]:
        """Return the full parameter names of encoder, aligner and LLM."""
        ...

    def lora_target_names(self) -> list[str]:
        """Return the full names of the LLM's linear layers, the only ones that get LoRA."""
        ...

    def trained_tokens(self) -> dict[str, list[int]]:
        """Return the ids of tokens whose embeddings train with an adapter, by the embeddings' name.

        There are none where all tokens are the LLM's own.
        """
        ...

    def rest_encoder(self) -> None:
        """Switch off what is random in encoder and aligner."""
        ...

    def single_precision_attention(self) -> AbstractContextManager[None]:
        """Attend in float32 whatever the model computes in, while the block runs."""
        ...

    def save_companions(self, folder: Path) -> None:
        """Write what belongs to the weights in a checkpoint: tokenizer, processor, template."""
        ...
