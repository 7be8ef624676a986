"""Checkpoints of the Audio Flamingos."""

from pathlib import Path
from typing import Any

from transformers import (
    AudioFlamingo3Config,
    AudioFlamingo3ForConditionalGeneration,
    AudioFlamingo3Processor,
    MusicFlamingoConfig,
    MusicFlamingoForConditionalGeneration,
    MusicFlamingoProcessor,
    WhisperFeatureExtractor,
)

from .base import TinyFamily, chatml, qwen_tokenizer, save, text_config, trained_tokenizer

SYSTEM = "You are a helpful assistant."
SOUND, START, END = "<sound>", "<|sound_bos|>", "<|sound_eos|>"


def encoder() -> dict[str, Any]:
    return {
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
        audio_config=encoder(), text_config=text, audio_token_id=trained.token_to_id(SOUND)
    )
    save(AudioFlamingo3ForConditionalGeneration, config, text["eos_token_id"], folder)
    features = WhisperFeatureExtractor(feature_size=128)
    template = chatml(SOUND, system=SYSTEM)
    AudioFlamingo3Processor(features, qwen_tokenizer(trained), template).save_pretrained(folder)


def make_music_flamingo(folder: Path) -> None:
    trained = trained_tokenizer(SOUND, START, END)
    text = text_config(trained)
    config = MusicFlamingoConfig(
        audio_config=encoder(),
        text_config=text,
        audio_token_id=trained.token_to_id(SOUND),
        audio_bos_token_id=trained.token_to_id(START),
        audio_eos_token_id=trained.token_to_id(END),
    )
    save(MusicFlamingoForConditionalGeneration, config, text["eos_token_id"], folder)
    features = WhisperFeatureExtractor(feature_size=128)
    template = chatml(SOUND, system=SYSTEM)
    MusicFlamingoProcessor(features, qwen_tokenizer(trained), template).save_pretrained(folder)


AUDIO_FLAMINGO_3 = TinyFamily(
    "audio_flamingo_3", make_audio_flamingo_3, AudioFlamingo3Processor.from_pretrained
)
MUSIC_FLAMINGO = TinyFamily(
    "music_flamingo", make_music_flamingo, MusicFlamingoProcessor.from_pretrained
)
