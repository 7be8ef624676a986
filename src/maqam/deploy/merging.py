"""Adapters as changes of single tensors, computed by PEFT's own layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from maqam.deploy.rewriting import Change
from maqam.errors import ModelError
from maqam.models.weights.adapter_files import CONFIG, alpha_of, read_adapter
from maqam.models.weights.counting import Loading
from maqam.models.weights.names import LayerNames, layer_of

_DEFAULT = "default"
_OWN_MODEL = "export with the model that the run was trained on"


@dataclass(frozen=True, slots=True)
class Merge:
    """What one layer's tensor becomes: the mean of what several adapters make of it.

    Attributes:
        adapters: Configuration and tensors of each, by their names within the layer.
    """

    adapters: tuple[tuple[LoraConfig, Mapping[str, Tensor]], ...]

    def __call__(self, weight: Tensor) -> Tensor:
        """Return the weight with the adapters in it."""
        merged = [_merged(weight, config, parts) for config, parts in self.adapters]
        if len(merged) == 1:
            return merged[0]
        return torch.stack([one.float() for one in merged]).mean(dim=0)


def merges(
    folders: Sequence[Path], names: LayerNames, held: Mapping[str, Path]
) -> dict[str, Change]:
    """Return what changes in a checkpoint when adapters are merged into it, by names of tensors.

    Args:
        folders: PEFT folders; of several, the mean is merged.
        names: Of the layers of the model.
        held: Tensors of the checkpoint.

    Raises:
        ModelError: If an adapter does not load, or does not fit the checkpoint.
    """
    by_layer: dict[str, list[tuple[LoraConfig, dict[str, Tensor]]]] = {}
    for folder in folders:
        config, tensors = _read(folder)
        loading = Loading(str(folder), _OWN_MODEL, "the adapter does not fit the checkpoint")
        own = names.in_memory(tensors)
        loading.check(
            unexpected=[one for one in own if layer_of(one) not in names.stored],
            missing=names.fitting(config.target_modules) - {layer_of(one) for one in own},
            tensors=own.items(),
        )
        for name, tensor in own.items():
            layers = by_layer.setdefault(layer_of(name), [])
            if not layers or layers[-1][0] is not config:
                layers.append((config, {}))
            layers[-1][1][name.rpartition(f"{layer_of(name)}.")[2]] = tensor
    changes: dict[str, Change] = {}
    for layer, adapters in by_layer.items():
        placed = [(_of_layer(config, layer, parts), parts) for config, parts in adapters]
        placed += [(placed[0][0], {})] * (len(folders) - len(placed))
        changes[_held_name(layer, names, held)] = Merge(tuple(placed))
    return changes


def _read(folder: Path) -> tuple[LoraConfig, dict[str, Tensor]]:
    if not (folder / CONFIG).is_file():
        raise ModelError(
            "there is no adapter here", where=str(folder), hint="give the folder of a finished run"
        )
    return read_adapter(
        folder, hint="train the run anew, or take the folder from where it was whole"
    )


def _of_layer(config: LoraConfig, layer: str, parts: Mapping[str, Tensor]) -> LoraConfig:
    """Return the configuration of one layer alone, its rank and alpha found by its name."""
    rank = next((len(one) for name, one in parts.items() if "lora_A" in name), config.r)
    return LoraConfig(
        r=rank,
        lora_alpha=alpha_of(config, layer),
        use_rslora=config.use_rslora,
        use_dora=config.use_dora,
        target_modules=["layer"],
    )


def _held_name(layer: str, names: LayerNames, held: Mapping[str, Path]) -> str:
    """Return by what name a checkpoint holds the weight of a layer."""
    known = [form[layer] for form in names.forms().values()]
    candidates = [f"{name}.weight" for name in (*known, layer)]
    found = next((name for name in candidates if name in held), None)
    if found is None:
        raise ModelError(
            f"the checkpoint has no tensor {candidates[0]!r}", where="export", hint=_OWN_MODEL
        )
    return found


def _merged(weight: Tensor, config: LoraConfig, parts: Mapping[str, Tensor]) -> Tensor:
    """Merge one adapter into one weight; without parts there is nothing to merge."""
    if not parts:
        return weight
    holder = nn.Module()
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    linear.weight = nn.Parameter(weight.clone(), requires_grad=False)
    holder.layer = linear
    with torch.random.fork_rng(devices=[]):
        inject_adapter_in_model(config, holder)
    adapted: Any = holder.layer
    own = dict(adapted.named_parameters())
    for name, value in parts.items():
        *path, last = name.split(".")
        long = (
            ".".join([*path, _DEFAULT, last]) if last == "weight" else f"{name}.{_DEFAULT}.weight"
        )
        own[long].data = value  # in the format it was trained in, as PEFT keeps it
    adapted.merge()
    merged: Tensor = adapted.get_base_layer().weight.detach()
    return merged
