"""A pocket that all processes of a group train: plainly, out of memory or interrupted on one."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from maqam.data.manifest import read_manifest
from maqam.models.tuning.settings import Experts, Routed, TaskAdapters
from maqam.train.observers.observer import Observer
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings
from tests.train.corpus import FixedPlan, make_backbone

SETTINGS = TrainSettings(
    phase="align",
    llm="full",
    num_steps=4,
    batch_size=7,
    micro_batches=2,
    checkpoint_steps=2,
    learning_rate=1e-3,
    warmup=0,
)


def make_phase(corpus: Path, **changes: object) -> Phase:
    """Return steps of which the second has no audio, so that no process reaches the encoder."""
    rows = np.random.default_rng(0).choice(24, (4, 7))
    rows[1] = np.arange(7) % 6 * 4 + 2  # every fourth row is a text
    objective = Objective("task", ctc_weight=0.3)
    settings = replace(SETTINGS, **changes)
    return Phase(read_manifest(corpus), FixedPlan(rows), settings, objective, seed=7)


def routed_phase(corpus: Path, adapter: Routed) -> Phase:
    """Return the steps in phase "tune"; the second has rows of one task alone."""
    phase = make_phase(corpus, phase="tune", llm="lora", adapter=adapter, lora_rank=2)
    return replace(phase, objective=Objective("task"))


ROUTED = {"task": TaskAdapters("shared+task"), "moe": Experts(balance=0.5)}


class RunsOutOfMemory(Observer):
    """Lets a process fail in its second forward pass, once."""

    def on_begin(self, training) -> None:
        learner, calls = training.learner, []
        forward = learner.forward

        def fail_once(micro_batch):
            calls.append(len(micro_batch.rows))
            if len(calls) == 2:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return forward(micro_batch)

        learner.forward = fail_once


class Interrupted(Observer):
    """Sends a process Ctrl-C in a step."""

    def on_gradients(self, gradients) -> None:
        if gradients.step.number == 0:
            os.kill(os.getpid(), signal.SIGINT)


def train_on_all(corpus: Path, out: Path) -> None:
    """Run the phases of one process, whose rank torchrun's variables tell."""
    is_second = os.environ["RANK"] == "1"
    torch.set_num_threads(1)
    run_phase(make_backbone(), make_phase(corpus), out / "plain")
    starving = [RunsOutOfMemory()] if is_second else []
    run_phase(make_backbone(), make_phase(corpus), out / "starved", observers=starving)
    stopping = [Interrupted()] if is_second else []
    try:
        run_phase(make_backbone(), make_phase(corpus), out / "stopped", observers=stopping)
    except KeyboardInterrupt:
        (out / f"stopped-{os.environ['RANK']}").touch()
    for name, adapter in ROUTED.items():
        run_phase(make_backbone(), routed_phase(corpus, adapter), out / name)
    torch.distributed.destroy_process_group()
