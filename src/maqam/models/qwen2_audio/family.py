"""Qwen2-Audio: windows of 30 s, as its encoder is Whisper's."""

from maqam.models.common.qwen_tokenizer import as_qwen2
from maqam.models.family import Family, chatml, two_convolutions_and_pooling
from maqam.models.front_end import FrontEnd, LogMel

QWEN2_AUDIO = Family(
    kind="qwen2_audio",
    title="Qwen2-Audio",
    hub_id="Qwen/Qwen2-Audio-7B-Instruct",
    model_type="qwen2_audio",
    architecture="Qwen2AudioForConditionalGeneration",
    template=chatml(
        ("Audio 1: <|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>\n"),
        extra_tokens=("<|audio_bos|>", "<|audio_eos|>"),
        system="You are a helpful assistant.",
    ),
    front_end=FrontEnd(
        two_convolutions_and_pooling,
        LogMel(tail_frames=3, window_frames=3000),
        max_frames=3000,
    ),
    prepare_tokenizer=as_qwen2,
    remark="Clips are encoded at their own length.",
    licence="Apache-2.0",
)
