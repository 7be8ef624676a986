"""Checkpoints of Qwen's audio LLMs."""

from pathlib import Path
from typing import Any

from transformers import (
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    WhisperFeatureExtractor,
)

from maqam.models.pocket import new_pocket, save_pocket
from tests.export.processors import pocket_processor

from .base import TEXTS, TinyFamily, as_whole, qwen_tokenizer, save, text_config, trained_tokenizer


def make_qwen_omni(folder: Path) -> None:
    save_pocket(new_pocket(TEXTS, seed=0), folder)


def make_whole_qwen_omni(folder: Path) -> None:
    """Write a whole Qwen2.5-Omni: its thinker's weights in shards, a talker's beside."""
    make_qwen_omni(folder)
    as_whole(folder, "qwen2_5_omni", "token2wav")


def make_qwen2_audio(folder: Path) -> None:
    trained = trained_tokenizer()
    text = text_config(trained)
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "d_model": 32,
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "num_mel_bins": 128,
        },
        text_config=text,
        audio_token_index=trained.token_to_id("<|AUDIO|>"),
    )
    save(Qwen2AudioForConditionalGeneration, config, text["eos_token_id"], folder)
    features = WhisperFeatureExtractor(feature_size=128)
    Qwen2AudioProcessor(features, qwen_tokenizer(trained)).save_pretrained(folder)


def omni_processor(folder: Path) -> Any:
    processor = pocket_processor(folder)
    window = WhisperFeatureExtractor(feature_size=128, chunk_length=40)  # the hub's is of 300 s
    processor.feature_extractor = window
    return processor


QWEN_OMNI = TinyFamily("qwen2_5_omni", make_qwen_omni, omni_processor)
WHOLE_QWEN_OMNI = TinyFamily("qwen2_5_omni", make_whole_qwen_omni, omni_processor, layout="whole")
QWEN2_AUDIO = TinyFamily("qwen2_audio", make_qwen2_audio, Qwen2AudioProcessor.from_pretrained)
