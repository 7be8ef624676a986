"""Loading checkpoints of Qwen2.5-Omni's architecture, the 7B release and the pocket alike."""

import os
from contextlib import nullcontext
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerForConditionalGeneration,
)

from maqam.errors import ModelError
from maqam.models.quiet import no_foreign_bars
from maqam.models.qwen_omni.model import Backbone
from maqam.models.qwen_omni.tokenizer import WHAT_IS_NEEDED, load_dialogue, source_of
from maqam.models.settings import ModelSettings


def own_device() -> torch.device:
    """Return the device this process computes on: its GPU where CUDA has one, else the processor.

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
    source = source_of(settings)
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
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"the checkpoint does not load: {reason}",
            where=source,
            hint=WHAT_IS_NEEDED,
        ) from error
    return Backbone(model.to(device or own_device()).eval(), load_dialogue(settings))
