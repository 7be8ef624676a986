"""Checkpoints of every family at a size for tests, in the exact layout of the hub."""

from .base import TEXTS, TinyFamily
from .flamingo import AUDIO_FLAMINGO_3
from .fun_asr import FUN_ASR_NANO
from .gemma import GEMMA_4
from .granite import GRANITE_SPEECH, GRANITE_SPEECH_PLUS
from .omniasr import OMNIASR
from .qwen import QWEN2_AUDIO, QWEN_OMNI, make_qwen2_audio
from .vibevoice import VIBEVOICE_ASR

FAMILIES = (
    QWEN_OMNI,
    QWEN2_AUDIO,
    AUDIO_FLAMINGO_3,
    GRANITE_SPEECH,
    GRANITE_SPEECH_PLUS,
    FUN_ASR_NANO,
    OMNIASR,
    VIBEVOICE_ASR,
    GEMMA_4,
)

__all__ = ["FAMILIES", "TEXTS", "TinyFamily", "make_qwen2_audio"]
