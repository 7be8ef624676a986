"""What an optimiser multiplies gradients by, which makes its own metric of them.

A step of AdamW on one task's gradient changes another task's loss by their product in this metric,
not in the Euclidean one.
"""

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Trainer

from maqam.errors import RunError, first_line

OPTIMIZER = "optimizer.pt"  # as the Trainer calls it
_BROKEN = (  # what torch raises of a file that is none of its own, and what another content does
    *(OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError),
    *(LookupError, TypeError, AttributeError),
)


def live_moments(
    optimizer: torch.optim.Optimizer, parameters: Mapping[str, nn.Parameter]
) -> dict[str, Tensor] | None:
    """Return the second moments of parameters, bias corrected, by name.

    None before the first step, or where the optimiser keeps none.
    """
    beta2s = {
        id(one): group.get("betas", (0.0, 0.0))[1]
        for group in optimizer.param_groups
        for one in group["params"]
    }
    found = {}
    for name, one in parameters.items():
        state = optimizer.state.get(one, {})
        if "exp_avg_sq" not in state:
            return None
        found[name] = _corrected(state, beta2s[id(one)])
    return found


def stored_moments(
    checkpoint: Path, learner: nn.Module, parameters: Mapping[str, nn.Parameter]
) -> dict[str, Tensor] | None:
    """Return the second moments that a checkpoint of a training holds, by name.

    None where the checkpoint has no optimiser, or keeps no second moments.

    Args:
        checkpoint: Folder of the checkpoint.
        learner: The model and its loss, what trains as it trained.
        parameters: Some of what trains, by name.

    Raises:
        RunError: If the file is broken, or is of other parameters.
    """
    path = checkpoint / OPTIMIZER
    if not path.is_file():
        return None
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        states, groups = stored["state"], stored["param_groups"]
        numbers = [number for group in groups for number in group["params"]]
        beta2 = {number: group["betas"][1] for group in groups for number in group["params"]}
    except _BROKEN as error:
        raise _broken(path, f"not readable: {first_line(error)}") from error
    names = _ordered(learner)
    if len(names) != len(numbers):
        raise _broken(path, f"it has {len(numbers)} parameters, {len(names)} train")
    places = dict(zip(names, numbers, strict=True))
    found = {}
    for name, one in parameters.items():
        number = places.get(name)
        state = states.get(number, {})
        if "exp_avg_sq" not in state:
            return None
        if state["exp_avg_sq"].shape != one.shape:
            raise _broken(path, f"{name} has another shape there")
        found[name] = _corrected(state, beta2[number])
    return found


def scales_of(moments: Mapping[str, Tensor], eps: float = 1e-8) -> dict[str, Tensor]:
    """Return the roots of what AdamW multiplies gradients by, by name of the parameter."""
    return {name: (one.sqrt() + eps).rsqrt() for name, one in moments.items()}


def _corrected(state: Mapping[str, Any], beta2: float) -> Tensor:
    steps = float(state["step"])
    moment: Tensor = state["exp_avg_sq"].float().cpu()
    return moment / (1 - math.pow(beta2, steps)) if beta2 and steps else moment


def _ordered(learner: nn.Module) -> list[str]:
    """Return the names of what trains in the Trainer's order: those with weight decay first."""
    decayed = set(Trainer.get_decay_parameter_names(None, learner))  # it reads no trainer
    names = [name for name, one in learner.named_parameters() if one.requires_grad]
    return sorted(names, key=lambda name: name not in decayed)


def _broken(path: Path, problem: str) -> RunError:
    return RunError(problem, where=str(path), hint="remove the checkpoint, or train the run anew")
