"""Checkpoints of every family at a size for tests, in the exact layout of the hub."""

from .base import TEXTS, TinyFamily
from .flamingo import AUDIO_FLAMINGO_3
from .qwen import QWEN2_AUDIO, QWEN_OMNI, make_qwen2_audio

FAMILIES = (
    QWEN_OMNI,
    QWEN2_AUDIO,
    AUDIO_FLAMINGO_3,
)

__all__ = ["FAMILIES", "TEXTS", "TinyFamily", "make_qwen2_audio"]
