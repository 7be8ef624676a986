"""Audio Flamingo 3 and Music Flamingo: Whisper's encoder on windows of 30 s, Qwen2 behind it."""

from dataclasses import replace

from maqam.models.common.qwen_tokenizer import as_qwen2
from maqam.models.family import Family, chatml, two_convolutions_and_pooling
from maqam.models.front_end import FrontEnd, LogMel

SYSTEM = "You are a helpful assistant."

AUDIO_FLAMINGO_3 = Family(
    kind="audio_flamingo_3",
    title="Audio Flamingo 3",
    hub_id="nvidia/audio-flamingo-3-hf",
    model_type="audioflamingo3",
    architecture="AudioFlamingo3ForConditionalGeneration",
    template=chatml(("", "<sound>", ""), system=SYSTEM),
    front_end=FrontEnd(
        two_convolutions_and_pooling,
        LogMel(tail_frames=3, window_frames=3000, is_cut=True),
        window_frames=3000,
        max_frames=60_000,  # the processor hears no more of longer audio
    ),
    prepare_tokenizer=as_qwen2,
    remark="No code of its own: all of it is this table.",
    licence="NVIDIA OneWay Noncommercial",
)

_BOUNDS = ("<|sound_bos|>", "<|sound_eos|>")

MUSIC_FLAMINGO = replace(
    AUDIO_FLAMINGO_3,
    kind="music_flamingo",
    title="Music Flamingo",
    hub_id="nvidia/music-flamingo-2601-hf",
    model_type="musicflamingo",
    architecture="MusicFlamingoForConditionalGeneration",
    template=chatml((_BOUNDS[0], "<sound>", _BOUNDS[1]), extra_tokens=_BOUNDS, system=SYSTEM),
    front_end=replace(AUDIO_FLAMINGO_3.front_end, max_frames=120_000),
    remark="The aligner hears at what time of the clip a window begins.",
    licence="NVIDIA OneWay Noncommercial",
)
