"""Small manifests and audio for tests, made on the spot: no stored audio."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from maqam.data.manifest import Manifest, read_manifest, write_manifest
from maqam.tasks import default_tasks

TASKS = default_tasks()


def make_tone(
    path: Path,
    *,
    seconds: float = 1.0,
    hertz: float = 440.0,
    sample_rate: int = 16_000,
    num_channels: int = 1,
) -> Path:
    """Write a tone of amplitude 0.3; the suffix decides the format."""
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    tone = 0.3 * np.sin(2 * np.pi * hertz * times)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}
    soundfile.write(path, np.stack([tone] * num_channels, axis=1), sample_rate, **kind)
    return path


def make_row(index: int = 0, **changes: Any) -> dict[str, Any]:
    """Return one sound row of a manifest; its messages follow task, audios and target.

    Tasks go round, one row in ten is dev and one test, speakers belong to one split.
    """
    task = changes.get("task", list(TASKS)[index % len(TASKS)])
    labels = TASKS[task].labels if task in TASKS else ()
    label = labels[index // len(TASKS) % len(labels)] if labels else None
    split = {8: "dev", 9: "test"}.get(index % 10, "train")
    has_audio = task not in TASKS or TASKS[task].has_audio
    row = {
        "id": f"utterance-{index}",
        "audios": [f"audio/{index}.wav"] if has_audio else [],
        "task": task,
        "label": label,
        "dialect": "egyptian" if index % 3 else "msa",
        "speaker": f"{split}-{index % 4}" if has_audio else None,
        "source": "tones",
        "split": split,
        "start": 0.0,
        "seconds": 0.5 if has_audio else 0.0,
        "target": label or f"كلام رقم {index}",
        "synthetic": True,
        **changes,
    }
    prompt = "<audio>" * len(row["audios"] or []) + "فرّغ الكلام."
    row.setdefault(
        "messages",
        [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": row["target"]},
        ],
    )
    return row


def make_manifest(folder: Path, num_utterances: int = 20) -> Manifest:
    """Write tones and a manifest of all tasks; each utterance has its own pitch."""
    rows = [make_row(index) for index in range(num_utterances)]
    for index, row in enumerate(rows):
        for audio in row["audios"]:
            make_tone(folder / audio, seconds=row["seconds"], hertz=200 + 20 * index)
    return read_manifest(write_manifest(rows, folder))
