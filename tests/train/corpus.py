"""A few spoken and written utterances, and plans over them, made on the spot."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile

from maqam.data.manifest import Manifest, read_manifest, write_manifest
from maqam.models.pocket import new_pocket
from maqam.models.protocol import AudioLLM
from maqam.schedule import PlanStepSampler, Switch
from maqam.train.batches import PlanBatches

WORDS = ["مرحبا", "يا", "صديقي", "كيف", "الحال", "اليوم", "في", "البيت", "الكبير"]
TASKS = ("asr", "did", "tsum", "asr")


def make_manifest(folder: Path, num_utterances: int = 24) -> Manifest:
    """Write tones of 0.5 to 2 seconds and texts, of three tasks."""
    generator = np.random.default_rng(0)
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    rows = [_row(folder, index, generator) for index in range(num_utterances)]
    return read_manifest(write_manifest(rows, folder))


def _row(folder: Path, index: int, generator: np.random.Generator) -> dict[str, object]:
    task = TASKS[index % len(TASKS)]
    words = " ".join(generator.choice(WORDS, int(generator.integers(1, 5))))
    label = ("egyptian", "msa")[index % 2] if task == "did" else None
    has_audio = task != "tsum"
    seconds = float(generator.integers(50, 200)) / 100
    audio = f"audio/{index}.wav"
    if has_audio:
        times = np.arange(round(seconds * 16_000)) / 16_000
        soundfile.write(
            folder / audio, 0.3 * np.sin(2 * np.pi * (200 + 40 * index) * times), 16_000
        )
    prompt = "<audio>فرّغ" if has_audio else f"لخّص: {' '.join(WORDS)}"
    target = label or words
    return {
        "id": f"utterance-{index}",
        "messages": [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": target},
        ],
        "audios": [audio] if has_audio else [],
        "task": task,
        "label": label,
        "dialect": None,
        "speaker": None,
        "source": "tones",
        "split": "train",
        "start": 0.0,
        "seconds": seconds if has_audio else 0.0,
        "target": target,
        "synthetic": True,
    }


def make_backbone(seed: int = 0) -> AudioLLM:
    """Return an untrained pocket."""
    return new_pocket([" ".join(WORDS), "فرّغ لخّص egyptian msa"], seed)


@dataclass
class FixedPlan:
    """The part of a plan that training reads."""

    rows: np.ndarray
    schedule: dict[str, str] = field(default_factory=lambda: {"kind": "uniform"})
    switches: dict[int, Switch] = field(default_factory=dict)

    def batch(self, step: int) -> np.ndarray:
        return self.rows[step]

    @property
    def num_steps(self) -> int:
        return len(self.rows)

    @property
    def batch_size(self) -> int:
        return self.rows.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.blake2b(self.rows.tobytes(), digest_size=16).hexdigest()


def make_plan(rows: np.ndarray, num_steps: int, batch_size: int, seed: int = 0) -> FixedPlan:
    """Draw the rows of every step from some manifest rows."""
    generator = np.random.default_rng(seed)
    return FixedPlan(generator.choice(rows, (num_steps, batch_size)))


def load_step(batches: PlanBatches, step: int = 0, max_tokens: int | None = None, **split):
    """Return one process' part of a step, split as a sampler splits it."""
    lengths = batches.prepared.lengths
    sampler = PlanStepSampler(batches.plan, lengths=lengths, max_tokens=lambda: max_tokens, **split)
    return batches[sampler.part(step)]
