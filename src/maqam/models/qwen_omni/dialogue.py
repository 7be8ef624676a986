"""Chat rows to token ids in the ChatML form of Qwen2.5-Omni.

The audio placeholder is expanded here, to the exact number of audio tokens, so that the length of
a row is known before any model runs and what does not fit is refused, never cut.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from maqam.errors import ModelError

AUDIO_TAG = "<audio>"
AUDIO_BOS, AUDIO_TOKEN, AUDIO_EOS = "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"
TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
PADDING = "<|endoftext|>"
SPECIAL_TOKENS = (
    PADDING,
    TURN_START,
    TURN_END,
    AUDIO_TOKEN,
    AUDIO_BOS,
    AUDIO_EOS,
    "<|vision_bos|>",
    "<|vision_eos|>",
    "<|IMAGE|>",
    "<|VIDEO|>",
)


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


class DialogueEncoder:
    """Turns the messages of a manifest row into ids, and ids back into text.

    Args:
        tokenizer: Byte-level BPE that knows the special tokens of Qwen2.5-Omni.
        max_tokens: Longest dialogue the LLM takes, audio tokens included.

    Raises:
        ModelError: If the tokenizer lacks one of the special tokens used here.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        for token in (TURN_START, AUDIO_BOS, AUDIO_EOS):
            _id_of(tokenizer, token)
        self.padding_id = _id_of(tokenizer, PADDING)
        self.end_id = _id_of(tokenizer, TURN_END)
        self.audio_id = _id_of(tokenizer, AUDIO_TOKEN)

    def encode(
        self,
        messages: Sequence[Mapping[str, str]],
        num_audio_tokens: int,
        *,
        with_target: bool = True,
        name: str = "",
    ) -> Encoded:
        """Give the ids of one dialogue.

        Args:
            messages: Turns of the row, the last one the assistant's target.
            num_audio_tokens: Aligner outputs of the row's audio; 0 for a text row.
            with_target: Whether the assistant's answer is appended and supervised; without it
                the ids end where the model should begin to answer.
            name: Id of the row, for errors.

        Raises:
            ModelError: If the dialogue is longer than the LLM's context.
        """
        *asked, answer = messages
        prompt = "".join(
            f"{TURN_START}{turn['role']}\n{self._with_audio(turn['content'], num_audio_tokens)}"
            f"{TURN_END}\n"
            for turn in asked
        )
        ids = self._ids(f"{prompt}{TURN_START}assistant\n")
        target_start = len(ids)
        if with_target:
            ids = ids + self._ids(f"{answer['content']}{TURN_END}")
        if len(ids) > self.max_tokens:
            raise ModelError(
                f"{len(ids)} tokens ({num_audio_tokens} of audio) exceed the context of "
                f"{self.max_tokens}",
                where=name,
                hint="split the audio into shorter segments or leave the row out; "
                "nothing is truncated",
            )
        return Encoded(np.asarray(ids, dtype=np.int64), num_audio_tokens, target_start)

    def decode(self, ids: Sequence[int]) -> str:
        """Give the text of an answer up to its end-of-turn token."""
        kept = list(ids)
        if self.end_id in kept:
            kept = kept[: kept.index(self.end_id)]
        text: str = self.tokenizer.decode(kept, skip_special_tokens=True)
        return text.strip()

    def target_ids(self, text: str) -> list[int]:
        """Give the supervised ids of an answer, as `encode` appends them."""
        return self._ids(f"{text}{TURN_END}")

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _with_audio(self, content: str, num_audio_tokens: int) -> str:
        if not num_audio_tokens:
            return content
        return content.replace(AUDIO_TAG, AUDIO_BOS + AUDIO_TOKEN * num_audio_tokens + AUDIO_EOS)


def _id_of(tokenizer: Tokenizer, token: str) -> int:
    found: int | None = tokenizer.token_to_id(token)
    if found is None:
        raise ModelError(
            f"the tokenizer has no token {token}",
            hint="use the tokenizer of a Qwen2.5-Omni checkpoint",
        )
    return found
