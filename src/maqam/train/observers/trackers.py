"""Experiment trackers, through the integrations of transformers."""

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState
from transformers.integrations import (
    MLflowCallback,
    TensorBoardCallback,
    TrackioCallback,
    WandbCallback,
)

from maqam.errors import RunError, first_line
from maqam.run_layout import RunLayout
from maqam.train.objective import TrainingModel
from maqam.train.observers.observer import Observer, Training

_CALLBACKS: Mapping[str, type[TrainerCallback]] = {
    "tensorboard": TensorBoardCallback,
    "trackio": TrackioCallback,
    "wandb": WandbCallback,
    "mlflow": MLflowCallback,
}

_OWN_FAULTS = (("wandb.errors", "Error"), ("mlflow.exceptions", "MlflowException"))


class Trackers(Observer):
    """Hands the numbers of every step to the trackers a recipe names.

    What they need beside the numbers (project, server, key) they read from their own environment
    variables. One that cannot begin stops the run before its first step; one that fails later is
    left behind with a warning, for the record of the run has all numbers anyway.

    Args:
        names: Trackers by name, as in `train.report_to`.
        run_folder: Folder of the run, where TensorBoard's files go.

    Raises:
        RunError: If the package of a tracker is not installed, or not whole.
    """

    def __init__(self, names: Sequence[str], run_folder: Path) -> None:
        self._callbacks = {name: _callback(name) for name in names}
        self._open: list[str] = []
        for callback in self._callbacks.values():
            if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
                callback.logging_dir = str(RunLayout(run_folder).tensorboard)
        self._name = run_folder.name
        self._state = TrainerState()

    def on_begin(self, training: Training) -> None:
        """Open every tracker, on the first process.

        Raises:
            RunError: If one has no key, no server or another fault of its own.
        """
        training.arguments.run_name = self._name
        self._given = (training.arguments, self._state, TrainerControl())
        self._state.max_steps = training.batches.plan.num_steps
        self._state.is_world_process_zero = training.is_first
        for name, callback in self._callbacks.items():
            try:
                callback.on_train_begin(*self._given, model=training.learner)
            except _faults() as error:
                raise RunError(
                    f"the tracker {name} cannot begin: {first_line(error)}",
                    where="train.report_to",
                    hint=f"set the environment variables of {name}, or leave it out",
                ) from error
            self._open.append(name)

    def on_step(self, record: Mapping[str, Any], learner: TrainingModel) -> None:
        """Hand over the numbers of a step."""
        self._state.global_step = record["step"]
        numbers = scalars(record)
        for name in [*self._open]:
            try:
                self._callbacks[name].on_log(*self._given, model=learner, logs=dict(numbers))
            except _faults() as error:
                self._open.remove(name)
                warnings.warn(
                    f"the tracker {name} gets no numbers from step {record['step']} on, which are "
                    f"in train.jsonl alone: {first_line(error)}",
                    stacklevel=2,
                )

    def on_end(self, error: BaseException | None) -> None:
        """Close every tracker."""
        while self._open:
            name = self._open.pop()
            try:
                self._callbacks[name].on_train_end(*self._given)
            except _faults() as fault:
                warnings.warn(
                    f"the tracker {name} did not close: {first_line(fault)}", stacklevel=2
                )


def scalars(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a step's record by the names trackers show them under.

    Examples:
        >>> record = {"step": 3, "loss": 2.0, "grad_norm": 1.0, "lr": 0.1, "seconds": 0.5}
        >>> scalars({**record, "utterances": 4, "loss_by_task": {"asr": 2.0}})
        ... # doctest: +NORMALIZE_WHITESPACE
        {'loss': 2.0, 'grad_norm': 1.0, 'lr': 0.1, 'utterances_per_second': 8.0,
         'loss_by_task/asr': 2.0}
    """
    found = {
        name: record[name] for name in ("loss", "grad_norm", "lr", "ctc_loss") if name in record
    }
    found["utterances_per_second"] = record["utterances"] / max(record["seconds"], 1e-9)
    return found | {f"loss_by_task/{task}": loss for task, loss in record["loss_by_task"].items()}


def _faults() -> tuple[type[Exception], ...]:
    """Return what trackers raise: of networks and settings, and of their own where loaded."""
    loaded = ((sys.modules.get(module), name) for module, name in _OWN_FAULTS)
    own = [getattr(module, name) for module, name in loaded if module is not None]
    return (OSError, RuntimeError, ValueError, *own)


def _callback(name: str) -> TrainerCallback:
    if find_spec(name) is None:
        raise RunError(
            f"the tracker {name} is not installed",
            where="train.report_to",
            hint=f"pip install {name}, or leave it out",
        )
    try:
        return _CALLBACKS[name]()
    except (ImportError, RuntimeError) as error:
        raise RunError(
            f"the tracker {name} does not load: {first_line(error)}",
            where="train.report_to",
            hint=f"pip install {name} again, or leave it out",
        ) from error
