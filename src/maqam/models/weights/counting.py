"""Loading is counted: every tensor a model needs is there, fits, and is a finite number."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from maqam.errors import ModelError, first_few


def refuse_misfits(
    where: str,
    hint: str,
    *,
    missing: Iterable[str] = (),
    unexpected: Iterable[str] = (),
    misshapen: Iterable[str] = (),
    tensors: Iterable[tuple[str, Tensor]] = (),
) -> None:
    """Refuse weights that are not those of the model they are loaded into.

    Args:
        where: The file or folder they are from.
        hint: What the user can do.
        missing: Names of tensors that the model has and the file lacks.
        unexpected: Names that the file has and the model lacks.
        misshapen: Names of tensors of another shape, with both shapes.
        tensors: Names and values, which must be finite numbers.

    Raises:
        ModelError: If there is any; one sentence counts and names all kinds.
    """
    kinds = {
        "missing": sorted(missing),
        "unexpected": sorted(unexpected),
        "of another shape": sorted(misshapen),
        "not finite numbers": [name for name, one in tensors if not torch.isfinite(one).all()],
    }
    found = [f"{len(names)} {kind} ({first_few(names)})" for kind, names in kinds.items() if names]
    if found:
        raise ModelError(
            f"the weights do not fit the model: tensors {', '.join(found)}", where=where, hint=hint
        )


def refuse_other_tensors(
    where: str, hint: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> None:
    """Refuse tensors that are not by name and shape those of a model, or no finite numbers.

    Args:
        where: The file they are from.
        hint: What the user can do.
        found: What the file holds.
        wanted: The model's own tensors.

    Raises:
        ModelError: If they differ; one sentence counts and names what.
    """
    refuse_misfits(
        where,
        hint,
        missing=wanted.keys() - found.keys(),
        unexpected=found.keys() - wanted.keys(),
        misshapen=[
            _two_shapes(name, found[name].shape, wanted[name].shape)
            for name in found.keys() & wanted.keys()
            if found[name].shape != wanted[name].shape
        ],
        tensors=found.items(),
    )


def refuse_faulty_loading(where: str, hint: str, model: Any, info: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Refuse a model of transformers whose checkpoint did not give it all of its weights.

    Args:
        where: The checkpoint.
        hint: What the user can do.
        model: As `from_pretrained` returns it.
        info: What it returns beside it, sizes that differ ignored and told.

    Raises:
        ModelError: If tensors are missing, unexpected, of another shape or no finite numbers.
    """
    misshapen = [_two_shapes(*one) for one in info["mismatched_keys"]]
    absent = {name for name, *_ in info["mismatched_keys"]}
    refuse_misfits(
        where,
        hint,
        missing=set(info["missing_keys"]) - absent,
        unexpected=info["unexpected_keys"],
        misshapen=misshapen,
        tensors=[] if info["missing_keys"] or misshapen else model.named_parameters(),
    )


def _two_shapes(name: str, found: Iterable[int], wanted: Iterable[int]) -> str:
    return f"{name} {tuple(found)} in the place of {tuple(wanted)}"
