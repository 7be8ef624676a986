"""By which names the LLM's layers go, in memory and in files that other tools read.

transformers renames modules from version to version, but not the tensors of a checkpoint: each
version knows how those of the hub are read. So an adapter is saved under the hub's names, which
transformers and PEFT of all versions take. Where the hub's checkpoint holds a larger model with
this one inside, tools that load the larger one call the same layers by a longer name.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion

PEFT_PREFIX = "base_model.model."
_ADAPTED = ".lora_"


@dataclass(frozen=True, slots=True)
class LayerNames:
    """The names of the layers that may get an adapter.

    Attributes:
        stored: Their names in a checkpoint of this model, by their names in memory.
        holder: What a larger model of the hub calls this one, with a dot; empty where there is
            none.
    """

    stored: Mapping[str, str]
    holder: str = ""

    @classmethod
    def of(cls, model: PreTrainedModel, layers: Iterable[str], holder: str = "") -> "LayerNames":
        """Find out the names of layers.

        Args:
            model: The model of transformers that has them.
            layers: Their full names in it; adapters in them are no layers of their own.
            holder: What a larger model calls this one, with a dot.
        """
        plain = dict.fromkeys(f"{one}.".partition(".lora_")[0] for one in layers)
        names = list(dict.fromkeys(one.rstrip(".").removesuffix(".base_layer") for one in plain))
        numbered = {f"{name}.weight": torch.tensor(index) for index, name in enumerate(names)}
        stored = {
            names[int(index)]: key.removesuffix(".weight").removeprefix(holder)
            for key, index in revert_weight_conversion(model, numbered).items()
        }
        return cls({name: stored.get(name, name) for name in names}, holder)

    def forms(self) -> dict[str, dict[str, str]]:
        """Return the names that tools give the layers, by who does, each by the name in memory.

        "model" are those of a checkpoint of this model. Of a larger model there are "whole", as
        its checkpoint has them, and "whole-renamed", as it calls them in memory now.
        """
        found = {"model": dict(self.stored)}
        if self.holder:
            found["whole"] = {own: self.holder + name for own, name in self.stored.items()}
            found["whole-renamed"] = {own: self.holder + own for own in self.stored}
        return found

    def pattern(self, layers: Collection[str] | None = None) -> str:
        """Return the pattern of `target_modules` that fits layers by all of their names.

        Args:
            layers: Their names in memory; all layers when absent.
        """
        own = self.stored if layers is None else layers
        names = [*own, *(self.stored[name] for name in own)]
        plain = target_pattern(names)
        others = self.stored.keys() - {*own}
        if any(re.fullmatch(plain, name) for name in others):  # some of the LLM's layers only
            plain = "|".join(sorted({re.escape(name) for name in names}))
        return f"(?:{re.escape(self.holder)})?(?:{plain})" if self.holder else plain

    def in_memory(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return an adapter's tensors by their names in memory; unknown names stay as they are."""
        known = {name: own for form in self.forms().values() for own, name in form.items()}
        known |= {own: own for own in self.stored}
        return {_renamed(name, known): one for name, one in tensors.items()}

    def in_files(self, tensors: Mapping[str, Tensor], form: str = "model") -> dict[str, Tensor]:
        """Return an adapter's tensors by their names in files.

        Args:
            tensors: By their names in memory.
            form: Whose names, one of `forms`.
        """
        known = self.forms()[form]
        return {_renamed(name, known): one for name, one in tensors.items()}

    def fitting(self, targets: str | Iterable[str] | None) -> set[str]:
        """Return the layers, by their names in memory, that a saved `target_modules` means.

        Args:
            targets: A pattern over full names, or the last parts of names.
        """
        found = set()
        for own in self.stored:
            names = {own, *(form[own] for form in self.forms().values())}
            if isinstance(targets, str):
                fits = any(re.fullmatch(targets, name) for name in names)
            else:
                ends = tuple(targets or ())
                fits = any(name in ends or name.endswith(_dotted(ends)) for name in names)
            if fits:
                found.add(own)
        return found


def target_pattern(names: Iterable[str]) -> str:
    r"""Return the pattern that matches full module names and their like in every layer.

    Examples:
        >>> target_pattern(["llm.layers.0.mlp.up_proj", "llm.layers.1.mlp.up_proj"])
        'llm\\.layers\\.\\d+\\.mlp\\.up_proj'
    """
    patterns = {re.sub(r"\\\.\d+\\\.", r"\\.\\d+\\.", re.escape(name)) for name in names}
    return "|".join(sorted(patterns))


def layer_of(tensor_name: str) -> str:
    """Return the layer that a tensor of an adapter belongs to.

    Examples:
        >>> layer_of("base_model.model.llm.layers.0.mlp.up_proj.lora_A.weight")
        'llm.layers.0.mlp.up_proj'
    """
    return tensor_name.removeprefix(PEFT_PREFIX).partition(_ADAPTED)[0]


def _renamed(name: str, known: Mapping[str, str]) -> str:
    layer = layer_of(name)
    rest = name.removeprefix(PEFT_PREFIX).removeprefix(layer)
    return f"{PEFT_PREFIX}{known[layer]}{rest}" if layer in known else name


def _dotted(ends: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f".{one}" for one in ends)
