"""Which parts of a backbone train, set by full parameter name and checked before a step runs.

A bare suffix such as "q_proj" also matches the audio tower; here every parameter belongs to
exactly one part, and what trains is compared with what the phase demands.
"""

from collections.abc import Collection
from typing import TypedDict

from maqam.errors import ModelError, first_few
from maqam.models.family import PARTS
from maqam.models.protocol import AudioLLM

ADAPTER = "adapter"
OTHER = "vision"  # what no part claims, in all families so far
_ADAPTERS = (".lora_", ".trainable_tokens_delta.")


class PartParameters(TypedDict):
    """Parameters of one part: how many there are and how many of them train."""

    part: str
    parameters: int
    trainable: int


def trained_part_of(backbone: AudioLLM, parameter_name: str) -> str:
    """Return the part a parameter belongs to, adapters and what is never trained among them."""
    if _is_adapter(parameter_name):
        return ADAPTER
    return backbone.part_of(parameter_name) or OTHER


def train_only(backbone: AudioLLM, parts: Collection[str]) -> None:
    """Let the named parts train and freeze all others.

    Args:
        backbone: The model; adapters, if any, are already in place.
        parts: Names among "encoder", "aligner", "llm" and "adapter".

    Raises:
        ModelError: If a part has no parameters, or adapters sit outside the LLM.
    """
    for name, parameter in backbone.model.named_parameters():
        parameter.requires_grad_(trained_part_of(backbone, name) in parts)
    check_trainable(backbone, parts)


def check_trainable(backbone: AudioLLM, parts: Collection[str]) -> None:
    """Compare what trains with what should train.

    Raises:
        ModelError: If adapters sit outside the LLM, a part that should train has no trainable
            parameter, or a parameter of another part trains.
    """
    misplaced = [
        name
        for name, _ in backbone.model.named_parameters()
        if _is_adapter(name) and backbone.part_of(name) != "llm"
    ]
    if misplaced:
        raise ModelError(
            f"{len(misplaced)} adapter parameters sit outside the LLM: {first_few(misplaced)}",
            where="adapter",
            hint="anchor the adapter's targets on the LLM by full name",
        )
    stray = [
        name
        for name, parameter in backbone.model.named_parameters()
        if parameter.requires_grad and trained_part_of(backbone, name) not in parts
    ]
    if stray:
        raise ModelError(
            f"{len(stray)} parameters train outside {', '.join(parts)}: {first_few(stray)}",
            where="trainable parameters",
            hint="freeze them before training",
        )
    table = parameter_table(backbone)
    idle = set(parts) - {row["part"] for row in table if row["trainable"]}
    if idle:
        raise ModelError(
            f"no parameter of the {' and '.join(sorted(idle))} trains",
            where="trainable parameters",
            hint="add the adapter, or train another part",
        )


def parameter_table(backbone: AudioLLM) -> list[PartParameters]:
    """Count the parameters of each part, shared ones once."""
    counts = {part: [0, 0] for part in (*PARTS, ADAPTER)}
    for name, parameter in backbone.model.named_parameters():
        count = counts.setdefault(trained_part_of(backbone, name), [0, 0])
        count[0] += parameter.numel()
        count[1] += parameter.numel() if parameter.requires_grad else 0
    return [
        PartParameters(part=part, parameters=total, trainable=trainable)
        for part, (total, trainable) in counts.items()
    ]


def _is_adapter(parameter_name: str) -> bool:
    return any(words in parameter_name for words in _ADAPTERS)
