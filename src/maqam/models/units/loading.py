"""Loading a model of units: the LLM by its class, the encoder and the units beside it."""

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError, safe_open
from torch import Tensor

from maqam.errors import ModelError, first_line
from maqam.models.checkpoint import Checkpoint
from maqam.models.composed.record import KEY
from maqam.models.dialogue import DialogueEncoder
from maqam.models.quiet import no_foreign_bars, no_foreign_words
from maqam.models.units.codebook import check_encoder, load_codebook
from maqam.models.units.model import UnitLLM, attach
from maqam.models.units.tower import TOWER, new_tower
from maqam.models.weights.counting import Loading
from maqam.models.weights.shards import weight_files

_HINT = "get all files of the checkpoint again, config.json with them"


def load_units(
    checkpoint: Checkpoint, dialogue: DialogueEncoder, *, dtype: str, device: torch.device
) -> UnitLLM:
    """Load a model of units.

    Args:
        checkpoint: What it is.
        dialogue: Its dialogue encoder.
        dtype: Number format of the LLM.
        device: Where it computes.

    Raises:
        ModelError: If weights are missing or broken, or the units are of another encoder.
    """
    folder = Path(checkpoint.source)
    if not folder.is_dir():
        raise ModelError(
            "a model of units is loaded from a folder only",
            where=checkpoint.source,
            hint="download it first",
        )
    files = weight_files(folder)
    model = _llm(folder, dtype)
    tower = new_tower(getattr(model.config, KEY)["tower"])
    found = _tensors({name: path for name, path in files.items() if name.startswith(TOWER)})
    Loading(str(folder), _HINT).check_same(found, tower.state_dict())
    tower.load_state_dict(found)
    codebook = load_codebook(folder)
    check_encoder(codebook, tower, str(folder))
    attach(model, tower, codebook)
    return UnitLLM(
        model.to(device).eval(),
        dialogue,
        checkpoint.family,
        codebook.to(device),
        source=checkpoint.source,
    )


def _llm(folder: Path, dtype: str) -> Any:  # noqa: ANN401
    try:
        with no_foreign_bars(), no_foreign_words():
            model, info = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                attn_implementation="sdpa",
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            f"the checkpoint does not load: {first_line(error)}", where=str(folder), hint=_HINT
        ) from error
    Loading(str(folder), _HINT).check(
        missing=info["missing_keys"],
        unexpected=[name for name in info["unexpected_keys"] if not name.startswith(TOWER)],
        tensors=[] if info["missing_keys"] else model.named_parameters(),
    )
    return model


def _tensors(files: dict[str, Path]) -> dict[str, Tensor]:
    """Read tensors of the encoder, by the names they have in it."""
    found = {}
    for path in dict.fromkeys(files.values()):
        with safe_open(path, "pt") as file:
            for name, place in files.items():
                if place == path:
                    found[name.removeprefix(f"{TOWER}.")] = file.get_tensor(name).float()
    return found
