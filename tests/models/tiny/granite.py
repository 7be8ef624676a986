"""Checkpoints of Granite Speech."""

from pathlib import Path
from typing import Any

import numpy as np
from transformers import (
    AutoTokenizer,
    GraniteSpeechConfig,
    GraniteSpeechForConditionalGeneration,
    GraniteSpeechPlusConfig,
    GraniteSpeechPlusForConditionalGeneration,
    GraniteSpeechProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.granite_speech import feature_extraction_granite_speech as stock

from .base import TinyFamily, save, text_config, trained_tokenizer
from .without_torchaudio import AnyExtractor, torchaudio

AUDIO, END, PADDING = "<|audio|>", "<|end_of_text|>", "<|pad|>"
TEMPLATE = (
    "{% for turn in messages %}{% if loop.first and turn['role'] != 'system' %}"
    "<|start_of_role|>system<|end_of_role|>You are a helpful assistant. Please ensure responses "
    "are professional, accurate, and safe.<|end_of_text|>\n{% endif %}"
    "<|start_of_role|>{{turn['role']}}<|end_of_role|>"
    "{% for part in turn['content'] %}{% if part['type'] == 'audio' %}<|audio|>"
    "{% else %}{{part['text']}}{% endif %}{% endfor %}<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)
ENCODER = {
    "input_dim": 160,
    "num_layers": 2,
    "hidden_dim": 32,
    "num_heads": 2,
    "output_dim": 12,
    "context_size": 40,
    "max_pos_emb": 64,
    "conv_kernel_size": 5,
}
PROJECTOR = {
    "model_type": "blip_2_qformer",
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "cross_attention_frequency": 1,
}


stock.requires_backends = lambda *one: None
stock.torchaudio = torchaudio


class Processor(AnyExtractor, GraniteSpeechProcessor):
    """The family's own, with that extractor."""

    @property
    def feature_extractor(self) -> Any:
        return self.audio_processor


def processor(folder: Path) -> Processor:
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return Processor(stock.GraniteSpeechFeatureExtractor(), tokenizer, chat_template=template)


def make(folder: Path, *, is_plus: bool = False) -> None:
    trained = trained_tokenizer(AUDIO, "<|start_of_role|>", "<|end_of_role|>", END, PADDING)
    end, padding = trained.token_to_id(END), trained.token_to_id(PADDING)
    text = text_config(trained, "granite", embedding_multiplier=3.0, residual_multiplier=0.5)
    text |= {"eos_token_id": end, "bos_token_id": end, "pad_token_id": padding}
    encoder = {**ENCODER, "model_type": "granite_speech_encoder"}
    parts: dict[str, Any] = {
        "encoder_config": encoder,
        "projector_config": {**PROJECTOR, "encoder_hidden_size": 32},
        "text_config": text,
        "audio_token_index": trained.token_to_id(AUDIO),
        "has_lora_adapter": False,
    }
    if is_plus:
        parts["encoder_config"] = {**ENCODER, "cat_hidden_layers": [1]}
        parts["projector_config"] = {**PROJECTOR, "encoder_hidden_size": 64}
        save(
            GraniteSpeechPlusForConditionalGeneration, GraniteSpeechPlusConfig(**parts), end, folder
        )
    else:
        save(GraniteSpeechForConditionalGeneration, GraniteSpeechConfig(**parts), end, folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained, pad_token=PADDING, eos_token=END, bos_token=END
    )
    Processor(
        stock.GraniteSpeechFeatureExtractor(), tokenizer, chat_template=TEMPLATE
    ).save_pretrained(folder)


def make_plus(folder: Path) -> None:
    make(folder, is_plus=True)


def frames(inputs: dict[str, Any]) -> np.ndarray:
    made: np.ndarray = inputs["input_features"][0].numpy()
    return made


GRANITE_SPEECH = TinyFamily("granite_speech", make, processor, frames=frames)
GRANITE_SPEECH_PLUS = TinyFamily("granite_speech_plus", make_plus, processor, frames=frames)
