"""Checkpoints of every family at a size for tests, in the exact layout of the hub."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import (
    AudioFlamingo3Config,
    AudioFlamingo3ForConditionalGeneration,
    AudioFlamingo3Processor,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen2Tokenizer,
    WhisperFeatureExtractor,
)

from maqam.models.common.qwen_tokenizer import as_qwen2
from maqam.models.family import Family, FrontEnd, chatml, two_convolutions_and_pooling
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


def qwen_tokenizer(trained: Tokenizer) -> Qwen2Tokenizer:
    return Qwen2Tokenizer(
        tokenizer_object=trained, pad_token="<|endoftext|>", eos_token="<|im_end|>"
    )


def text_config(trained: Tokenizer) -> dict[str, Any]:
    return {
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
    }


def save(architecture: type[PreTrainedModel], config: PreTrainedConfig, folder: Path) -> None:
    """Write random weights, spread out so that a difference shows."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = architecture(config)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.data.mul_(4.0)
    model.generation_config.eos_token_id = config.text_config.eos_token_id
    with no_foreign_bars():
        model.save_pretrained(folder)


def make_qwen2_audio(folder: Path) -> None:
    trained = train_tokenizer(TEXTS)
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder",
            "d_model": 32,
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "num_mel_bins": 128,
        },
        text_config=text_config(trained),
        audio_token_index=trained.token_to_id("<|AUDIO|>"),
    )
    save(Qwen2AudioForConditionalGeneration, config, folder)
    features = WhisperFeatureExtractor(feature_size=128)
    Qwen2AudioProcessor(features, qwen_tokenizer(trained)).save_pretrained(folder)


SOUND = "<sound>"
CHATML = (
    "{% for turn in messages %}{% if loop.first and turn['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{turn['role']}}\n"
    "{% for part in turn['content'] %}{% if part['type'] == 'audio' %}<sound>"
    "{% else %}{{part['text']}}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PLAIN = Family(
    kind="audioflamingo3",
    title="Audio Flamingo 3",
    hub_id="nvidia/audio-flamingo-3-hf",
    model_type="audioflamingo3",
    architecture="AudioFlamingo3ForConditionalGeneration",
    template=chatml(("", SOUND, ""), system="You are a helpful assistant."),
    front_end=FrontEnd(count=two_convolutions_and_pooling, tail_frames=3, max_frames=3000),
    window_frames=3000,
    prepare_tokenizer=as_qwen2,
)
"""A family that deviates in no code at all, and does not ship yet: it goes by the common seam."""


def make_plain(folder: Path) -> None:
    trained = train_tokenizer(TEXTS)
    trained.add_special_tokens([SOUND])
    config = AudioFlamingo3Config(
        audio_config={
            "model_type": "audioflamingo3_encoder",
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 48,
        },
        text_config=text_config(trained),
        audio_token_id=trained.token_to_id(SOUND),
    )
    save(AudioFlamingo3ForConditionalGeneration, config, folder)
    features = WhisperFeatureExtractor(feature_size=128)
    AudioFlamingo3Processor(features, qwen_tokenizer(trained), CHATML).save_pretrained(folder)


FAMILIES = (
    TinyFamily(PLAIN.kind, make_plain, AudioFlamingo3Processor.from_pretrained),
    TinyFamily("qwen2_5_omni", make_qwen_omni, pocket_processor),
    TinyFamily("qwen2_audio", make_qwen2_audio, Qwen2AudioProcessor.from_pretrained),
)
