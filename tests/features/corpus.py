"""Spoken and written utterances, and a model that hears them, made on the spot."""

from pathlib import Path

import numpy as np
import soundfile

from maqam.data.manifest import Manifest, read_manifest, write_manifest
from maqam.models.pocket import new_pocket
from maqam.models.protocol import AudioLLM


def make_backbone(seed: int = 0) -> AudioLLM:
    """Return an untrained pocket."""
    return new_pocket(["فرّغ الكلام"], seed)


def make_manifest(folder: Path, seconds: list[float]) -> Manifest:
    """Write a tone of each length; a row of 0 seconds is text."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    return read_manifest(
        write_manifest([_row(folder, index, one) for index, one in enumerate(seconds)], folder)
    )


def _row(folder: Path, index: int, seconds: float) -> dict[str, object]:
    audio = f"audio/{index}.wav"
    if seconds:
        times = np.arange(round(seconds * 16_000)) / 16_000
        soundfile.write(
            folder / audio, 0.3 * np.sin(2 * np.pi * (200 + 90 * index) * times), 16_000
        )
    prompt = "<audio>فرّغ" if seconds else "لخّص: كلام"
    return {
        "id": f"utterance-{index}",
        "messages": [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": "كلام"},
        ],
        "audios": [audio] if seconds else [],
        "task": "asr" if seconds else "tsum",
        "label": None,
        "dialect": None,
        "speaker": None,
        "source": "tones",
        "split": "train",
        "start": 0.0,
        "seconds": seconds,
        "target": "كلام",
        "synthetic": True,
    }
