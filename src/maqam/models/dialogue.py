"""Chat rows to token ids, in the form of a family's chat template.

The audio placeholder is expanded here, to the exact number of audio tokens, so that the length of
a row is known before any model runs and what does not fit is refused, never cut. The text of a
row is data: words in it that look like tokens of the tokenizer or like an audio tag are spelled,
never obeyed.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maqam.data.prompts import audio_turn
from maqam.data.schema import AUDIO_TAG
from maqam.errors import ModelError
from maqam.models.family import ChatTemplate
from maqam.models.front_end import FrontEnd


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
        tokenizer: A `tokenizers.Tokenizer` that knows the template's tokens of control. From now
            on it spells every token that was added to its vocabulary where it stands in text.
        template: How the family writes a dialogue.
        front_end: What the family's encoder reads of audio.
        max_tokens: Longest dialogue the LLM takes, audio tokens included.
        where: The checkpoint, as an error names it.

    Raises:
        ModelError: If the tokenizer lacks a token of control.
    """

    def __init__(
        self,
        tokenizer: Any,  # noqa: ANN401
        template: ChatTemplate,
        front_end: FrontEnd,
        max_tokens: int,
        *,
        where: str = "",
    ) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.front_end = front_end
        self.max_tokens = max_tokens
        self._ids_of = {token: _id_of(tokenizer, token, where) for token in template.special_tokens}
        self._control = re.compile("|".join(map(re.escape, template.special_tokens)))
        added = tokenizer.get_added_tokens_decoder()
        self._unwritten = {index for index, token in added.items() if token.special}
        self._unwritten |= set(self._ids_of.values())
        tokenizer.add_special_tokens([token.content for token in added.values()])
        tokenizer.add_special_tokens(list(template.special_tokens))
        tokenizer.encode_special_tokens = True
        self.padding_id = self._ids_of[template.padding]
        self.end_id = self._ids_of[template.end]
        self.audio_id = self._ids_of[template.audio[1]]

    @property
    def end_ids(self) -> set[int]:
        """Tokens that end an answer."""
        return {self.end_id, *(self._ids_of[one] for one in self.template.other_ends)}

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
            ModelError: If the dialogue is longer than the LLM's context, the family has no turns
                of a role, or audio has no place in it.
        """
        *asked, answer = messages
        unknown = {turn["role"] for turn in asked} - set(self.template.turns)
        if unknown:
            raise ModelError(
                f"no turn of role {', '.join(sorted(unknown))}",
                where=name,
                hint=f"roles of this model: {', '.join(self.template.turns)}",
            )
        if num_audio_tokens and audio_turn(asked) is None:
            raise ModelError(
                f"there is audio, but no {AUDIO_TAG} in what is asked",
                where=name,
                hint=f"put {AUDIO_TAG} where the audio is heard",
            )
        ids = self._joined(self._prompt(asked, num_audio_tokens))
        target_start = len(ids)
        if with_target:
            ids = ids + self.target_ids(answer["content"])
        if len(ids) > self.max_tokens:
            raise ModelError(
                f"{len(ids)} tokens ({num_audio_tokens} of audio) exceed the context of "
                f"{self.max_tokens}",
                where=name,
                hint="split the audio into shorter segments or leave the row out; "
                "nothing is truncated",
            )
        return Encoded(np.asarray(ids, dtype=np.int64), num_audio_tokens, target_start)

    def num_audio_tokens(self, num_frames: int) -> int:
        """Count the aligner outputs of frames of the front end."""
        return self.front_end.num_audio_tokens(num_frames)

    def num_audio_tokens_of(self, seconds: float) -> int:
        """Count the aligner outputs of audio of some seconds; 0 for none."""
        num_samples = round(seconds * self.front_end.sample_rate)
        return self.num_audio_tokens(self.front_end.num_frames(num_samples))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of an answer up to its end-of-turn token."""
        kept = itertools.takewhile(lambda one: one not in self.end_ids, ids)
        written = [one for one in kept if one not in self._unwritten]
        text: str = self.tokenizer.decode(written, skip_special_tokens=False)
        return text.strip()

    def target_ids(self, text: str) -> list[int]:
        """Return the supervised ids of an answer, as `encode` appends them."""
        return self._joined([text, self.end_id])

    def _prompt(
        self, asked: Sequence[Mapping[str, str]], num_audio_tokens: int
    ) -> Iterator[str | int]:
        """Return the words and the ids of control of a prompt in their order."""
        template = self.template
        if not asked or asked[0]["role"] != "system":
            yield from self._controlled(template.start)
            if template.system is not None:
                asked = [{"role": "system", "content": template.system}, *asked]
        heard = audio_turn(asked) if num_audio_tokens else None
        for index, turn in enumerate(asked):
            before, after = template.turns[turn["role"]]
            yield from self._controlled(before)
            words, rest = turn["content"], ""
            if index == heard:
                words, _, rest = words.partition(AUDIO_TAG)
            yield words
            if index == heard:
                opening, _, closing = template.audio
                yield from self._controlled(opening)
                yield from [self.audio_id] * num_audio_tokens
                yield from self._controlled(closing)
            yield rest
            yield from self._controlled(after)
        yield from self._controlled(template.answer)

    def _controlled(self, text: str) -> Iterator[str | int]:
        """Return a piece of the template, its tokens of control as ids."""
        end = 0
        for found in self._control.finditer(text):
            yield text[end : found.start()]
            yield self._ids_of[found.group()]
            end = found.end()
        yield text[end:]

    def _joined(self, pieces: Iterator[str | int] | list[str | int]) -> list[int]:
        """Tokenise what stands between two ids of control as one text."""
        ids: list[int] = []
        words = ""
        for piece in pieces:
            if isinstance(piece, str):
                words += piece
                continue
            ids += self._ids(words)
            ids.append(piece)
            words = ""
        return ids + self._ids(words)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids if text else []
        return ids


def _id_of(tokenizer: Any, token: str, where: str) -> int:  # noqa: ANN401
    found: int | None = tokenizer.token_to_id(token)
    if found is None:
        raise ModelError(
            f"the tokenizer has no token {token}",
            where=where,
            hint="use the tokenizer of a checkpoint of that family",
        )
    return found
