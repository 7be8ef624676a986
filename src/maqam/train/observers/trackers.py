"""Experiment trackers, through the integrations of transformers."""

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

from maqam.errors import RunError
from maqam.run_layout import RunLayout
from maqam.train.objective import TrainingModel
from maqam.train.observers.observer import Observer, Training

_CALLBACKS: Mapping[str, type[TrainerCallback]] = {
    "tensorboard": TensorBoardCallback,
    "trackio": TrackioCallback,
    "wandb": WandbCallback,
    "mlflow": MLflowCallback,
}


class Trackers(Observer):
    """Hands the numbers of every step to the trackers a recipe names.

    What they need beside the numbers (project, server, key) they read from their own environment
    variables.

    Args:
        names: Trackers by name, as in `train.report_to`.
        run_folder: Folder of the run, where TensorBoard's files go.

    Raises:
        RunError: If the package of a tracker is not installed.
    """

    def __init__(self, names: Sequence[str], run_folder: Path) -> None:
        self._callbacks = [_callback(name) for name in names]
        for callback in self._callbacks:
            if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
                callback.logging_dir = str(RunLayout(run_folder).tensorboard)
        self._name = run_folder.name
        self._state = TrainerState()

    def on_begin(self, training: Training) -> None:
        """Open every tracker, on the first process."""
        training.arguments.run_name = self._name
        self._given = (training.arguments, self._state, TrainerControl())
        self._state.max_steps = training.batches.plan.num_steps
        self._state.is_world_process_zero = training.is_first
        for callback in self._callbacks:
            callback.on_train_begin(*self._given, model=training.learner)

    def on_step(self, record: Mapping[str, Any], learner: TrainingModel) -> None:
        """Hand over the numbers of a step."""
        self._state.global_step = record["step"]
        numbers = scalars(record)
        for callback in self._callbacks:
            callback.on_log(*self._given, model=learner, logs=numbers)

    def on_end(self, error: BaseException | None) -> None:
        """Close every tracker."""
        for callback in self._callbacks:
            callback.on_train_end(*self._given)


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


def _callback(name: str) -> TrainerCallback:
    if find_spec(name) is None:
        raise RunError(
            f"the tracker {name} is not installed",
            where="train.report_to",
            hint=f"pip install {name}, or leave it out",
        )
    return _CALLBACKS[name]()
