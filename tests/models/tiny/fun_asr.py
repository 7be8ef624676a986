"""A checkpoint of Fun-ASR-Nano."""

from pathlib import Path
from typing import Any

import numpy as np
from transformers import (
    AutoTokenizer,
    FunAsrNanoConfig,
    FunAsrNanoForConditionalGeneration,
    FunAsrNanoProcessor,
)
from transformers.models.fun_asr_nano.feature_extraction_fun_asr_nano import (
    FunAsrNanoFeatureExtractor,
)

from .base import TinyFamily, chatml, qwen_tokenizer, save, text_config, trained_tokenizer
from .without_torchaudio import AnyExtractor, kaldi_fbank

AUDIO = "<|object_ref_start|>"


class Extractor(FunAsrNanoFeatureExtractor):
    """The family's own, but for torchaudio."""

    def _extract_fbank_features(self, waveform: Any) -> Any:
        return kaldi_fbank(waveform, self.feature_size)


class Processor(AnyExtractor, FunAsrNanoProcessor):
    """The family's own, with that extractor."""


def processor(folder: Path) -> Processor:
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    return Processor(Extractor(), AutoTokenizer.from_pretrained(folder), template)


def make(folder: Path) -> None:
    trained = trained_tokenizer(AUDIO)
    text = text_config(trained, "qwen3", head_dim=12, tie_word_embeddings=True)
    config = FunAsrNanoConfig(
        audio_config={
            "model_type": "fun_asr_nano_encoder",
            "num_mel_bins": 80,
            "hidden_size": 32,
            "num_attention_heads": 2,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_timestamp_prediction_layers": 1,
        },
        adaptor_config={
            "hidden_size": 48,
            "num_attention_heads": 2,
            "intermediate_size": 12,
            "num_hidden_layers": 1,
            "projector_hidden_size": 64,
        },
        text_config=text,
        audio_token_id=trained.token_to_id(AUDIO),
    )
    save(FunAsrNanoForConditionalGeneration, config, text["eos_token_id"], folder)
    template = chatml(AUDIO, system="You are a helpful assistant.")
    Processor(Extractor(), qwen_tokenizer(trained), template).save_pretrained(folder)


def frames(inputs: dict[str, Any]) -> np.ndarray:
    made: np.ndarray = inputs["input_features"][0].numpy()
    return made


FUN_ASR_NANO = TinyFamily("fun_asr_nano", make, processor, frames=frames)
