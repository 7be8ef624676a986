"""Qwen3-ASR and Qwen3-Omni's thinker: 13 audio tokens to a second, heard as a chunk of its own."""

from maqam.models.common.qwen_tokenizer import as_qwen2
from maqam.models.family import EncoderInputs, Family, chatml
from maqam.models.front_end import FrontEnd, LogMel
from maqam.models.log_mel import WINDOW_SAMPLES

_BOUNDS = ("<|audio_start|>", "<|audio_end|>")
_AUDIO = (_BOUNDS[0], "<|audio_pad|>", _BOUNDS[1])


def three_convolutions(num_frames: int) -> int:
    """Count the outputs of three convolutions of stride 2 over chunks of 100 frames.

    Examples:
        >>> three_convolutions(100), three_convolutions(109)
        (13, 15)
    """
    seconds, rest = divmod(num_frames, 100)
    return 13 * seconds - (-rest // 8)


QWEN3_ASR = Family(
    kind="qwen3_asr",
    title="Qwen3-ASR",
    hub_id="Qwen/Qwen3-ASR-1.7B-hf",
    model_type="qwen3_asr",
    architecture="Qwen3ASRForConditionalGeneration",
    template=chatml(_AUDIO, extra_tokens=_BOUNDS, system=""),
    front_end=FrontEnd(
        three_convolutions,
        LogMel(is_alone=True, min_samples=8000),
        least_samples=WINDOW_SAMPLES,
    ),
    inputs=EncoderInputs(multiple_frames=100),
    max_tokens=65_536,
    prepare_tokenizer=as_qwen2,
    remark="What is asked stands in the user's turn after the audio, where its own template has "
    "nothing; the system's turn is empty.",
    licence="Apache-2.0",
)

QWEN3_OMNI = Family(
    kind="qwen3_omni",
    title="Qwen3-Omni",
    hub_id="Qwen/Qwen3-Omni-30B-A3B-Instruct",
    model_type="qwen3_omni_moe_thinker",
    whole="qwen3_omni_moe",
    nested="thinker_config",
    architecture="Qwen3OmniMoeThinkerForConditionalGeneration",
    template=chatml(_AUDIO, extra_tokens=_BOUNDS),
    front_end=FrontEnd(three_convolutions, LogMel(is_alone=True), least_samples=WINDOW_SAMPLES),
    inputs=EncoderInputs(mask="feature_attention_mask"),
    parts={
        "encoder": ("model.audio_tower.",),
        "aligner": ("model.audio_tower.proj1.", "model.audio_tower.proj2."),
        "llm": ("model.language_model.", "lm_head."),
    },
    narrows_last_layer=False,  # experts are chosen for all positions together
    prepare_tokenizer=as_qwen2,
    remark="The thinker, also out of a whole folder of the hub. Adapters sit on attention; experts "
    "and router stay as they are.",
    licence="Apache-2.0",
)
