"""Adapters of tasks and experts: added to the LLM, saved as PEFT folders, read again.

A saved adapter is a folder of PEFT folders, one a task or an expert, and `routing.json`, which
says which is whose. What all tasks share is part of each task's folder, so that each is the whole
adapter of its task; experts come with the weights of their routers in `router.safetensors`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from maqam.errors import ModelError, first_line
from maqam.files import read_table, write_json
from maqam.models.adapters.folders import Matrices, read_lora, write_lora
from maqam.models.adapters.layers import ExpertsLinear, LayerForm, RoutedLinear
from maqam.models.adapters.lora import OWN_MODEL, refuse_adapters
from maqam.models.protocol import AudioLLM
from maqam.models.tuning.names import ROUTER, ROUTING, SHARED, expert_names, folder_of, key_of
from maqam.models.tuning.ranks import Matched, layer_ranks, matched_ranks
from maqam.models.tuning.settings import Experts, NewAdapter
from maqam.models.weights.card import About

FORMAT_VERSION = 1
_WHOLE = "copy the whole adapter folder of the run"


@dataclass(frozen=True, slots=True)
class RoutedAdapter:
    """Adapters of tasks or experts on a backbone.

    Attributes:
        backbone: The model.
        kind: "task", "shared+task", "hydra" or "moe".
        layers: The adapted layers by full name.
        matched: What their ranks were matched to, if to anything.
    """

    backbone: AudioLLM
    kind: str
    layers: Mapping[str, RoutedLinear]
    matched: Matched | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Tasks, or names of experts."""
        return tuple(next(iter(self.layers.values())).form.names)

    def lora_of(self, name: str) -> dict[str, Matrices]:
        """Return what a task or an expert goes through, as one LoRA."""
        found = {}
        for layer, one in self.layers.items():
            a, b = one.matrices(name)
            found[layer] = Matrices(a.detach(), b.detach(), one.form.scale)
        return found

    def save(self, folder: Path, about: About | None = None) -> None:
        """Write the adapters as PEFT folders, with what says which is whose.

        Args:
            folder: Where they go.
            about: What their cards say of the training, by what it is.
        """
        for name in self.names:
            told = {**(about or {}), "adapter": f"{self.kind}: the one of {name}"}
            write_lora(self.backbone, self.lora_of(name), folder / folder_of(name), told)
        routing: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "kind": self.kind,
            "folders": {name: folder_of(name) for name in self.names},
        }
        routers = _routers(self.layers)
        if routers:
            routing["top_k"] = next(one.top_k for one in routers.values())
            tensors = {name: one.lora_router.detach().cpu() for name, one in routers.items()}
            save_file(tensors, folder / ROUTER, metadata={"format": "pt"})
        write_json(folder / ROUTING, routing)

    def begin_from(self, folder: Path) -> None:
        """Load saved weights into untrained adapters.

        Args:
            folder: Of saved adapters of the same kind, ranks and scales, for these tasks or more;
                or of one plain LoRA of these ranks and scales, from which every task and expert
                begins.

        Raises:
            ModelError: If the folder holds no such adapter.
        """
        saved = read_routing(folder) if (folder / ROUTING).is_file() else None
        if saved is None:
            self._begin_alike(read_lora(self.backbone, folder), folder)
            return
        others = {*self.names} ^ {*saved["folders"]}
        unmet = others if self.kind == "moe" else others & {*self.names}
        if saved["kind"] != self.kind or unmet:
            raise ModelError(
                f'the adapter is of kind "{saved["kind"]}" for {", ".join(saved["folders"])}, the '
                f'run trains kind "{self.kind}" for {", ".join(self.names)}',
                where=str(folder),
                hint="begin from a run of the same train.adapter and the same tasks",
            )
        for name in self.names:
            lora = read_lora(self.backbone, folder / saved["folders"][name])
            self._check_forms(lora, folder, of=lambda layer: layer.matrices(self.names[0])[0])
            for layer, one in lora.items():
                _fill(self.layers[layer], name, one)
        _fill_routers(self.layers, folder)

    def _begin_alike(self, lora: Mapping[str, Matrices], folder: Path) -> None:
        """Begin every task and every expert, or what all tasks share, from one LoRA."""
        self._check_forms(lora, folder, of=lambda layer: next(iter(layer.lora_A.values())))
        for name, one in lora.items():
            layer = self.layers[name]
            keys = [SHARED] if layer.has_shared else [*layer.lora_B]
            for key in keys:
                _copy(layer.lora_A[SHARED if layer.shares_a else key], one.a)
                _copy(layer.lora_B[key], one.b)

    def _check_forms(
        self, lora: Mapping[str, Matrices], folder: Path, of: Callable[[RoutedLinear], Tensor]
    ) -> None:
        """Refuse a LoRA of other layers, ranks or scales."""
        found = {name: (len(one.a), round(one.scale, 6)) for name, one in lora.items()}
        wanted = {
            name: (len(of(one)), round(one.form.scale, 6)) for name, one in self.layers.items()
        }
        differing = sum(found.get(name) != wanted.get(name) for name in {*found, *wanted})
        if differing:
            raise ModelError(
                f"the adapter has another rank or scale than the run in {differing} of "
                f"{len(wanted)} layers",
                where=str(folder),
                hint="set train.adapter, train.lora_rank and train.lora_alpha as in its own recipe",
            )


