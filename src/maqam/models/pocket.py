"""The pocket thinker before training: Qwen2.5-Omni's architecture at about 5 M parameters.

Its sizes keep every mechanism of the 7B model (chunked audio attention, grouped query heads,
multimodal rotary positions, chat and audio tokens) at a cost a laptop's processor can bear.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
)

from maqam.models.common.companions import save_companions
from maqam.models.dialogue import DialogueEncoder
from maqam.models.protocol import AudioLLM
from maqam.models.quiet import no_foreign_bars
from maqam.models.qwen_omni.family import QWEN_OMNI
from maqam.models.qwen_omni.model import QwenOmni

VOCABULARY_SIZE = 384
MAX_TOKENS = 1024
PADDING, TURN_END = QWEN_OMNI.template.padding, QWEN_OMNI.template.end
SPECIAL_TOKENS = (
    *QWEN_OMNI.template.special_tokens,
    "<|vision_bos|>",
    "<|vision_eos|>",
    "<|IMAGE|>",
    "<|VIDEO|>",
)


def train_tokenizer(
    texts: Iterable[str],
    vocabulary_size: int = VOCABULARY_SIZE,
    special_tokens: Sequence[str] = SPECIAL_TOKENS,
) -> Tokenizer:
    """Train a byte-level BPE.

    Args:
        texts: Training sentences, prompts among them, in a fixed order.
        vocabulary_size: Ids in all, bytes and special tokens included.
        special_tokens: Tokens of control, which no text gives; those of Qwen2.5-Omni.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary_size,
            special_tokens=[AddedToken(token, special=True) for token in special_tokens],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return tokenizer


def pocket_config(tokenizer: Tokenizer) -> Qwen2_5OmniThinkerConfig:
    """Return the thinker's configuration at pocket size for a tokenizer."""
    ids = {token: tokenizer.token_to_id(token) for token in SPECIAL_TOKENS}
    config = Qwen2_5OmniThinkerConfig(
        audio_config={
            "d_model": 208,
            "encoder_layers": 4,
            "encoder_attention_heads": 4,
            "encoder_ffn_dim": 704,
            "num_mel_bins": 128,
            "output_dim": 256,
            "n_window": 100,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 256,
            "fullatt_block_indexes": [0],
        },
        text_config={
            "vocab_size": tokenizer.get_vocab_size(),
            "hidden_size": 256,
            "intermediate_size": 640,
            "num_hidden_layers": 4,
            "initializer_range": 256**-0.5,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": MAX_TOKENS,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [8, 12, 12],
            },
            "bos_token_id": None,
            "eos_token_id": ids[TURN_END],
            "pad_token_id": ids[PADDING],
        },
        audio_token_index=ids["<|AUDIO|>"],
        image_token_index=ids["<|IMAGE|>"],
        video_token_index=ids["<|VIDEO|>"],
        audio_start_token_id=ids["<|audio_bos|>"],
        audio_end_token_id=ids["<|audio_eos|>"],
        tie_word_embeddings=True,
    )
    config.vision_start_token_id = ids["<|vision_bos|>"]
    config.vision_end_token_id = ids["<|vision_eos|>"]
    return config


def new_pocket(texts: Iterable[str], seed: int) -> AudioLLM:
    """Make an untrained pocket backbone, tokenizer trained on `texts`.

    Args:
        texts: Sentences for the tokenizer.
        seed: Seed of the initial weights; torch's global state is left as it was.
    """
    tokenizer = train_tokenizer(texts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5OmniThinkerForConditionalGeneration._from_config(
            pocket_config(tokenizer), attn_implementation="sdpa"
        )
    dialogue = DialogueEncoder(tokenizer, QWEN_OMNI.template, QWEN_OMNI.front_end, MAX_TOKENS)
    return QwenOmni(model.eval(), dialogue, QWEN_OMNI)


def save_pocket(backbone: AudioLLM, folder: Path) -> None:
    """Write a backbone as a plain Hugging Face checkpoint in half precision.

    Args:
        backbone: The model to write; it is not changed.
        folder: Where config.json, tokenizer.json and model.safetensors go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: value.half() for name, value in backbone.model.state_dict().items()}
    backbone.model.config.dtype = torch.float16
    with no_foreign_bars():
        backbone.model.save_pretrained(folder, state_dict=half)
    save_companions(backbone.dialogue, None, folder)
