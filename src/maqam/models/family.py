"""What tells one family of audio LLMs from another, as values that need no torch.

The families that transformers carries share one seam: an audio encoder, an aligner, a language
model and a head, with placeholders among the tokens for what is heard. A `Family` says where its
parts are, how it writes a dialogue and what it hears; its defaults are the shared seam, so that a
new family states its deviations only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maqam.models.log_mel import PREPROCESSING, log_mel

PARTS = ("encoder", "aligner", "llm")


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """How a dialogue is written, tokens of control and plain words mixed.

    Attributes:
        turns: What stands before and after the text of a turn, by role.
        answer: What stands before the answer that the model is to give.
        end: Token that ends an answer.
        audio: What stands before the placeholders of the audio, the placeholder, and what stands
            after them.
        padding: Token that fills a batch.
        special_tokens: All tokens of control used here.
        system: Text of the system's turn, for a dialogue that does not begin with one.
        start: What stands before a dialogue that does not begin with the system's turn.
    """

    turns: Mapping[str, tuple[str, str]]
    answer: str
    end: str
    audio: tuple[str, str, str]
    padding: str
    special_tokens: tuple[str, ...]
    system: str | None = None
    start: str = ""


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """What an encoder reads of audio, and how many audio tokens come of it.

    Attributes:
        count: Audio tokens of a number of frames.
        num_bins: Numbers of a frame.
        extract: Gives the (num_frames, num_bins) frames of samples, at least one sample.
        sample_rate: Of the audio, Hz.
        frames_per_second: Frames of a second of audio.
        tail_frames: Frames of silence kept after the audio, because the encoder's convolutions
            see them; they give no audio token.
        max_frames: Longest audio the encoder takes, without the tail; None where only the LLM's
            context limits it.
    """

    count: Callable[[int], int]
    num_bins: int = 128
    extract: Callable[[np.ndarray, int], np.ndarray] = log_mel
    sample_rate: int = 16_000
    frames_per_second: int = 100
    tail_frames: int = 0
    max_frames: int | None = None

    @property
    def name(self) -> str:
        """What decides the numbers of a frame, as a feature store writes it down."""
        tail = f", {self.tail_frames} of silence after" if self.tail_frames else ""
        return f"{PREPROCESSING}, {self.num_bins} bins, {self.sample_rate} Hz{tail}"

    @property
    def tokens_per_second(self) -> int:
        """Audio tokens of a second of audio."""
        return self.count(self.frames_per_second)

    @property
    def min_samples(self) -> int:
        """Fewest samples that give an audio token."""
        frames = next(number for number in range(1, 1000) if self.count(number) > 0)
        return (frames - 1) * self._hop_samples + 1

    @property
    def max_seconds(self) -> float | None:
        """Longest audio the encoder takes; None where only the LLM's context limits it."""
        return None if self.max_frames is None else self.max_frames / self.frames_per_second

    def exceeds(self, num_frames: int) -> bool:
        """Return whether frames, tail included, are more than the encoder takes."""
        return self.max_frames is not None and num_frames - self.tail_frames > self.max_frames

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """Return the (num_frames, num_bins) float32 frames of samples, tail included."""
        tail = np.zeros(self.tail_frames * self._hop_samples, dtype=np.float32)
        return self.extract(
            np.concatenate([samples, tail]) if len(tail) else samples, self.num_bins
        )

    def num_frames(self, num_samples: int) -> int:
        """Count the frames of samples, tail included; no samples give none."""
        return -(-num_samples // self._hop_samples) + self.tail_frames if num_samples else 0

    def num_audio_tokens(self, num_frames: int) -> int:
        """Count the audio tokens of frames, tail included."""
        return self.count(num_frames - self.tail_frames) if num_frames else 0

    @property
    def _hop_samples(self) -> int:
        return self.sample_rate // self.frames_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family of audio LLMs.

    Attributes:
        kind: Its name in a recipe.
        title: Its name for people.
        hub_id: A checkpoint of it, as an example.
        model_type: `model_type` of its config.json.
        architecture: Its class in transformers, loaded with a language model head.
        template: How it writes a dialogue.
        front_end: What its encoder reads; `num_bins` is that of the checkpoint when loaded.
        nested: Key of config.json that holds this model's configuration, where a checkpoint has
            more than one model.
        parts: Prefixes of parameter names by part; the longest that fits decides.
        language_model: Name of the module that runs on embeddings.
        narrows_last_layer: Whether the last layer can be computed at some positions only.
        window_frames: Frames that audio is padded to; None for the longest of a batch.
        max_tokens: The LLM's context where config.json does not say it.
        prepare_tokenizer: Sets up the tokenizer of tokenizer.json as its class in transformers
            does, where that does more than reading it.
    """

    kind: str
    title: str
    hub_id: str
    model_type: str
    architecture: str
    template: ChatTemplate
    front_end: FrontEnd
    nested: str | None = None
    parts: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "encoder": ("model.audio_tower.",),
            "aligner": ("model.multi_modal_projector.",),
            "llm": ("model.language_model.", "lm_head."),
        }
    )
    language_model: str = "model.language_model"
    narrows_last_layer: bool = True
    window_frames: int | None = None
    max_tokens: int = 32_768
    prepare_tokenizer: Callable[[Any], None] | None = None

    def part_of(self, parameter_name: str) -> str | None:
        """Return the part a parameter belongs to, None for what is never trained, as vision is."""
        fitting = [
            (len(prefix), part)
            for part, prefixes in self.parts.items()
            for prefix in prefixes
            if parameter_name.startswith(prefix)
        ]
        return max(fitting)[1] if fitting else None


def chatml(
    audio: tuple[str, str, str], *, extra_tokens: tuple[str, ...] = (), system: str | None = None
) -> ChatTemplate:
    """Return the form in which Qwen's models write dialogues.

    Args:
        audio: What stands before the placeholders of the audio, the placeholder, and what stands
            after them.
        extra_tokens: Tokens of control around the placeholders.
        system: Text of the system's turn, for a dialogue that does not begin with one.
    """
    start, end, padding = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
    return ChatTemplate(
        turns={role: (f"{start}{role}\n", f"{end}\n") for role in ("system", "user", "assistant")},
        answer=f"{start}assistant\n",
        end=end,
        audio=audio,
        padding=padding,
        special_tokens=(padding, start, end, audio[1], *extra_tokens),
        system=system,
    )


def two_convolutions_and_pooling(num_frames: int) -> int:
    """Count the outputs of a convolution of stride 2 and a pooling of two after it.

    Examples:
        >>> two_convolutions_and_pooling(100)
        25
    """
    after_convolutions = (num_frames - 1) // 2 + 1
    return (after_convolutions - 2) // 2 + 1
