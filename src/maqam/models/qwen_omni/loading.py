"""Loading checkpoints of Qwen2.5-Omni's architecture, the 7B release and the pocket alike."""

import os
from contextlib import nullcontext
from importlib import resources
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoTokenizer,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
)

from maqam.errors import ModelError
from maqam.models.quiet import no_foreign_bars
from maqam.models.qwen_omni.dialogue import DialogueEncoder
from maqam.models.qwen_omni.model import Backbone
from maqam.models.settings import ModelSettings


def pocket_path() -> Path:
    """Give the folder of the pocket checkpoint that ships with the package."""
    return Path(str(resources.files("maqam.models") / "pocket_weights"))


def own_device() -> torch.device:
    """Give the device this process computes on: its GPU where CUDA has one, else the processor.

    Of several GPUs it is the one of LOCAL_RANK, which torchrun and Accelerate set.
    `CUDA_VISIBLE_DEVICES=` (empty) keeps everything on the processor.
    """
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def load_backbone(settings: ModelSettings, *, device: torch.device | None = None) -> Backbone:
    """Load an audio LLM with its tokenizer.

    Args:
        settings: Which checkpoint, and the number format it runs in.
        device: Where it computes; `own_device()` when absent.

    Raises:
        ModelError: If there is no such checkpoint, or it is of another architecture.
    """
    if settings.kind == "pocket" and settings.path is None:
        source = str(pocket_path())
    elif settings.path is None:
        raise ModelError(
            f"model kind {settings.kind!r} needs a path",
            where="model.path",
            hint="give a local folder or a hub id, such as Qwen/Qwen2.5-Omni-7B",
        )
    else:
        source = settings.path
    try:
        config = AutoConfig.from_pretrained(source)
        thinker_config = getattr(config, "thinker_config", config)
        if not isinstance(thinker_config, Qwen2_5OmniThinkerConfig):
            raise ModelError(
                f"architecture {config.model_type!r} is not Qwen2.5-Omni's thinker",
                where=source,
                hint="Maqam trains checkpoints of Qwen2.5-Omni and its pocket version",
            )
        with no_foreign_bars() if Path(source).is_dir() else nullcontext():
            model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(
                source,
                config=thinker_config,
                dtype=getattr(torch, settings.dtype),
                attn_implementation="sdpa",
            )
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(source).backend_tokenizer
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"the checkpoint does not load: {reason}",
            where=source,
            hint="give the folder that holds config.json, tokenizer.json and *.safetensors",
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    limit = thinker_config.text_config.max_position_embeddings
    return Backbone(
        model.to(device or own_device()).eval(), DialogueEncoder(tokenizer, max_tokens=limit)
    )
