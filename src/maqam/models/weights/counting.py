"""Loading is counted: every tensor a model needs is there, fits, and is a finite number."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from maqam.errors import ModelError, first_few


@dataclass(frozen=True, slots=True)
class Loading:
    """What is loaded, as an error tells of it.

    Attributes:
        where: The file or folder.
        hint: What the user can do where it does not fit.
        problem: What it means that it does not fit.
    """

    where: str
    hint: str
    problem: str = "the weights do not fit the model"

    def check(
        self,
        *,
        missing: Iterable[str] = (),
        unexpected: Iterable[str] = (),
        misshapen: Iterable[str] = (),
        tensors: Iterable[tuple[str, Tensor]] = (),
    ) -> None:
        """Refuse weights that are not those of the model they are loaded into.

        Args:
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
            "not finite numbers": [
                name for name, one in tensors if not bool(torch.isfinite(one).all())
            ],
        }
        found = [
            f"{len(names)} {kind} ({first_few(names)})" for kind, names in kinds.items() if names
        ]
        if found:
            raise ModelError(
                f"{self.problem}: tensors {', '.join(found)}", where=self.where, hint=self.hint
            )

    def check_same(self, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
        """Refuse tensors that are not by name and shape those of a model, or no finite numbers.

        Args:
            found: What the file holds.
            wanted: The model's own tensors.

        Raises:
            ModelError: If they differ; one sentence counts and names what.
        """
        self.check(
            missing=wanted.keys() - found.keys(),
            unexpected=found.keys() - wanted.keys(),
            misshapen=[
                _two_shapes(name, found[name].shape, wanted[name].shape)
                for name in found.keys() & wanted.keys()
                if found[name].shape != wanted[name].shape
            ],
            tensors=found.items(),
        )

    def check_model(self, model: Any, info: Mapping[str, Any]) -> None:  # noqa: ANN401
        """Refuse a model of transformers whose checkpoint did not give it all of its weights.

        Args:
            model: As `from_pretrained` returns it.
            info: What it returns beside it, sizes that differ ignored and told.

        Raises:
            ModelError: If tensors are missing, unexpected, of another shape or no finite numbers.
        """
        misshapen = [_two_shapes(*one) for one in info["mismatched_keys"]]
        self.check(
            missing=set(info["missing_keys"]) - {name for name, *_ in info["mismatched_keys"]},
            unexpected=info["unexpected_keys"],
            misshapen=misshapen,
            tensors=[] if info["missing_keys"] or misshapen else model.named_parameters(),
        )


def _two_shapes(name: str, found: Iterable[int], wanted: Iterable[int]) -> str:
    return f"{name} {tuple(found)} in the place of {tuple(wanted)}"
