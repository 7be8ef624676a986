"""One LoRA on the LLM: added in place, saved as a plain PEFT folder, merged into weights.

Targets are a pattern over full module names, because a saved bare suffix ("q_proj") would also
match the audio tower of whatever model the adapter is loaded on.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
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
from peft.utils.other import TrainableTokensWrapper
from torch import Tensor, nn

from maqam.errors import ModelError
from maqam.models.protocol import AudioLLM
from maqam.models.quiet import no_foreign_bars
from maqam.models.tuning.ranks import layer_ranks
from maqam.models.tuning.settings import Lora
from maqam.models.weights.adapter_files import (
    CONFIG,
    names_in,
    names_of,
    read_adapter,
    write_adapter,
)
from maqam.models.weights.card import About
from maqam.models.weights.counting import Loading
from maqam.models.weights.names import layer_of, target_pattern

FINISHED = "give the adapter folder of a finished run"
OWN_MODEL = "use the model that the adapter was trained on"


def add_adapter(
    backbone: AudioLLM,
    *,
    rank: int,
    alpha: int,
    dropout: float = 0.0,
    seed: int,
    kind: Lora | None = None,
) -> PeftModel:
    """Put untrained LoRA layers on the LLM of a backbone, in place.

    Args:
        backbone: The model; it must not have an adapter yet.
        rank: Rank of the adapters.
        alpha: Their output is multiplied by alpha / rank.
        dropout: Dropout in front of the adapters, in [0, 1).
        seed: Seed of the initial adapter; torch's global state is left as it was.
        kind: Ranks of some layers, and the form of LoRA; plain LoRA of one rank when absent.

    Returns:
        PEFT's view of the same model, which saves the adapter.

    Raises:
        ModelError: If the LLM has adapters already, or a rank is of no layer.
    """
    refuse_adapters(backbone)
    kind, names = kind or Lora(), names_of(backbone)
    ranks = layer_ranks(names.stored, rank, kind.ranks)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        exclude_modules=_namesakes(backbone, ranks),
        target_modules=names.pattern(ranks),
        rank_pattern=by_pattern(ranks, usual=rank),
        use_rslora=kind.rslora,
        use_dora=kind.dora,
        trainable_token_indices=backbone.trained_tokens() or None,
    )
    with torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(seed)
        return get_peft_model(backbone.model, config)


def load_adapter(backbone: AudioLLM, folder: Path) -> PeftModel:
    """Put a saved adapter on the LLM of a backbone, in place and frozen.

    Raises:
        ModelError: If the LLM has adapters already, or the folder holds no adapter of it: tensors
            that are missing, unexpected, of another shape or no finite numbers are counted.
    """
    refuse_adapters(backbone)
    if not (folder / CONFIG).is_file():
        raise ModelError("there is no adapter here", where=str(folder), hint=FINISHED)
    config, weights = read_adapter(folder, hint=OWN_MODEL)
    names = names_of(backbone)
    weights = names.in_memory(weights)
    meant = names.fitting(config.target_modules) | set(map(layer_of, weights)) & {*names.stored}
    loading = loading_of(folder)
    if not meant:
        loading.check(unexpected=weights)
    config.target_modules, config.inference_mode = names.pattern(sorted(meant)), True
    config.base_model_name_or_path = None  # PEFT warns of a model by another name
    with _quiet():
        adapter = get_peft_model(backbone.model, config)
    try:
        _fill(adapter, weights, loading)
    except ModelError:
        remove_adapter(backbone)
        raise
    adapter.requires_grad_(False)
    return adapter.eval()


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
        saved, weights = read_adapter(folder, hint=FINISHED)
    except ModelError as error:
        raise ModelError(
            "there is no adapter to begin from", where=str(folder), hint=FINISHED
        ) from error
    if (saved.r, saved.lora_alpha) != (own.r, own.lora_alpha):
        raise ModelError(
            f"the adapter has rank {saved.r} and alpha {saved.lora_alpha}, the run {own.r} and "
            f"{own.lora_alpha}",
            where=str(folder),
            hint=f"set train.lora_rank={saved.r} train.lora_alpha={saved.lora_alpha}",
        )
    forms = [(one.use_rslora, one.use_dora, one.rank_pattern or {}) for one in (saved, own)]
    if forms[0] != forms[1]:
        texts = [
            f"rslora {form[0]}, dora {form[1]} and ranks {form[2] or 'alike'}" for form in forms
        ]
        raise ModelError(
            f"the adapter has {texts[0]}, the run {texts[1]}",
            where=str(folder),
            hint="set train.adapter as in the recipe of the run that it comes from",
        )
    _fill(adapter, names_in(adapter).in_memory(weights), loading_of(folder))


def remove_adapter(backbone: AudioLLM) -> None:
    """Take the adapters off a backbone, which is then as it was before they were added."""
    for parent, name, layer in list(adapted(backbone)):
        setattr(parent, name, layer.get_base_layer())
    _forget(backbone)


def merge_adapter(backbone: AudioLLM) -> None:
    """Add the adapters to the LLM's own weights and take them off."""
    for parent, name, layer in list(adapted(backbone)):
        layer.merge()
        setattr(parent, name, layer.get_base_layer())
    _forget(backbone)


