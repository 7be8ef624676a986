"""The classes of transformers that hold a Whisper encoder, an aligner and a causal LLM."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maqam.errors import ConfigError

AUDIO = "<|AUDIO|>"


@dataclass(frozen=True, slots=True)
class Form:
    """How a composed model is laid out.

    Attributes:
        stack: Encoder outputs, of 20 ms each, that become an audio token.
        projector: "linear" or "mlp".
        how: How they become one, for people.
        architecture: The class that holds it.
        processor: Its processor; None where that is bound to a tokenizer of its own.
        encoder_type: `model_type` of its encoder.
        audio_key: Key of its configuration that names the audio token.
        encoder_keys: Names its encoder's configuration gives to Whisper's.
        settings: Further settings of its configuration.
        processor_settings: Settings of its processor.
    """

    stack: int
    projector: str
    how: str
    architecture: str
    processor: str | None
    encoder_type: str
    audio_key: str = "audio_token_id"
    encoder_keys: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    processor_settings: Mapping[str, Any] = field(default_factory=dict)


_RENAMED = {
    "d_model": "hidden_size",
    "encoder_layers": "num_hidden_layers",
    "encoder_attention_heads": "num_attention_heads",
    "encoder_ffn_dim": "intermediate_size",
}


def _voxtral(projector: str, how: str, between: str) -> Form:
    return Form(
        stack=4,
        projector=projector,
        how=how,
        architecture="VoxtralForConditionalGeneration",
        processor=None,
        encoder_type="voxtral_encoder",
        encoder_keys=_RENAMED,
        settings={"projector_hidden_act": between},
    )


FORMS = (
    Form(
        stack=2,
        projector="linear",
        how="mean of 2, one layer",
        architecture="Qwen2AudioForConditionalGeneration",
        processor="Qwen2AudioProcessor",
        encoder_type="qwen2_audio_encoder",
        audio_key="audio_token_index",
    ),
    Form(
        stack=2,
        projector="mlp",
        how="mean of 2, two layers",
        architecture="AudioFlamingo3ForConditionalGeneration",
        processor="AudioFlamingo3Processor",
        encoder_type="audioflamingo3_encoder",
        encoder_keys=_RENAMED,
        processor_settings={"audio_token": AUDIO},
    ),
    _voxtral("mlp", "4 side by side, two layers", "gelu"),
    _voxtral("linear", "4 side by side, the product of two layers", "linear"),
)


def form_of(stack: int, projector: str) -> Form:
    """Return the form of an aligner.

    Args:
        stack: Encoder outputs that become an audio token.
        projector: "linear" or "mlp".

    Raises:
        ConfigError: If no class of transformers holds such an aligner.

    Examples:
        >>> form_of(2, "linear").architecture
        'Qwen2AudioForConditionalGeneration'
    """
    for form in FORMS:
        if (form.stack, form.projector) == (stack, projector):
            return form
    known = "; ".join(f"--stack {one.stack} --projector {one.projector}" for one in FORMS)
    raise ConfigError(
        f"no class of transformers holds an aligner with --stack {stack} --projector {projector}",
        where="aligner",
        hint=f"there is {known}",
    )
