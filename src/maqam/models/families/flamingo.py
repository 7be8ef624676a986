"""Audio Flamingo 3: Whisper's encoder on windows of 30 s, Qwen2 behind it."""

from maqam.models.common.qwen_tokenizer import as_qwen2
from maqam.models.family import Family, chatml, two_convolutions_and_pooling
from maqam.models.front_end import FrontEnd, LogMel

AUDIO_FLAMINGO_3 = Family(
    kind="audio_flamingo_3",
    title="Audio Flamingo 3",
    hub_id="nvidia/audio-flamingo-3-hf",
    model_type="audioflamingo3",
    architecture="AudioFlamingo3ForConditionalGeneration",
    template=chatml(("", "<sound>", ""), system="You are a helpful assistant."),
    front_end=FrontEnd(
        two_convolutions_and_pooling,
        LogMel(tail_frames=3, window_frames=3000, is_cut=True),
        window_frames=3000,
        max_frames=60_000,  # the processor hears no more of longer audio
    ),
    prepare_tokenizer=as_qwen2,
)