def save_adapter(adapter: PeftModel, folder: Path, about: About | None = None) -> None:
    """Write an adapter as a plain PEFT folder that any version of transformers and PEFT loads.

    Args:
        adapter: As `add_adapter` returns it.
        folder: Where it goes.
        about: What its card says of the training, by what it is.
    """
    write_adapter(adapter, names_in(adapter), folder, about or {})


def save_weights(backbone: AudioLLM, folder: Path) -> None:
    """Write a backbone without adapters as a plain Hugging Face checkpoint.

    Args:
        backbone: The model, adapters merged or removed.
        folder: Where config.json, tokenizer.json and the safetensors go.

    Raises:
        ModelError: If the model still has adapters.
    """
    refuse_adapters(backbone)
    with _quiet():
        backbone.model.save_pretrained(folder)
    backbone.save_companions(folder)


def _namesakes(backbone: AudioLLM, layers: Iterable[str]) -> str | None:
    """Return the pattern of what an LLM with experts must not share its targets' names with.

    PEFT turns the pattern of such a model's targets into the last part of their names, and would
    adapt layers of that name in the encoder, too.
    """
    names = [name for name, _ in backbone.model.named_parameters()]
    if not any(".experts." in name for name in names):
        return None
    targets = set(layers)
    last = {name.rpartition(".")[2] for name in targets}
    others = {name.rpartition(".")[0] for name in names} - targets
    shared = [name for name in others if name.rpartition(".")[2] in last]
    return rf"(.*\.)?({target_pattern(shared)})" if shared else None


def by_pattern(values: Mapping[str, float], usual: float) -> dict[str, float]:
    """Return what differs between layers as PEFT's patterns, which match the end of a name.

    Args:
        values: Rank or alpha by full name of each layer with an adapter.
        usual: That of layers that no pattern names.

    Examples:
        >>> values = {"llm.layers.0.mlp.up": 4, "llm.layers.1.mlp.up": 4, "llm.layers.0.q": 2}
        >>> by_pattern({**values, "llm.layers.1.q": 8}, usual=8)
        {'mlp.up': 4, 'layers.0.q': 2}
    """
    alike: dict[str, set[float]] = {}
    for name, value in values.items():
        alike.setdefault(_within_layer(name), set()).add(value)
    found = {}
    for name, value in values.items():
        inner = _within_layer(name)
        key = inner if len(alike[inner]) == 1 else f"layers.{name.rpartition('layers.')[2]}"
        if value != usual:
            found[key] = value
    return found


def _within_layer(name: str) -> str:
    return re.split(r"layers\.\d+\.", name)[-1]


def adapted(backbone: AudioLLM) -> Iterator[tuple[nn.Module, str, BaseTunerLayer]]:
    """Yield each adapted layer with its parent and its name there."""
    for parent in backbone.model.modules():
        if isinstance(parent, BaseTunerLayer | TrainableTokensWrapper):
            continue
        for name, child in parent.named_children():
            if isinstance(child, BaseTunerLayer):
                yield parent, name, child
            elif isinstance(child, TrainableTokensWrapper):
                yield parent, name, child.token_adapter


def _fill(adapter: PeftModel, weights: Mapping[str, Tensor], loading: Loading) -> None:
    """Load tensors, by their names in memory, into an adapter that has those and no others."""
    loading.check_same(weights, get_peft_model_state_dict(adapter, save_embedding_layers=False))
    set_peft_model_state_dict(adapter, dict(weights))


def loading_of(folder: Path) -> Loading:
    """Return what is loaded from an adapter's folder, as an error tells of it."""
    return Loading(str(folder), OWN_MODEL, "the adapter does not fit the layers of this LLM")


def refuse_adapters(backbone: AudioLLM) -> None:
    """Refuse a backbone that has adapters.

    Raises:
        ModelError: If it has.
    """
    if next(adapted(backbone), None) is not None:
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
