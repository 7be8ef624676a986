"""An adapter as a PEFT folder that any version of transformers and PEFT, and other tools, read.

Of the configuration only what deviates from PEFT's defaults is written, so that earlier versions,
which lack newer fields, have nothing to warn of.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from peft.utils.other import get_pattern_key
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from maqam.errors import ModelError, first_line
from maqam.models.families import FAMILIES
from maqam.models.family import Family
from maqam.models.protocol import AudioLLM
from maqam.models.weights.card import About, adapter_card
from maqam.models.weights.names import LayerNames

CONFIG, WEIGHTS, CARD = "adapter_config.json", "adapter_model.safetensors", "README.md"
_ALWAYS = frozenset(
    ("r", "lora_alpha", "lora_dropout", "target_modules", "bias", "use_rslora", "use_dora")
)
_HUB_CACHE = re.compile(r"models--([^/]+)--([^/]+)/snapshots/[0-9a-f]+/?$")


def names_of(backbone: AudioLLM) -> LayerNames:
    """Return the names of the layers of a backbone that may get an adapter."""
    return LayerNames.of(backbone.model, backbone.lora_target_names(), _holder(backbone.model))


def names_in(adapter: PeftModel) -> LayerNames:
    """Return the names of the layers that an adapter sits on."""
    model = adapter.get_base_model()
    return LayerNames.of(model, adapter.base_model.targeted_module_names, _holder(model))


def names_at(folder: Path, family: Family) -> LayerNames:
    """Return the names of the LLM's linear layers in a checkpoint; no weight is read.

    Args:
        folder: The checkpoint.
        family: What it is one of.
    """
    config = transformers.AutoConfig.from_pretrained(folder)
    if family.nested:
        config = getattr(config, family.nested, config)
    with torch.device("meta"):
        model = getattr(transformers, family.architecture)._from_config(config)
    inside = f"{family.language_model}.layers."
    linear = [
        name
        for name, module in model.named_modules()
        if name.startswith(inside) and isinstance(module, nn.Linear)
    ]
    return LayerNames.of(model, linear, family.holder)


def read_adapter(folder: Path, *, hint: str) -> tuple[LoraConfig, dict[str, Tensor]]:
    """Read the configuration of a saved adapter and its tensors, by their names in the file.

    Args:
        folder: Where it is.
        hint: What the user can do where it does not load.

    Raises:
        ModelError: If a file is not there or cut short, or is of another kind of adapter.
    """
    try:
        return LoraConfig.from_pretrained(str(folder)), load_file(folder / WEIGHTS)
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"the adapter does not load: {first_line(error)}", where=str(folder), hint=hint
        ) from error


def alpha_of(config: LoraConfig, layer: str) -> float:
    """Return the alpha of a layer, which may have one of its own."""
    alphas = config.alpha_pattern or {}
    alpha: float = alphas.get(get_pattern_key(alphas.keys(), layer), config.lora_alpha)
    return alpha


def write_adapter(
    adapter: PeftModel,
    names: LayerNames,
    folder: Path,
    about: About,
    form: str = "model",
) -> None:
    """Write an adapter as a PEFT folder.

    Args:
        adapter: The model with its adapter.
        names: Of the adapter's layers.
        folder: Where it goes.
        about: What its card says of the training, by what it is.
        form: Whose names the tensors get, one of `LayerNames.forms`.
    """
    model, config = adapter.get_base_model(), adapter.peft_config["default"]
    tensors = get_peft_model_state_dict(adapter, save_embedding_layers=False)
    LoraFiles(model, config, tensors, names).write(folder, about, form)


@dataclass(frozen=True, slots=True)
class LoraFiles:
    """What a PEFT folder is written from.

    Attributes:
        model: The model of transformers that the LoRA is of.
        config: Ranks, scales and layers.
        tensors: By their names in memory, as PEFT saves them.
        names: Of the layers.
    """

    model: PreTrainedModel
    config: LoraConfig
    tensors: Mapping[str, Tensor]
    names: LayerNames

    def write(self, folder: Path, about: About, form: str = "model") -> None:
        """Write the folder; see `write_adapter`."""
        folder.mkdir(parents=True, exist_ok=True)
        held = {name: one.detach().cpu().contiguous() for name, one in self.tensors.items()}
        save_file(self.names.in_files(held, form), folder / WEIGHTS, metadata={"format": "pt"})
        base = base_name(str(self.model.name_or_path), folder)
        content = {**_deviations(self.config), "base_model_name_or_path": base}
        text = json.dumps(content, indent=2, sort_keys=True)
        (folder / CONFIG).write_text(text, encoding="utf-8")
        holder = self.names.holder if form == "model" else ""
        card = adapter_card(type(self.model).__name__, base, holder, about)
        (folder / CARD).write_text(card, encoding="utf-8")


def base_name(source: str, folder: Path) -> str:
    """Return how an adapter's files name the model it was trained on.

    Args:
        source: Hub id or folder of the model.
        folder: Folder of the adapter.

    Returns:
        The hub id, also for a folder of the hub's cache; of any other folder its path from the
        adapter's, which holds where both are moved together.

    Examples:
        >>> base_name("Qwen/Qwen2-Audio-7B", Path("runs/a/adapter"))
        'Qwen/Qwen2-Audio-7B'
        >>> base_name(".", Path("runs/a"))
        '../..'
    """
    cached = _HUB_CACHE.search(source)
    if cached is not None:
        return f"{cached[1]}/{cached[2]}"
    if not Path(source).is_dir() or not source:
        return source
    return Path(os.path.relpath(Path(source).resolve(), folder.resolve())).as_posix()


def _holder(model: Any) -> str:  # noqa: ANN401
    """Return what a larger model of the hub calls a model, empty where there is none."""
    kinds = (one for one in FAMILIES.values() if one.model_type == model.config.model_type)
    return next((family.holder for family in kinds), "")


def _deviations(config: LoraConfig) -> dict[str, Any]:
    """Return the fields of a configuration that say anything."""
    content = {**config.to_dict(), "inference_mode": True, "task_type": "CAUSAL_LM"}
    kept = {"inference_mode", "task_type", "peft_type", "peft_version", *_ALWAYS}
    for field in fields(config):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if content.get(field.name) not in (None, default):
            kept.add(field.name)
    found = {name: _plain(value) for name, value in content.items() if name in kept}
    found.pop("auto_mapping", None)  # it is for what has no task_type
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value that JSON can write."""
    return sorted(value) if isinstance(value, set) else getattr(value, "value", value)
