"""A checkpoint of Gemma 4 with its audio encoder; what sees is left out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, trainers
from transformers import (
    AutoTokenizer,
    Gemma4AudioFeatureExtractor,
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Gemma4Processor,
    GemmaTokenizer,
)
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

from .base import TEXTS, TinyFamily, save, text_config
from .without_torchaudio import AnyExtractor

TOKENS = {
    "image_token": "<|image|>",
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "audio_token": "<|audio|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
    "sot_token": "<|turn>",
    "eot_token": "<turn|>",
}
TEMPLATE = (
    "{{ bos_token }}{% for turn in messages %}<|turn>"
    "{{ 'model' if turn['role'] == 'assistant' else turn['role'] }}\n"
    "{% for part in turn['content'] %}{% if part['type'] == 'audio' %}<|audio|>"
    "{% else %}{{part['text'] | trim}}{% endif %}{% endfor %}<turn|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn>model\n{% endif %}"
)


def tokenizer() -> GemmaTokenizer:
    """Return a sentencepiece-like BPE that falls back on bytes."""
    control = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    every = [f"<0x{one:02X}>" for one in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[*control, *every], show_progress=False
    )
    trained.train_from_iterator([text.replace(" ", "▁") for text in TEXTS], trainer)
    model = json.loads(trained.to_str())["model"]
    made = GemmaTokenizer(
        vocab=model["vocab"],
        merges=[tuple(one) for one in model["merges"]],
        add_bos_token=False,
        extra_special_tokens=TOKENS,
    )
    made.add_special_tokens({"additional_special_tokens": ["<|video|>"]})
    return made


class Processor(AnyExtractor, Gemma4Processor):
    """The family's own, without what sees."""


def made_processor(tokens: Any, template: str) -> Processor:
    return Processor(
        Gemma4AudioFeatureExtractor(),
        Gemma4ImageProcessorPil(),
        tokens,
        None,
        chat_template=template,
    )


def processor(folder: Path) -> Processor:
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    return made_processor(AutoTokenizer.from_pretrained(folder), template)


def make(folder: Path) -> None:
    tokens = tokenizer()
    end = tokens.convert_tokens_to_ids("<turn|>")
    text = text_config(tokens.backend_tokenizer, "gemma4_text")
    text |= {
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": 2,
        "vocab_size": len(tokens),
        "vocab_size_per_layer_input": len(tokens),
        "hidden_size_per_layer_input": 8,
        "num_hidden_layers": 3,
        "num_kv_shared_layers": 1,
        "layer_types": ["sliding_attention", "full_attention", "full_attention"],
        "head_dim": 12,
        "global_head_dim": 24,
        "sliding_window": 32,
        "final_logit_softcapping": 30.0,
        "tie_word_embeddings": True,
    }
    config = Gemma4Config(
        text_config=text,
        audio_config={
            "model_type": "gemma4_audio",
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "subsampling_conv_channels": [128, 4],
            "output_proj_dims": 40,
        },
        vision_config=None,
        audio_token_id=tokens.convert_tokens_to_ids("<|audio|>"),
        boa_token_id=tokens.convert_tokens_to_ids("<|audio>"),
        eoa_token_index=tokens.convert_tokens_to_ids("<audio|>"),
    )
    save(Gemma4ForConditionalGeneration, config, [1, end], folder)
    tokens.chat_template = TEMPLATE
    tokens.save_pretrained(folder)
    parts = {"feature_extractor": json.loads(Gemma4AudioFeatureExtractor().to_json_string())}
    (folder / "processor_config.json").write_text(json.dumps(parts), encoding="utf-8")


def frames(inputs: dict[str, Any]) -> np.ndarray:
    made: np.ndarray = inputs["input_features"][0][inputs["input_features_mask"][0]].numpy()
    return made


GEMMA_4 = TinyFamily("gemma4", make, processor, frames=frames)
