"""The families of audio LLMs that Maqam trains, one line each."""

from maqam.errors import ModelError
from maqam.models.families.flamingo import AUDIO_FLAMINGO_3, MUSIC_FLAMINGO
from maqam.models.families.fun_asr import FUN_ASR_NANO
from maqam.models.families.gemma import GEMMA_4
from maqam.models.families.glm_asr import GLM_ASR
from maqam.models.families.granite import GRANITE_SPEECH, GRANITE_SPEECH_PLUS
from maqam.models.families.omniasr import OMNIASR
from maqam.models.families.qwen3 import QWEN3_ASR, QWEN3_OMNI
from maqam.models.families.unsupported import UNSUPPORTED
from maqam.models.families.vibevoice import VIBEVOICE_ASR
from maqam.models.families.voxtral import VOXTRAL
from maqam.models.family import Family
from maqam.models.qwen2_audio.family import QWEN2_AUDIO
from maqam.models.qwen_omni.family import QWEN_OMNI

FAMILIES: dict[str, Family] = {
    family.kind: family
    for family in (
        QWEN_OMNI,
        QWEN2_AUDIO,
        QWEN3_OMNI,
        QWEN3_ASR,
        VOXTRAL,
        AUDIO_FLAMINGO_3,
        MUSIC_FLAMINGO,
        GLM_ASR,
        GRANITE_SPEECH,
        GRANITE_SPEECH_PLUS,
        FUN_ASR_NANO,
        OMNIASR,
        VIBEVOICE_ASR,
        GEMMA_4,
    )
}


def family_of(model_type: str, where: str) -> Family:
    """Return the family of a checkpoint.

    Args:
        model_type: As its config.json says it.
        where: The checkpoint, as an error names it.

    Raises:
        ModelError: If no family is of that architecture.
    """
    for family in FAMILIES.values():
        if family.model_type == model_type:
            return family
    hint = "Maqam trains " + ", ".join(
        f"{one.title} ({one.model_type})" for one in FAMILIES.values()
    )
    for one in UNSUPPORTED:
        if model_type in one.model_types:
            problem = f"{one.title} ({model_type}) is no family of audio LLMs here: {one.reason}"
            raise ModelError(problem, where=where, hint=hint)
    raise ModelError(
        f"no family of audio LLMs has the architecture {model_type!r}", where=where, hint=hint
    )