def add_routed(backbone: AudioLLM, new: NewAdapter) -> RoutedAdapter:
    """Put untrained adapters of tasks or experts on the LLM of a backbone, in place.

    Args:
        backbone: The model; it must not have an adapter yet.
        new: Their kind, ranks, tasks and seed; torch's global state is left as it was.

    Raises:
        ModelError: If the LLM has adapters already, a rank is of no layer, ranks cannot be
            matched, or the LLM has new tokens, whose embeddings they do not train.
    """
    refuse_adapters(backbone)
    kind = new.kind
    if kind.kind == "lora":
        raise ValueError("one LoRA is not routed: add_adapter adds it")
    if backbone.trained_tokens():
        raise ModelError(
            f"adapters of kind {kind.kind} leave the embeddings of new tokens as they are",
            where="train.adapter",
            hint="train a model of units with kind lora or full",
        )
    given = layer_ranks(backbone.lora_target_names(), new.rank, kind.ranks)
    linear = {name: backbone.model.get_submodule(name) for name in given}
    shapes = {name: (one.in_features, one.out_features) for name, one in linear.items()}
    matched = matched_ranks(kind, given, shapes, len(new.tasks))
    ranks = matched.ranks if matched else given
    names = expert_names(kind.num_experts) if isinstance(kind, Experts) else new.tasks
    layers: dict[str, RoutedLinear] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(new.seed)
        for name, one in linear.items():
            form = LayerForm(names, ranks[name], new.scale(given[name]), new.dropout)
            layers[name] = (
                ExpertsLinear(one, form, top_k=kind.top_k)
                if isinstance(kind, Experts)
                else RoutedLinear(
                    one,
                    form,
                    has_shared=kind.kind == "shared+task",
                    shares_a=kind.kind == "hydra",
                )
            )
    return _placed(backbone, RoutedAdapter(backbone, kind.kind, layers, matched))


def load_routed(backbone: AudioLLM, folder: Path) -> RoutedAdapter:
    """Put saved adapters of tasks or experts on the LLM of a backbone, in place and frozen.

    Raises:
        ModelError: If the LLM has adapters already, or the folder holds no adapters of it.
    """
    refuse_adapters(backbone)
    saved = read_routing(folder)
    loras = {name: read_lora(backbone, folder / place) for name, place in saved["folders"].items()}
    first = next(iter(loras.values()))
    forms = [
        {layer: (len(one.a), one.scale) for layer, one in lora.items()} for lora in loras.values()
    ]
    if any(form != forms[0] for form in forms):
        raise ModelError(
            "the adapters of the folder have different layers, ranks or scales",
            where=str(folder),
            hint="they are not of one run: copy its whole adapter folder",
        )
    layers: dict[str, RoutedLinear] = {}
    with torch.random.fork_rng(devices=[]):
        for layer, one in first.items():
            base = backbone.model.get_submodule(layer)
            form = LayerForm(tuple(loras), len(one.a), one.scale)
            top_k = saved.get("top_k")
            layers[layer] = (
                ExpertsLinear(base, form, top_k=top_k) if top_k else RoutedLinear(base, form)
            )
    for name, lora in loras.items():
        for layer, one in lora.items():
            _fill(layers[layer], name, one)
    _fill_routers(layers, folder)
    kind = "moe" if saved.get("top_k") else "task"  # what tasks share is in each of them
    placed = _placed(backbone, RoutedAdapter(backbone, kind, layers))
    for layer_module in layers.values():
        layer_module.requires_grad_(False).eval()
    return placed


def read_routing(folder: Path) -> dict[str, Any]:
    """Read which PEFT folder is whose.

    Raises:
        ModelError: If the file is broken.
    """
    found = read_table(folder / ROUTING, _WHOLE)
    folders = found.get("folders")
    if not isinstance(folders, dict) or not folders or "kind" not in found:
        raise ModelError(
            "routing.json does not say which folder is whose",
            where=str(folder),
            hint=_WHOLE,
        )
    return found


def _placed(backbone: AudioLLM, adapter: RoutedAdapter) -> RoutedAdapter:
    for name, layer in adapter.layers.items():
        parent, _, own = name.rpartition(".")
        setattr(backbone.model.get_submodule(parent), own, layer)
    return adapter


def _routers(layers: Mapping[str, RoutedLinear]) -> dict[str, ExpertsLinear]:
    return {name: one for name, one in layers.items() if isinstance(one, ExpertsLinear)}


def _fill(layer: RoutedLinear, name: str, one: Matrices) -> None:
    """Load the LoRA of a task or an expert, parted into what is shared and its own."""
    key = key_of(name)
    own_a, own_b = one.a, one.b
    if layer.has_shared:
        shared_a, own_a = one.a.chunk(2)
        shared_b, own_b = one.b.chunk(2, dim=1)
        _copy(layer.lora_A[SHARED], shared_a)
        _copy(layer.lora_B[SHARED], shared_b)
    _copy(layer.lora_A[SHARED if layer.shares_a else key], own_a)
    _copy(layer.lora_B[key], own_b)


def _fill_routers(layers: Mapping[str, RoutedLinear], folder: Path) -> None:
    """Load the weights of the routers, where the layers have any.

    Raises:
        ModelError: If they are missing or not those of the layers.
    """
    routers = _routers(layers)
    if not routers:
        return
    try:
        tensors = load_file(folder / ROUTER)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the routers do not load: {first_line(error)}",
            where=str(folder / ROUTER),
            hint=_WHOLE,
        ) from error
    wanted = {name: one.lora_router.shape for name, one in routers.items()}
    if {name: one.shape for name, one in tensors.items()} != wanted or not all(
        bool(torch.isfinite(one).all()) for one in tensors.values()
    ):
        raise ModelError(
            "the routers do not fit the layers of this LLM", where=str(folder), hint=OWN_MODEL
        )
    for name, one in routers.items():
        _copy(one.lora_router, tensors[name])


def _copy(parameter: nn.Parameter, values: Tensor) -> None:
    with torch.no_grad():
        parameter.copy_(values)
