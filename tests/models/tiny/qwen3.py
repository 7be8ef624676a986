"""Checkpoints of Qwen3's audio LLMs."""

from pathlib import Path
from typing import Any

from transformers import (
    AutoTokenizer,
    Qwen2VLImageProcessorPil,
    Qwen3ASRConfig,
    Qwen3ASRFeatureExtractor,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRProcessor,
    Qwen3OmniMoeProcessor,
    Qwen3OmniMoeThinkerConfig,
    Qwen3OmniMoeThinkerForConditionalGeneration,
    WhisperFeatureExtractor,
)

from .base import TinyFamily, as_whole, chatml, qwen_tokenizer, save, text_config, trained_tokenizer

START, AUDIO, END = "<|audio_start|>", "<|audio_pad|>", "<|audio_end|>"
ASR_TOKENS = {"audio_token": AUDIO, "audio_bos_token": START, "audio_eos_token": END}
OMNI_TOKENS = {
    **ASR_TOKENS,
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
}


def encoder() -> dict[str, Any]:
    return {
        "d_model": 32,
        "encoder_layers": 2,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 48,
        "num_mel_bins": 128,
        "output_dim": 48,
        "downsample_hidden_size": 8,
        "n_window_infer": 400,
    }


def make_qwen3_asr(folder: Path) -> None:
    trained = trained_tokenizer(*ASR_TOKENS.values())
    text = text_config(trained, "qwen3", head_dim=12)
    config = Qwen3ASRConfig(
        audio_config=encoder(),
        text_config=text,
        audio_token_id=trained.token_to_id(AUDIO),
        pad_token_id=text["pad_token_id"],
        eos_token_id=text["eos_token_id"],
    )
    save(Qwen3ASRForConditionalGeneration, config, text["eos_token_id"], folder)
    tokenizer = qwen_tokenizer(trained, **ASR_TOKENS)
    template = chatml(START + AUDIO + END, system="")
    Qwen3ASRProcessor(Qwen3ASRFeatureExtractor(), tokenizer, template).save_pretrained(folder)


def make_qwen3_omni(folder: Path) -> None:
    """Write a whole Qwen3-Omni: its thinker's weights in shards, a talker's beside."""
    trained = trained_tokenizer(*OMNI_TOKENS.values())
    text = text_config(
        trained,
        "qwen3_omni_moe_text",
        head_dim=12,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 1e6,
            "mrope_section": [2, 2, 2],
        },
    )
    config = Qwen3OmniMoeThinkerConfig(
        audio_config=encoder(),
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 48,
            "deepstack_visual_indexes": [0],
            "num_position_embeddings": 16,
        },
        text_config=text,
        audio_token_id=trained.token_to_id(AUDIO),
        image_token_id=trained.token_to_id("<|image_pad|>"),
        video_token_id=trained.token_to_id("<|video_pad|>"),
        audio_start_token_id=trained.token_to_id(START),
        vision_start_token_id=trained.token_to_id("<|vision_start|>"),
    )
    save(Qwen3OmniMoeThinkerForConditionalGeneration, config, text["eos_token_id"], folder)
    as_whole(folder, "qwen3_omni_moe", "code2wav")
    qwen_tokenizer(trained, **OMNI_TOKENS).save_pretrained(folder)


class WithoutVideo(Qwen3OmniMoeProcessor):
    """A video processor needs torchvision."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        return type(argument)


def omni_processor(folder: Path) -> Qwen3OmniMoeProcessor:
    return WithoutVideo(
        Qwen2VLImageProcessorPil(),
        None,
        WhisperFeatureExtractor(feature_size=128),
        AutoTokenizer.from_pretrained(folder),
        chat_template=chatml(START + AUDIO + END),
    )


QWEN3_ASR = TinyFamily("qwen3_asr", make_qwen3_asr, Qwen3ASRProcessor.from_pretrained)
QWEN3_OMNI = TinyFamily("qwen3_omni", make_qwen3_omni, omni_processor)
