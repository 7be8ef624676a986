"""A checkpoint of OmniASR."""

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    OmniASRConfig,
    OmniASRFeatureExtractor,
    OmniASRForConditionalGeneration,
    OmniASRProcessor,
    PreTrainedTokenizerFast,
)

from .base import TEXTS, TinyFamily, save, text_config

CONTROL = ("<s>", "<pad>", "</s>", "<unk>")
MARKS = ("<extra_id_0>", "<extra_id_1>", "<|lang:auto|>", "<|lang:arb_arab|>")
TEMPLATE = (
    "{% for turn in messages %}{% for part in turn['content'] %}"
    "{% if part['type'] == 'audio' %}<extra_id_1>{% elif part['type'] == 'text' %}"
    "{{part['text']}}{% endif %}{% endfor %}"
    "{% if turn['role'] == 'user' %}<extra_id_0><|lang:auto|><s>{% else %}</s>{% endif %}"
    "{% endfor %}"
)


def tokenizer() -> Tokenizer:
    """Return one token a letter, spaces as sentencepiece writes them."""
    letters = sorted({chr(one) for one in range(33, 127)} | set("".join(TEXTS)) - {" "})
    vocabulary = [(one, 0.0) for one in (*CONTROL, "▁", *letters)]
    made = Tokenizer(models.Unigram(vocabulary, unk_id=3, byte_fallback=False))
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    made.add_special_tokens([*CONTROL, *MARKS])
    return made


def make(folder: Path) -> None:
    trained = tokenizer()
    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    text = {**text_config(trained, "llama", max_position_embeddings=2048), **ids}
    config = OmniASRConfig(
        audio_config={
            "model_type": "omniasr_audio",
            "hidden_size": 32,
            "conv_dim": [16] * 7,
            "num_attention_heads": 2,
            "num_hidden_layers": 2,
            "num_conv_pos_embeddings": 16,
            "num_conv_pos_embedding_groups": 2,
            "intermediate_size": 48,
        },
        text_config=text,
        audio_token_id=trained.token_to_id("<extra_id_1>"),
        **ids,
    )
    save(OmniASRForConditionalGeneration, config, 2, folder)
    written = PreTrainedTokenizerFast(
        tokenizer_object=trained,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )
    OmniASRProcessor(OmniASRFeatureExtractor(), written, TEMPLATE).save_pretrained(folder)


def frames(inputs: dict[str, Any]) -> np.ndarray:
    made: np.ndarray = inputs["input_values"].numpy().reshape(-1, 1)
    return made


OMNIASR = TinyFamily("omniasr", make, OmniASRProcessor.from_pretrained, frames=frames)
