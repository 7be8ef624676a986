"""Whispers and causal LLMs of random weights, in the layout that the hub gives them."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from maqam.models.quiet import no_foreign_bars

TEXTS = ["مرحبا يا صديقي كيف الحال فرّغ الكلام 1984", "egyptian msa neutral angry You are a helpful"]
WINDOW_SECONDS = 4

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|head|>' + message['role'] + '<|/head|>\n\n' + message['content'] + '<|eot|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|head|>assistant<|/head|>\n\n' }}{% endif %}"
)
MISTRAL = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)
STYLES: dict[str, dict[str, Any]] = {
    "smollm": {
        "model_type": "llama",
        "tokens": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        "template": CHATML,
        "eos": "<|im_end|>",
        "tied": True,
    },
    "qwen": {
        "model_type": "qwen2",
        "tokens": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        "template": CHATML,
        "eos": "<|im_end|>",
        "pad": "<|endoftext|>",
        "spare_rows": 16,
    },
    "llama": {
        "model_type": "llama",
        "tokens": ["<|begin|>", "<|head|>", "<|/head|>", "<|eot|>", "<|end|>"],
        "template": LLAMA,
        "eos": "<|end|>",
        "bos": "<|begin|>",
    },
    "mistral": {
        "model_type": "mistral",
        "tokens": ["<s>", "</s>", "[INST]", "[/INST]"],
        "template": MISTRAL,
        "eos": "</s>",
        "bos": "<s>",
    },
    "base": {"model_type": "qwen3", "tokens": ["<|endoftext|>"], "eos": "<|endoftext|>"},
}


def make_whisper(folder: Path, *, dtype="float32", shard="1GB", width=32, wide=4) -> Path:
    """Write a Whisper whose window is of 4 seconds."""
    with torch.random.fork_rng(devices=[]), no_foreign_bars():
        torch.manual_seed(1)
        model = WhisperForConditionalGeneration(
            WhisperConfig(
                d_model=width,
                encoder_layers=2,
                encoder_attention_heads=2,
                encoder_ffn_dim=wide * width,
                decoder_layers=1,
                decoder_attention_heads=2,
                decoder_ffn_dim=32,
                num_mel_bins=80,
                max_source_positions=50 * WINDOW_SECONDS,
                vocab_size=60,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
                decoder_start_token_id=1,
            )
        )
        _spread(model)
        model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=shard)
        features = WhisperFeatureExtractor(feature_size=80, chunk_length=WINDOW_SECONDS)
        features.save_pretrained(folder)
    return folder


def make_llm(folder: Path, style: str = "smollm", *, dtype="float32", width=48) -> Path:
    """Write a causal LLM with a tokenizer and a chat template in the style of a known one."""
    about = STYLES[style]
    tokenizer = _tokenizer(about)
    kind: type[PreTrainedConfig] = CONFIG_MAPPING[about["model_type"]]
    ids = {name: tokenizer.convert_tokens_to_ids(about[name]) for name in ("eos",)}
    with torch.random.fork_rng(devices=[]), no_foreign_bars():
        torch.manual_seed(2)
        model = AutoModelForCausalLM.from_config(
            kind(
                vocab_size=len(tokenizer) + about.get("spare_rows", 0),
                hidden_size=width,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                head_dim=width // 4,
                max_position_embeddings=512,
                tie_word_embeddings=about.get("tied", False),
                bos_token_id=None,
                eos_token_id=ids["eos"],
                pad_token_id=None,
            )
        )
        _spread(model)
        model.to(getattr(torch, dtype)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _spread(model: torch.nn.Module) -> None:
    """Spread random weights out, so that a difference shows."""
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.mul_(4.0)


def _tokenizer(about: dict[str, Any]) -> PreTrainedTokenizerFast:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trained.decoder = decoders.ByteLevel()
    trained.train_from_iterator(
        TEXTS,
        trainers.BpeTrainer(
            vocab_size=320,
            special_tokens=[AddedToken(one, special=True) for one in about["tokens"]],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    named = {f"{name}_token": about[name] for name in ("bos", "eos", "pad") if name in about}
    return PreTrainedTokenizerFast(
        tokenizer_object=trained, chat_template=about.get("template"), **named
    )
