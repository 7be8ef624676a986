"""Tasks of which two ask the same of the same audio and want opposite answers."""

from pathlib import Path

import numpy as np

from maqam.data.manifest import Manifest, read_manifest, write_manifest
from maqam.diagnose.rows import choose_rows
from maqam.diagnose.watch import ConflictWatch
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings
from tests.factories import make_row, make_tone
from tests.train.corpus import make_backbone, make_plan

ANSWERS = {"asr": "egyptian", "did": "egyptian", "ser": "angry"}  # did and asr agree, ser does not
SETTINGS = TrainSettings(
    num_steps=9,
    batch_size=6,
    micro_batches=1,
    checkpoint_steps=8,
    learning_rate=2e-2,
    warmup=0.0,
    lora_rank=4,
    lora_alpha=8,
)


def make_manifest(folder: Path, num_each: int = 6) -> Manifest:
    """Write tones, each of which every task has a row of."""
    rows = []
    for number in range(num_each):
        audio = f"audio/{number}.wav"
        make_tone(folder / audio, seconds=0.5, hertz=200 + 50 * number)
        for task, answer in ANSWERS.items():
            rows.append(
                make_row(
                    len(rows),
                    task=task,
                    audios=[audio],
                    label=None if task == "asr" else answer,
                    target=answer,
                    dialect=("egyptian", "gulf")[number % 2],
                    split="train",
                )
            )
    return read_manifest(write_manifest(rows, folder))


def train(manifest: Manifest, folder: Path, *, every: int = 4, **how):
    """Train on all rows with opposite answers, measured as it goes; return the backbone."""
    backbone = make_backbone()
    plan = make_plan(np.arange(manifest.num_utterances), SETTINGS.num_steps, SETTINGS.batch_size)
    phase = Phase(manifest, plan, SETTINGS, Objective("task"), seed=0)
    observers = list(how.pop("observers", ()))
    if every:
        fixed = choose_rows(manifest, np.arange(manifest.num_utterances), 6, seed=0)
        observers.append(ConflictWatch(manifest, fixed, every, folder, 0))
    run_phase(backbone, phase, folder, observers=observers, **how)
    return backbone
