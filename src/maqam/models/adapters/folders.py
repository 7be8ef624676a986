"""One LoRA of several as a PEFT folder, and back: its matrices by layer.

Every layer may have a rank and a scale of its own; PEFT's patterns of ranks and alphas say so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from peft import LoraConfig
from torch import Tensor

from maqam.models.adapters.lora import FINISHED, by_pattern, loading_of
from maqam.models.protocol import AudioLLM
from maqam.models.weights.adapter_files import LoraFiles, alpha_of, names_of, read_adapter
from maqam.models.weights.card import About
from maqam.models.weights.names import PEFT_PREFIX, layer_of


@dataclass(frozen=True, slots=True)
class Matrices:
    """LoRA of one layer.

    Attributes:
        a: [Q, D] float32, Q the rank.
        b: [O, Q] float32.
        scale: The product of both is multiplied by it.
    """

    a: Tensor
    b: Tensor
    scale: float


def write_lora(
    backbone: AudioLLM,
    lora: Mapping[str, Matrices],
    folder: Path,
    about: About | None = None,
) -> None:
    """Write a LoRA as a PEFT folder.

    Args:
        backbone: The model.
        lora: Matrices by full name of the layer.
        folder: Where it goes.
        about: What its card says of the training, by what it is.
    """
    ranks = {name: len(one.a) for name, one in lora.items()}
    alphas = {name: _plain(one.scale * len(one.a)) for name, one in lora.items()}
    rank, alpha = max(ranks.values()), max(alphas.values())
    names = names_of(backbone)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        target_modules=names.pattern(lora),
        rank_pattern=by_pattern(ranks, usual=rank),
        alpha_pattern=by_pattern(alphas, usual=alpha),
    )
    tensors = {}
    for name, one in lora.items():
        for letter, matrix in (("A", one.a), ("B", one.b)):
            tensors[_tensor(name, letter)] = matrix.detach()
    LoraFiles(backbone.model, config, tensors, names).write(folder, about or {})


def read_lora(backbone: AudioLLM, folder: Path) -> dict[str, Matrices]:
    """Read a LoRA from a PEFT folder.

    Raises:
        ModelError: If there is none, or it is none of this LLM: tensors that are missing,
            unexpected or no finite numbers are counted.
    """
    config, stored = read_adapter(folder, hint=FINISHED)
    names = names_of(backbone)
    tensors = names.in_memory(stored)
    layers = sorted({*map(layer_of, tensors)} & {*names.stored})
    wanted = {_tensor(layer, letter) for layer in layers for letter in ("A", "B")}
    loading_of(folder).check(
        missing=wanted - tensors.keys(),
        unexpected=tensors.keys() - wanted,
        tensors=tensors.items(),
    )
    found = {}
    for layer in layers:
        a, b = (tensors[_tensor(layer, letter)] for letter in ("A", "B"))
        size = math.sqrt(len(a)) if config.use_rslora else len(a)
        found[layer] = Matrices(a, b, alpha_of(config, layer) / size)
    return found


def _tensor(layer: str, letter: str) -> str:
    return f"{PEFT_PREFIX}{layer}.lora_{letter}.weight"


def _plain(value: float) -> float:
    """Return a whole number as one, which is what other tools expect of an alpha."""
    near = round(value)
    return near if abs(near - value) < 1e-9 * max(1.0, abs(value)) else value
