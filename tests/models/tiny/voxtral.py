"""A checkpoint of Voxtral, whose tokenizer is a tekken.json."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from transformers import (
    VoxtralConfig,
    VoxtralForConditionalGeneration,
    VoxtralProcessor,
    WhisperFeatureExtractor,
)
from transformers.integrations.mistral.tokenizer import convert_tekken_tokenizer

from .base import TinyFamily, save, text_config, trained_tokenizer

CONTROL = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", *(f"[{index}]" for index in range(5, 11))]
CONTROL += ["<pad>", *(f"[{index}]" for index in range(12, 24)), "[AUDIO]", "[BEGIN_AUDIO]"]
PATTERN = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def tekken() -> dict[str, Any]:
    """Return a tekken.json: bytes first, then what the words of the tests are made of."""
    trained = trained_tokenizer()
    known = {bytes([one]) for one in range(256)}
    pieces = [bytes([one]) for one in range(256)]
    for token, _ in sorted(trained.get_vocab().items(), key=lambda one: one[1]):
        piece = trained.decoder.decode([token]).encode()
        if len(piece) > 1 and not token.startswith("<") and piece not in known:
            known.add(piece)
            pieces.append(piece)
    return {
        "config": {
            "pattern": PATTERN,
            "num_vocab_tokens": len(pieces),
            "default_vocab_size": len(pieces) + 32 - 2,  # the last two are padding of the file
            "default_num_special_tokens": 32,
            "version": "v11",
        },
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(piece).decode(), "token_str": None}
            for rank, piece in enumerate(pieces)
        ],
        "special_tokens": [
            {"rank": rank, "token_str": token, "is_control": True}
            for rank, token in enumerate(CONTROL)
        ],
    }


def make_voxtral(folder: Path) -> None:
    written = tekken()
    (folder / "tekken.json").write_text(json.dumps(written), encoding="utf-8")
    text = text_config(
        trained_tokenizer(),
        "llama",
        vocab_size=written["config"]["default_vocab_size"],
        head_dim=12,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=11,
    )
    config = VoxtralConfig(
        audio_config={
            "hidden_size": 32,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
        },
        text_config=text,
        audio_token_id=24,
    )
    save(VoxtralForConditionalGeneration, config, 2, folder)
    WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)


def stock_processor(folder: Path) -> VoxtralProcessor:
    return VoxtralProcessor(
        WhisperFeatureExtractor.from_pretrained(folder),
        convert_tekken_tokenizer(str(folder / "tekken.json")),
    )


def inputs(processor: VoxtralProcessor, samples: np.ndarray) -> dict[str, Any]:
    """Return the features that the processor makes, which takes audio in files only."""
    settings = dict(processor.audio_kwargs)
    positions = settings.pop("max_source_positions")
    return {"input_features": processor._retrieve_input_features([samples], positions, **settings)}


def ids(processor: VoxtralProcessor, samples: np.ndarray, text: str) -> list[int]:
    """Return a user's turn as mistral-common writes it, 375 placeholders to a window."""
    heard = "[AUDIO]" * (375 * len(inputs(processor, samples)["input_features"]))
    written = f"<s>[INST][BEGIN_AUDIO]{heard}{text}[/INST]"
    found: list[int] = processor.tokenizer(written, add_special_tokens=False)["input_ids"]
    return found


VOXTRAL = TinyFamily("voxtral", make_voxtral, stock_processor, ids=ids, inputs=inputs)
