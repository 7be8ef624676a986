"""Chat rows to token ids in the ChatML form of Qwen2.5-Omni.

The audio placeholder is expanded here, to the exact number of audio tokens, so that the length of
a row is known before any model runs and what does not fit is refused, never cut.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from tokenizers import Tokenizer

from maqam.errors import ModelError
from maqam.models.dialogue import Encoded
from maqam.models.log_mel import num_frames

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


class DialogueEncoder:
    """Turns the messages of a manifest row into ids, and ids back into text.

    Args:
        tokenizer: Byte-level BPE that knows the special tokens of Qwen2.5-Omni.
        max_tokens: Longest dialogue the LLM takes, audio tokens included.

    Raises:
        ModelError: If the tokenizer lacks one of the special tokens used here.
    """

    sample_rate = 16_000
    frames_per_second = 100

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens
        tokenizer.encode_special_tokens = True  # what a text holds is text, never a turn's end
        self._turn_start_id = _id_of(tokenizer, TURN_START)
        self._audio_bos_id = _id_of(tokenizer, AUDIO_BOS)
        self._audio_eos_id = _id_of(tokenizer, AUDIO_EOS)
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
        """Return the ids of one dialogue.

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
        audio = [self._audio_bos_id, *[self.audio_id] * num_audio_tokens, self._audio_eos_id]
        ids: list[int] = []
        for turn in asked:
            before, tag, after = f"{turn['role']}\n{turn['content']}".partition(AUDIO_TAG)
            if tag and num_audio_tokens and self.audio_id not in ids:
                content = [*self._ids(before), *audio, *self._ids(after)]
            else:
                content = self._ids(before + tag + after)
            ids += [self._turn_start_id, *content, self.end_id, *self._ids("\n")]
        ids += [self._turn_start_id, *self._ids("assistant\n")]
        target_start = len(ids)
        if with_target:
            ids += self.target_ids(answer["content"])
        if len(ids) > self.max_tokens:
            raise ModelError(
                f"{len(ids)} tokens ({num_audio_tokens} of audio) exceed the context of "
                f"{self.max_tokens}",
                where=name,
                hint="split the audio into shorter segments or leave the row out; "
                "nothing is truncated",
            )
        return Encoded(np.asarray(ids, dtype=np.int64), num_audio_tokens, target_start)

    @staticmethod
    def num_audio_tokens(num_frames: int) -> int:
        """Count the aligner outputs of a log-mel of `num_frames`.

        Examples:
            >>> DialogueEncoder.num_audio_tokens(100)
            25
        """
        after_convolutions = (num_frames - 1) // 2 + 1
        return (after_convolutions - 2) // 2 + 1

    def num_audio_tokens_of(self, seconds: float) -> int:
        """Count the aligner outputs of audio of some seconds; 0 for none."""
        frames = num_frames(round(seconds * self.sample_rate))
        return self.num_audio_tokens(frames) if frames else 0

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of an answer up to its end-of-turn token."""
        kept = list(ids)
        if self.end_id in kept:
            kept = kept[: kept.index(self.end_id)]
        text: str = self.tokenizer.decode(kept, skip_special_tokens=True)
        return text.strip()

    def target_ids(self, text: str) -> list[int]:
        """Return the supervised ids of an answer, as `encode` appends them."""
        return [*self._ids(text), self.end_id]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _id_of(tokenizer: Tokenizer, token: str) -> int:
    found: int | None = tokenizer.token_to_id(token)
    if found is None:
        raise ModelError(
            f"the tokenizer has no token {token}",
            hint="use the tokenizer of a Qwen2.5-Omni checkpoint",
        )
    return found
