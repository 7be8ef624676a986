"""Measures of the models that a finished run left: its adapter, and the checkpoints before it."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from maqam.diagnose.measure import ConflictMeasure
from maqam.diagnose.moments import stored_moments
from maqam.errors import RunError
from maqam.run_layout import RunLayout
from maqam.train.objective import TrainingModel
from maqam.train.trainer import WEIGHTS


def stored_steps(run: RunLayout) -> dict[int, Path]:
    """Return the checkpoints of a run by their step."""
    folders = [one for one in run.checkpoints.glob("step-*") if (one / WEIGHTS).is_file()]
    return {int(one.name.removeprefix("step-")): one for one in sorted(folders)}


def measure_models(
    run: RunLayout,
    learner: TrainingModel,
    measure: ConflictMeasure,
    last_step: int,
    known: Collection[int] = (),
) -> Iterator[dict[str, Any]]:
    """Measure the adapter that a learner has, then the checkpoints, whose weights it gets.

    Args:
        run: The finished run.
        learner: The model with the run's adapter, what trained requiring gradients.
        measure: What measures it.
        last_step: Steps the run took.
        known: Steps that were measured before.

    Yields:
        A line of `conflict.jsonl` each.

    Raises:
        RunError: If a checkpoint is damaged or is of other parameters.
    """
    stored = stored_steps(run)
    if last_step not in known:
        checkpoint = stored.pop(last_step, None)
        parameters = measure.gradients.parameters
        moments = stored_moments(checkpoint, learner, parameters) if checkpoint else None
        yield measure(last_step, moments)
    for step in sorted(set(stored) - set(known)):
        load_trained(learner, stored[step])
        yield measure(step, stored_moments(stored[step], learner, measure.gradients.parameters))


def load_trained(learner: TrainingModel, checkpoint: Path) -> None:
    """Load the weights of a checkpoint of its training into a learner.

    Raises:
        RunError: If they are damaged or are of other parameters.
    """
    path, hint = checkpoint / WEIGHTS, "remove the checkpoint, or train the run anew"
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"not readable: {error}", where=str(path), hint=hint) from error
    own = {name: one for name, one in learner.named_parameters() if one.requires_grad}
    if {name: one.shape for name, one in weights.items()} != {
        name: one.shape for name, one in own.items()
    }:
        raise RunError(
            f"its {len(weights)} parameters are not the {len(own)} that train",
            where=str(path),
            hint=hint,
        )
    with torch.no_grad():
        for name, one in own.items():
            one.copy_(weights[name])
