"""Loading an audio LLM with its weights, of whatever family its checkpoint is."""

import os
from contextlib import nullcontext
from pathlib import Path

import torch
import transformers
from safetensors import SafetensorError

from maqam.errors import ModelError, first_line
from maqam.models.checkpoint import checkpoint_file, dialogue_of, open_checkpoint
from maqam.models.common.model import CommonAudioLLM
from maqam.models.composed.tied import tie_head
from maqam.models.deviating.flamingo import MusicFlamingo
from maqam.models.deviating.gemma import Gemma4
from maqam.models.deviating.vibevoice import VibeVoiceASR
from maqam.models.protocol import AudioLLM
from maqam.models.quiet import no_foreign_bars
from maqam.models.qwen2_audio.model import Qwen2Audio
from maqam.models.qwen_omni.model import QwenOmni
from maqam.models.settings import ModelSettings
from maqam.models.units.family import KIND
from maqam.models.units.loading import load_units
from maqam.models.weights.counting import Loading
from maqam.models.weights.shards import weight_files

DEVIATING: dict[str, type[CommonAudioLLM]] = {  # all others are common
    "qwen2_5_omni": QwenOmni,
    "qwen2_audio": Qwen2Audio,
    "gemma4": Gemma4,
    "vibevoice_asr": VibeVoiceASR,
    "music_flamingo": MusicFlamingo,
}


def own_device() -> torch.device:
    """Return the device this process computes on: its GPU where CUDA has one, else the processor.

    Of several GPUs it is the one of LOCAL_RANK, which torchrun and Accelerate set.
    `CUDA_VISIBLE_DEVICES=` (empty) keeps everything on the processor.
    """
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def load_backbone(settings: ModelSettings, *, device: torch.device | None = None) -> AudioLLM:
    """Load an audio LLM with its tokenizer.

    Args:
        settings: Which checkpoint, and the number format it runs in.
        device: Where it computes; `own_device()` when absent.

    Raises:
        ModelError: If there is no such checkpoint, it is of another architecture, or its weights
            are not all there, of the right shape and finite numbers, or it carries an adapter.
    """
    checkpoint = open_checkpoint(settings)
    source, family = checkpoint.source, checkpoint.family
    dialogue = dialogue_of(checkpoint)
    if family.kind == KIND:
        return load_units(checkpoint, dialogue, dtype=settings.dtype, device=device or own_device())
    if Path(source).is_dir() and not any(Path(source).glob("pytorch_model*")):
        weight_files(Path(source))
    _refuse_own_adapter(source)
    try:
        config = transformers.AutoConfig.from_pretrained(source)
        if family.nested:
            config = getattr(config, family.nested, config)
        with no_foreign_bars() if Path(source).is_dir() else nullcontext():
            model, info = getattr(transformers, family.architecture).from_pretrained(
                source,
                config=config,
                dtype=getattr(torch, settings.dtype),
                ignore_mismatched_sizes=True,  # counted below
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"the checkpoint does not load: {first_line(error)}",
            where=source,
            hint="give the folder that holds config.json, tokenizer.json and *.safetensors",
        ) from error
    again = "get all files of the checkpoint again, config.json with them"
    Loading(source, again).check_model(model, info)
    audio_id = config.audio_token_id
    if audio_id != dialogue.audio_id:
        raise ModelError(
            f"config.json names token {audio_id} for audio, the tokenizer has {dialogue.audio_id} "
            f"for {dialogue.template.audio[1]}",
            where=source,
            hint="use the tokenizer and the configuration of one checkpoint",
        )
    tie_head(model)
    kind = DEVIATING.get(family.kind, CommonAudioLLM)
    return kind(model.to(device or own_device()).eval(), dialogue, family, source=source)


def _refuse_own_adapter(source: str) -> None:
    """Refuse a checkpoint whose adapter transformers would load with it."""
    try:
        checkpoint_file(source, "adapter_config.json")
    except OSError:
        return
    raise ModelError(
        "the checkpoint carries an adapter of its own, and one cannot be trained beside another",
        where=source,
        hint="merge it into the weights and give a folder without adapter_config.json",
    )
