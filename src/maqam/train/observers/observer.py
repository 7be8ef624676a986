"""What may watch a phase, and when it is called.

Telemetry, progress, trackers, the controller of an adaptive schedule and diagnostics all hook into
training here and nowhere else. An observer reads; what a step trains on is the plan's matter.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainingArguments

from maqam.progress import Progress
from maqam.train.batches import PlanBatches, Step
from maqam.train.objective import MicroBatch, TrainingModel


@dataclass(frozen=True, slots=True)
class Training:
    """A phase that begins, as its observers see it.

    Attributes:
        learner: The model and its loss.
        batches: What its steps hold.
        first_step: Steps done before, above 0 where a run goes on.
        is_first: Whether this is the first process; what writes files does so on it alone.
        arguments: What the Trainer was made with.
    """

    learner: TrainingModel
    batches: PlanBatches
    first_step: int
    is_first: bool
    arguments: TrainingArguments


@dataclass(frozen=True, slots=True)
class Gradients:
    """A step whose gradients are whole, in `.grad` of the learner's parameters, and not yet taken.

    Attributes:
        learner: The model and its loss; gradients are summed over processes, not clipped.
        batches: Where its micro-batches come from.
        step: Its rows, and how they weigh.
        num_micro_batches: Forward passes it took on all processes together.
        optimizer: What will take them, its state of the step before.
    """

    learner: TrainingModel
    batches: PlanBatches
    step: Step
    num_micro_batches: int
    optimizer: torch.optim.Optimizer

    @property
    def tasks(self) -> np.ndarray:
        """(num_utterances,) task of each utterance of the step."""
        return self.batches.tasks(self.step)

    def micro_batches(self, chosen: np.ndarray) -> Iterator[MicroBatch]:
        """Return some utterances of the step as micro-batches, with the weights they have in it.

        The losses of all of them sum to the loss of the step, so gradients of parts add up to its
        gradient.

        Args:
            chosen: (num_utterances,) booleans, or positions in the step.
        """
        yield from self.batches.micro_batches(self.step, chosen, self.num_micro_batches)


class Observer:
    """What watches a phase; every method does nothing until it is overridden.

    Observers are called on every process, in the order they were given.
    """

    def on_begin(self, training: Training) -> None:
        """Take note of a phase before its first step."""

    def on_gradients(self, gradients: Gradients) -> None:
        """Look at a step before the optimiser takes its gradients; `.grad` must stay as it is."""

    def on_step(self, record: Mapping[str, Any], learner: TrainingModel) -> None:
        """Take the record of a step, as it stands in `train.jsonl`."""

    def on_checkpoint(self, folder: Path) -> None:
        """Take note of a checkpoint, written whole."""

    def on_end(self, error: BaseException | None) -> None:
        """Take note of the end, or of what broke the phase off."""


class StepProgress(Observer):
    """Reports the steps done.

    Args:
        progress: Called with the steps done and their total.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._total = 0

    def on_begin(self, training: Training) -> None:
        """Note the total."""
        self._total = training.batches.plan.num_steps

    def on_step(self, record: Mapping[str, Any], learner: TrainingModel) -> None:
        """Report the step."""
        self._progress(record["step"], self._total)


@contextmanager
def watched(observers: Sequence[Observer], training: Training) -> Iterator[None]:
    """Tell observers of the begin and the end of a phase.

    Those that were told of the begin are told of the end, whatever broke the phase off.
    """
    begun: list[Observer] = []
    fault: BaseException | None = None
    try:
        for observer in observers:
            begun.append(observer)
            observer.on_begin(training)
        yield
    except BaseException as error:
        fault = error
        raise
    finally:
        for observer in reversed(begun):
            observer.on_end(fault)
