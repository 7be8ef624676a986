"""Which classes vLLM registers, and how a part of a larger model is laid out for it."""

from collections.abc import Mapping
from typing import Any

from maqam.errors import ModelError
from maqam.models.family import Family

VERSION = "0.33.0"  # of vLLM, where the names were read
REGISTERED = frozenset(
    {
        "AudioFlamingo3ForConditionalGeneration",
        "FunASRForConditionalGeneration",
        "Gemma3nForConditionalGeneration",
        "Gemma4ForConditionalGeneration",
        "GlmAsrForConditionalGeneration",
        "GraniteSpeechForConditionalGeneration",
        "GraniteSpeechPlusForConditionalGeneration",
        "MossTranscribeDiarizeForConditionalGeneration",
        "Qwen2AudioForConditionalGeneration",
        "Qwen2_5OmniForConditionalGeneration",
        "Qwen2_5OmniModel",
        "Qwen3ASRForConditionalGeneration",
        "Qwen3OmniMoeForConditionalGeneration",
        "VibeVoiceAsrForConditionalGeneration",
        "VoxtralForConditionalGeneration",
    }
)
_PART = "Thinker"


def served_config(config: Mapping[str, Any], family: Family) -> tuple[dict[str, Any], str]:
    """Return the config.json that vLLM knows a checkpoint by.

    Args:
        config: That of the checkpoint.
        family: Of the checkpoint.

    Returns:
        The configuration, and what the names of all tensors get in front: vLLM registers the
        larger model of a part that stands alone.

    Raises:
        ModelError: If vLLM registers no class of the family.
    """
    named = config.get("architectures") or [family.architecture]
    if set(named) & REGISTERED:
        return dict(config), ""
    whole = family.architecture.replace(_PART, "")
    if whole not in REGISTERED:
        raise ModelError(
            f"vLLM {VERSION} registers no class of {family.title}",
            where=str(named[0]),
            hint="export with --to hf, which transformers loads",
        )
    if not family.nested or family.nested in config:
        return {**config, "architectures": [whole]}, ""
    larger = {
        "architectures": [whole],
        "model_type": family.model_type.removesuffix(f"_{_PART.lower()}"),
        "enable_audio_output": False,
        family.nested: dict(config),
    }
    return larger, family.holder
