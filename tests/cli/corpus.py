"""A corpus of tones in all five tasks, made on the spot, and the ways to spoil it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from maqam.data.manifest import FILE_NAME, SCHEMA, read_manifest, write_manifest
from maqam.tasks import default_tasks

TASKS = default_tasks()

RATE = 16_000
WORDS = ["مرحبا", "يا", "صديقي", "كيف", "الحال", "اليوم", "في", "البيت", "الكبير"]
SCRIPT = '<script src="https://example.org/x.js">alert("x")</script>'
NUM_EACH = {"train": 6, "test": 3}

Row = dict[str, Any]


def make_corpus(folder: Path) -> Path:
    """Write tones and texts: six train and three test utterances of each task."""
    (folder / "audio").mkdir(parents=True)
    rows = []
    for split, count in NUM_EACH.items():
        for task in TASKS:
            rows += [_row(folder, split, task, index) for index in range(count)]
    write_manifest(rows, folder)
    return folder


def _row(folder: Path, split: str, task: str, index: int) -> Row:
    name = f"{split}-{task}-{index}"
    labels = TASKS[task].labels
    label = labels[index % len(labels)] if labels else None
    text = " ".join(WORDS[(index + offset) % len(WORDS)] for offset in range(2 + index % 3))
    if name == "test-asr-0":
        text = SCRIPT
    audio = f"audio/{name}.wav"
    seconds = 0.5 + 0.1 * index
    has_audio = TASKS[task].has_audio
    if has_audio:
        write_tone(folder / audio, seconds, 200 + 30 * index)
    prompt = TASKS[task].prompts["ar"]
    content = f"<audio>{prompt}" if has_audio else f"{prompt} {' '.join(WORDS)}"
    return {
        "id": name,
        "messages": conversation(content, label or text),
        "audios": [audio] if has_audio else [],
        "task": task,
        "label": label,
        "dialect": "msa",
        "speaker": f"{split}-speaker-{index % 2}",
        "source": "tones",
        "split": split,
        "start": 0.0,
        "seconds": seconds if has_audio else 0.0,
        "target": label or text,
        "synthetic": True,
    }


def conversation(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def write_tone(path: Path, seconds: float, hertz: float, rate: int = RATE) -> None:
    times = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * times), rate)


def copied(corpus: Path, folder: Path) -> Path:
    shutil.copytree(corpus, folder)
    return folder


def edit_rows(corpus: Path, change: Callable[[list[Row]], object]) -> None:
    """Change rows of a manifest behind the back of every check."""
    rows = read_manifest(corpus, check_rows=False).table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), corpus / FILE_NAME)


def row_of(rows: list[Row], name: str) -> Row:
    return next(row for row in rows if row["id"] == name)
