"""Qwen2.5-Omni's thinker, and the pocket model, which is one of 5 M parameters."""

from maqam.models.common.qwen_tokenizer import as_qwen2
from maqam.models.family import Family, chatml, two_convolutions_and_pooling
from maqam.models.front_end import FrontEnd

QWEN_OMNI = Family(
    kind="qwen2_5_omni",
    title="Qwen2.5-Omni",
    hub_id="Qwen/Qwen2.5-Omni-7B",
    model_type="qwen2_5_omni_thinker",
    whole="qwen2_5_omni",
    nested="thinker_config",
    architecture="Qwen2_5OmniThinkerForConditionalGeneration",
    template=chatml(
        ("<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"),
        extra_tokens=("<|audio_bos|>", "<|audio_eos|>"),
    ),
    front_end=FrontEnd(two_convolutions_and_pooling),
    parts={
        "encoder": ("model.audio_tower.",),
        "aligner": ("model.audio_tower.proj.",),
        "llm": ("model.language_model.", "lm_head."),
    },
    prepare_tokenizer=as_qwen2,
    remark="The thinker; a whole folder of the hub loads, its talker is left alone.",
    licence="Apache-2.0",
)
