"""What every family's dialogue encoder offers: texts to ids and back, and audio counted in tokens.

No weights are needed for it, nor torch, so that a plan in tokens is made by the tokenizer alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Encoded:
    """One dialogue as the LLM reads it.

    Attributes:
        input_ids: (num_tokens,) int64 ids, audio placeholders expanded.
        num_audio_tokens: How many of them are placeholders for aligner outputs.
        target_start: Index of the first supervised token; `num_tokens` when there is no target.
    """

    input_ids: np.ndarray
    num_audio_tokens: int
    target_start: int

    @property
    def num_target_tokens(self) -> int:
        """Supervised tokens, the end-of-turn token among them."""
        return len(self.input_ids) - self.target_start


class Dialogues(Protocol):
    """Turns the messages of a manifest row into ids, and ids back into text.

    Attributes:
        tokenizer: Of the model.
        sample_rate: Of the audio that the model hears, in Hz.
        frames_per_second: Frames of its log-mel in a second.
        max_tokens: Longest dialogue the LLM takes, audio tokens included.
        padding_id: Id that fills up a batch.
        end_id: Id that ends an answer.
        audio_id: Id of the placeholder of one aligner output.
    """

    tokenizer: Tokenizer
    sample_rate: int
    frames_per_second: int
    max_tokens: int
    padding_id: int
    end_id: int
    audio_id: int

    def encode(
        self,
        messages: Sequence[Mapping[str, str]],
        num_audio_tokens: int,
        *,
        with_target: bool = True,
        name: str = "",
    ) -> Encoded:
        """Return the ids of one dialogue, its audio placeholder expanded.

        Args:
            messages: Turns of the row, the last one the assistant's target.
            num_audio_tokens: Aligner outputs of the row's audio; 0 for a text row.
            with_target: Whether the target is appended and supervised.
            name: Id of the row, for errors.

        Raises:
            ModelError: If the dialogue is longer than the LLM's context.
        """
        ...

    def num_audio_tokens(self, num_frames: int) -> int:
        """Count the aligner outputs of a log-mel of `num_frames`."""
        ...

    def num_audio_tokens_of(self, seconds: float) -> int:
        """Count the aligner outputs of audio of some seconds; 0 for none."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of an answer up to its end-of-turn token."""
        ...

    def target_ids(self, text: str) -> list[int]:
        """Return the supervised ids of an answer, as `encode` appends them."""
        ...
