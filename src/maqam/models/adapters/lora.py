"""LoRA adapters on the LLM: added in place, saved as plain PEFT folders, merged into weights.

Targets are a pattern over full module names, because a saved bare suffix ("q_proj") would also
match the audio tower of whatever model the adapter is loaded on.
"""

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from maqam.errors import ModelError
from maqam.models.protocol import AudioLLM
from maqam.models.quiet import no_foreign_bars


def add_adapter(
    backbone: AudioLLM, *, rank: int, alpha: int, dropout: float = 0.0, seed: int
) -> PeftModel:
    """Put untrained LoRA layers on the LLM of a backbone, in place.

    Args:
        backbone: The model; it must not have an adapter yet.
        rank: Rank of the adapters.
        alpha: Their output is multiplied by alpha / rank.
        dropout: Dropout in front of the adapters, in [0, 1).
        seed: Seed of the initial adapter; torch's global state is left as it was.

    Returns:
        PEFT's view of the same model, which saves the adapter.

    Raises:
        ModelError: If the LLM has adapters already.
    """
    _refuse_adapters(backbone)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=target_pattern(backbone.lora_target_names()),
    )
    with torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(seed)
        return get_peft_model(backbone.model, config)


def load_adapter(backbone: AudioLLM, folder: Path) -> PeftModel:
    """Put a saved adapter on the LLM of a backbone, in place and frozen.

    Raises:
        ModelError: If the LLM has adapters already, or the folder holds no adapter of it.
    """
    _refuse_adapters(backbone)
    if not (folder / "adapter_config.json").is_file():
        raise ModelError(
            "there is no adapter here",
            where=str(folder),
            hint="give the adapter folder of a finished run",
        )
    try:
        with _quiet():
            return PeftModel.from_pretrained(backbone.model, str(folder)).eval()
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        remove_adapter(backbone)
        raise ModelError(
            f"the adapter does not load: {str(error).strip().splitlines()[0]}",
            where=str(folder),
            hint="use the model that the adapter was trained on",
        ) from error


def begin_from(adapter: PeftModel, folder: Path) -> None:
    """Load the weights of a saved adapter into an untrained one.

    Args:
        adapter: As `add_adapter` returns it.
        folder: Folder of a saved adapter of the same LLM, rank and alpha.

    Raises:
        ModelError: If the folder holds no such adapter.
    """
    own = adapter.peft_config["default"]
    try:
        saved = LoraConfig.from_pretrained(str(folder))
        weights = load_file(folder / "adapter_model.safetensors")
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise ModelError(
            "there is no adapter to begin from",
            where=str(folder),
            hint="give the adapter folder of a finished run",
        ) from error
    if (saved.r, saved.lora_alpha) != (own.r, own.lora_alpha):
        raise ModelError(
            f"the adapter has rank {saved.r} and alpha {saved.lora_alpha}, the run {own.r} and "
            f"{own.lora_alpha}",
            where=str(folder),
            hint=f"set train.lora_rank={saved.r} train.lora_alpha={saved.lora_alpha}",
        )
    wanted = {name: value.shape for name, value in get_peft_model_state_dict(adapter).items()}
    if {name: value.shape for name, value in weights.items()} != wanted:
        raise ModelError(
            "the adapter does not fit the layers of this LLM",
            where=str(folder),
            hint="use the model that the adapter was trained on",
        )
    set_peft_model_state_dict(adapter, weights)


def remove_adapter(backbone: AudioLLM) -> None:
    """Take the adapters off a backbone, which is then as it was before they were added."""
    for parent, name, layer in list(_adapted(backbone)):
        setattr(parent, name, layer.get_base_layer())
    _forget(backbone)


def merge_adapter(backbone: AudioLLM) -> None:
    """Add the adapters to the LLM's own weights and take them off."""
    for parent, name, layer in list(_adapted(backbone)):
        layer.merge()
        setattr(parent, name, layer.get_base_layer())
    _forget(backbone)


def save_adapter(adapter: PeftModel, folder: Path) -> None:
    """Write an adapter as a plain PEFT folder, which `PeftModel.from_pretrained` loads."""
    adapter.save_pretrained(str(folder), save_embedding_layers=False)


def save_weights(backbone: AudioLLM, folder: Path) -> None:
    """Write a backbone without adapters as a plain Hugging Face checkpoint.

    Args:
        backbone: The model, adapters merged or removed.
        folder: Where config.json, tokenizer.json and the safetensors go.

    Raises:
        ModelError: If the model still has adapters.
    """
    _refuse_adapters(backbone)
    with _quiet():
        backbone.model.save_pretrained(folder)
    backbone.save_companions(folder)


def target_pattern(names: Iterable[str]) -> str:
    r"""Return the pattern that matches full module names and their like in every layer.

    Examples:
        >>> target_pattern(["llm.layers.0.mlp.up_proj", "llm.layers.1.mlp.up_proj"])
        'llm\\.layers\\.\\d+\\.mlp\\.up_proj'
    """
    patterns = {re.sub(r"\\\.\d+\\\.", r"\\.\\d+\\.", re.escape(name)) for name in names}
    return "|".join(sorted(patterns))


def _adapted(backbone: AudioLLM) -> Iterator[tuple[nn.Module, str, BaseTunerLayer]]:
    """Yield each adapted layer with its parent and its name there."""
    for parent in backbone.model.modules():
        if isinstance(parent, BaseTunerLayer):
            continue
        for name, child in parent.named_children():
            if isinstance(child, BaseTunerLayer):
                yield parent, name, child


def _refuse_adapters(backbone: AudioLLM) -> None:
    if next(_adapted(backbone), None) is not None:
        raise ModelError(
            "the LLM has an adapter already",
            where="adapter",
            hint="merge it or take it off first",
        )


def _forget(backbone: AudioLLM) -> None:
    """Remove the traces PEFT leaves on the model, which change how it is saved."""
    for name in ("peft_config", "_hf_peft_config_loaded", "active_adapter"):
        backbone.model.__dict__.pop(name, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers' progress bars and PEFT's use of a deprecated name off the screen."""
    with no_foreign_bars(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
