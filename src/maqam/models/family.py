"""What tells one family of audio LLMs from another, as values that need no torch.

The families that transformers carries share one seam: an audio encoder, an aligner, a language
model and a head, with placeholders among the tokens for what is heard. A `Family` says where its
parts are, how it writes a dialogue and what it hears; its defaults are the shared seam, so that a
new family states its deviations only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from maqam.models.front_end import FrontEnd

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
        other_ends: Tokens that end an answer as well, though it is trained with `end`.
    """

    turns: Mapping[str, tuple[str, str]]
    answer: str
    end: str
    audio: tuple[str, str, str]
    padding: str
    special_tokens: tuple[str, ...]
    system: str | None = None
    start: str = ""
    other_ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EncoderInputs:
    """How frames are handed to `get_audio_features` of a family's class.

    Attributes:
        features: Argument of the frames.
        mask: Argument that marks real frames; None where the encoder hears all of a window.
        axes: Their order: windows (B), numbers of a frame (M), frames (N).
        multiple_frames: Windows of no fixed length are filled up to a multiple of this.
        is_alone: Whether windows are heard one after the other, because the encoder hears what
            fills up those of a batch.
    """

    features: str = "input_features"
    mask: str | None = "input_features_mask"
    axes: Literal["BMN", "BNM", "BN"] = "BMN"
    multiple_frames: int = 1
    is_alone: bool = False


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
        front_end: What its encoder reads, before a checkpoint has said its own settings.
        inputs: How frames are handed to its encoder.
        whole: `model_type` of a checkpoint that has more models than this one, if there is such.
        nested: Key of its config.json that holds this model's configuration.
        parts: Prefixes of parameter names by part; the longest that fits decides.
        language_model: Name of the module that runs on embeddings.
        narrows_last_layer: Whether the last layer can be computed at some positions only.
        max_tokens: The LLM's context where config.json does not say it.
        prepare_tokenizer: Sets up the tokenizer of tokenizer.json as its class in transformers
            does, where that does more than reading it.
        remark: What a user should know of it, a sentence or two.
        licence: Of its weights, as their authors state it; empty where their card must be asked.
    """

    kind: str
    title: str
    hub_id: str
    model_type: str
    architecture: str
    template: ChatTemplate
    front_end: FrontEnd
    inputs: EncoderInputs = EncoderInputs()
    whole: str | None = None
    nested: str = ""
    parts: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "encoder": ("model.audio_tower.",),
            "aligner": ("model.multi_modal_projector.",),
            "llm": ("model.language_model.", "lm_head."),
        }
    )
    language_model: str = "model.language_model"
    narrows_last_layer: bool = True
    max_tokens: int = 32_768
    prepare_tokenizer: Callable[[Any], None] | None = None
    remark: str = ""
    licence: str = ""

    @property
    def holder(self) -> str:
        """What a checkpoint of more than one model calls this one, with a dot; empty for one."""
        return f"{self.nested.removesuffix('_config')}." if self.nested else ""

    def part_of(self, parameter_name: str) -> str | None:
        """Return the part a parameter belongs to, None for what is never trained, as vision is."""
        fitting = [
            (len(prefix), part)
            for part, prefixes in self.parts.items()
            for prefix in prefixes
            if parameter_name.startswith(prefix)
        ]
        return max(fitting)[1] if fitting else None


def turns_of(
    before: str, after: str, *, assistant: str = "assistant"
) -> dict[str, tuple[str, str]]:
    """Return the turns of a template that writes all roles alike.

    Args:
        before: What stands before a turn's text, `{}` where its role is named.
        after: What stands after it.
        assistant: What the template calls the assistant.

    Examples:
        >>> turns_of("<{}>", "</>", assistant="model")["assistant"]
        ('<model>', '</>')
    """
    names = {"system": "system", "user": "user", "assistant": assistant}
    return {role: (before.format(name), after) for role, name in names.items()}


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
        turns=turns_of(f"{start}{{}}\n", f"{end}\n"),
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
