"""Checkpoints of every family at a size for tests, in the exact layout of the hub."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen2Tokenizer,
    WhisperFeatureExtractor,
)

from maqam.models.pocket import new_pocket, save_pocket, train_tokenizer
from maqam.models.quiet import no_foreign_bars
from tests.export.processors import pocket_processor

TEXTS = ["مرحبا يا صديقي كيف الحال فرّغ الكلام", "egyptian msa neutral angry You are a helpful"]


@dataclass(frozen=True)
class TinyFamily:
    """One family for the conformance test.

    Attributes:
        kind: Its name in a recipe.
        make: Writes a checkpoint of random weights into a folder.
        processor: Makes the stock processor of a checkpoint.
    """

    kind: str
    make: Callable[[Path], None]
    processor: Callable[[Path], Any]


def make_qwen_omni(folder: Path) -> None:
    save_pocket(new_pocket(TEXTS, seed=0), folder)


def make_qwen2_audio(folder: Path) -> None:
    trained = train_tokenizer(TEXTS)
    tokenizer = Qwen2Tokenizer(
        tokenizer_object=trained, pad_token="<|endoftext|>", eos_token="<|im_end|>"
    )
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "d_model": 32,
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "num_mel_bins": 128,
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": trained.get_vocab_size(),
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 1024,
            "bos_token_id": None,
            "eos_token_id": trained.token_to_id("<|im_end|>"),
            "pad_token_id": trained.token_to_id("<|endoftext|>"),
        },
        audio_token_index=trained.token_to_id("<|AUDIO|>"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Qwen2AudioForConditionalGeneration(config)
        for parameter in model.parameters():  # spread out, so that a difference shows
            if parameter.dim() > 1:
                parameter.data.mul_(4.0)
    model.generation_config.eos_token_id = trained.token_to_id("<|im_end|>")
    with no_foreign_bars():
        model.save_pretrained(folder)
    features = WhisperFeatureExtractor(feature_size=128)
    Qwen2AudioProcessor(features, tokenizer).save_pretrained(folder)


FAMILIES = (
    TinyFamily("qwen2_5_omni", make_qwen_omni, pocket_processor),
    TinyFamily("qwen2_audio", make_qwen2_audio, Qwen2AudioProcessor.from_pretrained),
)
