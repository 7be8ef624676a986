"""A checkpoint of VibeVoice-ASR."""

from pathlib import Path
from typing import Any

import numpy as np
from transformers import (
    VibeVoiceAcousticTokenizerFeatureExtractor,
    VibeVoiceAsrConfig,
    VibeVoiceAsrForConditionalGeneration,
    VibeVoiceAsrProcessor,
)

from .base import (
    TinyFamily,
    chatml,
    qwen_tokenizer,
    save,
    stock_inputs,
    text_config,
    trained_tokenizer,
)
from .omniasr import frames

AUDIO = ("<|object_ref_start|>", "<|box_start|>", "<|object_ref_end|>")
ENCODER = {
    "model_type": "vibevoice_acoustic_tokenizer_encoder",
    "num_filters": 4,
    "downsampling_ratios": [40, 80],
    "depths": [0, 1, 1],
    "layer_scale_init_value": 0.5,
}


def make(folder: Path) -> None:
    trained = trained_tokenizer(*AUDIO)
    text = text_config(trained)
    opening, audio, closing = map(trained.token_to_id, AUDIO)
    config = VibeVoiceAsrConfig(
        acoustic_tokenizer_encoder_config={**ENCODER, "hidden_size": 16},
        semantic_tokenizer_encoder_config={**ENCODER, "hidden_size": 32},
        text_config=text,
        audio_token_id=audio,
        audio_bos_token_id=opening,
        audio_eos_token_id=closing,
        acoustic_tokenizer_chunk_size=32_000,
    )
    ends = [text["eos_token_id"], text["pad_token_id"]]
    save(VibeVoiceAsrForConditionalGeneration, config, ends, folder)
    extractor = VibeVoiceAcousticTokenizerFeatureExtractor()
    template = chatml("".join(AUDIO) + "\n", system="You are a helpful assistant.").replace(
        "helpful assistant.",
        "helpful assistant that transcribes audio input into text output in JSON format.",
    )
    VibeVoiceAsrProcessor(extractor, qwen_tokenizer(trained), template).save_pretrained(folder)


def inputs(processor: Any, samples: np.ndarray) -> dict[str, Any]:
    return {**stock_inputs(processor, samples), "sample": False}


VIBEVOICE_ASR = TinyFamily(
    "vibevoice_asr", make, VibeVoiceAsrProcessor.from_pretrained, inputs=inputs, frames=frames
)
