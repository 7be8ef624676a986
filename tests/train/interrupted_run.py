"""Trains a pocket on a few utterances; a test kills this process at a random moment.

Run as a module: `python -m train.interrupted_run CORPUS RUN`.
"""

import sys
from pathlib import Path

import numpy as np

from maqam.data.manifest import read_manifest
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings

from .corpus import make_backbone, make_plan

SETTINGS = TrainSettings(
    phase="align",
    llm="lora",
    num_steps=12,
    batch_size=4,
    micro_batches=2,
    checkpoint_steps=3,
    learning_rate=1e-3,
    lora_dropout=0.1,
)


def train(corpus: Path, run_folder: Path, *, resume: bool = False) -> None:
    plan = make_plan(np.arange(24), SETTINGS.num_steps, SETTINGS.batch_size)
    objective = Objective("task", ctc_weight=0.3)
    phase = Phase(read_manifest(corpus), plan, SETTINGS, objective, seed=7)
    run_phase(make_backbone(), phase, run_folder, resume=resume)


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]))
