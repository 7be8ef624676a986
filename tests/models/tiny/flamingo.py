"""Checkpoints of the Audio Flamingos."""

from pathlib import Path

from transformers import (
    AudioFlamingo3Config,
    AudioFlamingo3ForConditionalGeneration,
    AudioFlamingo3Processor,
    WhisperFeatureExtractor,
)

from .base import TinyFamily, chatml, qwen_tokenizer, save, text_config, trained_tokenizer

SOUND = "<sound>"
ENCODER = {
    "model_type": "audioflamingo3_encoder",
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}


def make_audio_flamingo_3(folder: Path) -> None:
    trained = trained_tokenizer(SOUND)
    text = text_config(trained)
    config = AudioFlamingo3Config(
        audio_config=ENCODER, text_config=text, audio_token_id=trained.token_to_id(SOUND)
    )
    save(AudioFlamingo3ForConditionalGeneration, config, text["eos_token_id"], folder)
    features = WhisperFeatureExtractor(feature_size=128)
    template = chatml(SOUND, system=True)
    AudioFlamingo3Processor(features, qwen_tokenizer(trained), template).save_pretrained(folder)


AUDIO_FLAMINGO_3 = TinyFamily(
    "audio_flamingo_3", make_audio_flamingo_3, AudioFlamingo3Processor.from_pretrained
)
