"""Checkpoints of every family at a size for tests, in the exact layout of the hub."""

from .base import TEXTS, TinyFamily
from .flamingo import AUDIO_FLAMINGO_3, MUSIC_FLAMINGO
from .fun_asr import FUN_ASR_NANO
from .gemma import GEMMA_4
from .glm_asr import GLM_ASR_NANO
from .granite import GRANITE_SPEECH, GRANITE_SPEECH_PLUS
from .omniasr import OMNIASR
from .qwen import QWEN2_AUDIO, QWEN_OMNI, WHOLE_QWEN_OMNI, make_qwen2_audio
from .qwen3 import QWEN3_ASR, QWEN3_OMNI
from .vibevoice import VIBEVOICE_ASR
from .voxtral import VOXTRAL

FAMILIES = (
    QWEN_OMNI,
    WHOLE_QWEN_OMNI,
    QWEN2_AUDIO,
    QWEN3_OMNI,
    QWEN3_ASR,
    VOXTRAL,
    AUDIO_FLAMINGO_3,
    MUSIC_FLAMINGO,
    GLM_ASR_NANO,
    GRANITE_SPEECH,
    GRANITE_SPEECH_PLUS,
    FUN_ASR_NANO,
    OMNIASR,
    VIBEVOICE_ASR,
    GEMMA_4,
)

__all__ = ["FAMILIES", "GRANITE_SPEECH", "TEXTS", "TinyFamily", "make_qwen2_audio"]
