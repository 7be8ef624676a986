"""What checkpoints of all families are made of."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import PreTrainedConfig, PreTrainedModel, Qwen2Tokenizer

from maqam.models.pocket import train_tokenizer
from maqam.models.quiet import no_foreign_bars

TEXTS = ["مرحبا يا صديقي كيف الحال فرّغ الكلام", "egyptian msa neutral angry You are a helpful"]
CHATML = (
    "{% for turn in messages %}SYSTEM<|im_start|>{{turn['role']}}\n"
    "{% for part in turn['content'] %}{% if part['type'] == 'audio' %}AUDIO"
    "{% else %}{{part['text']}}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SYSTEM = (
    "{% if loop.first and turn['role'] != 'system' %}<|im_start|>system\n"
    "WORDS<|im_end|>\n{% endif %}"
)


def stock_ids(processor: Any, samples: np.ndarray, text: str) -> list[int]:
    """Return the ids of audio and a text in a user's turn, as the family's own processor has them.

    Args:
        processor: Of the checkpoint.
        samples: Of the audio.
        text: What is asked.
    """
    prompt = [{"type": "audio", "audio_url": "-"}, {"type": "text", "text": text}]
    chat = [{"role": "user", "content": prompt}]
    written = processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    rate = processor.feature_extractor.sampling_rate
    made = processor(text=[written], audio=[samples], sampling_rate=rate)["input_ids"]
    ids: list[int] = np.asarray(made).reshape(-1).tolist()
    return ids


def stock_inputs(processor: Any, samples: np.ndarray) -> dict[str, Any]:
    """Return what the family's own processor makes of audio for its class."""
    made = processor(
        text=[processor.audio_token],
        audio=[samples],
        sampling_rate=processor.feature_extractor.sampling_rate,
        return_tensors="pt",
    )
    return {name: one for name, one in made.items() if name not in ("input_ids", "attention_mask")}


def stock_frames(inputs: dict[str, Any]) -> np.ndarray:
    """Return the (num_frames, num_bins) frames among such inputs, windows one after the other."""
    windows: np.ndarray = inputs["input_features"].numpy()  # (windows, bins, frames)
    return windows.transpose(0, 2, 1).reshape(-1, windows.shape[1])


@dataclass(frozen=True)
class TinyFamily:
    """One family for the conformance test.

    Attributes:
        kind: Its name in a recipe.
        make: Writes a checkpoint of random weights into a folder.
        processor: Makes the stock processor of a checkpoint.
        ids: Gives the stock ids of audio and a text, as `stock_ids` does.
        inputs: Gives the stock inputs of audio, as `stock_inputs` does.
        frames: Finds the frames among them, as `stock_frames` does.
        layout: What a second checkpoint of a kind differs in.
    """

    kind: str
    make: Callable[[Path], None]
    processor: Callable[[Path], Any]
    ids: Callable[[Any, np.ndarray, str], list[int]] = stock_ids
    inputs: Callable[[Any, np.ndarray], dict[str, Any]] = stock_inputs
    frames: Callable[[dict[str, Any]], np.ndarray] = stock_frames
    layout: str = ""


def chatml(audio: str, *, system: str | None = None) -> str:
    """Return the chat template of Qwen's models.

    Args:
        audio: What stands for audio.
        system: What the system's turn says where a dialogue has none; None for no such turn.
    """
    opening = "" if system is None else _SYSTEM.replace("WORDS", system)
    return CHATML.replace("AUDIO", audio).replace("SYSTEM", opening)


def trained_tokenizer(*tokens: str) -> Tokenizer:
    """Train the byte-level BPE of the pocket, with more tokens of control."""
    trained = train_tokenizer(TEXTS)
    trained.add_special_tokens(list(tokens))
    return trained


def qwen_tokenizer(trained: Tokenizer, **tokens: str) -> Qwen2Tokenizer:
    """Return the tokenizer of Qwen's models, with tokens that a processor asks it for."""
    return Qwen2Tokenizer(
        tokenizer_object=trained,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        extra_special_tokens=tokens,
    )


def text_config(trained: Tokenizer, model_type: str = "qwen2", **more: Any) -> dict[str, Any]:
    """Return the configuration of a small LLM of the Llama kind."""
    return {
        "model_type": model_type,
        "vocab_size": trained.get_vocab_size(),
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "bos_token_id": None,
        "eos_token_id": trained.token_to_id("<|im_end|>"),
        "pad_token_id": trained.token_to_id("<|endoftext|>"),
        **more,
    }


def new_model(
    architecture: type[PreTrainedModel], config: PreTrainedConfig, eos: int | list[int]
) -> PreTrainedModel:
    """Return random weights, spread out so that a difference shows."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = architecture(config)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.data.mul_(4.0)
    model.generation_config.eos_token_id = eos
    return model


def save(
    architecture: type[PreTrainedModel],
    config: PreTrainedConfig,
    eos: int | list[int],
    folder: Path,
) -> None:
    """Write random weights with their configuration."""
    with no_foreign_bars():
        new_model(architecture, config, eos).save_pretrained(folder)


def as_whole(folder: Path, model_type: str, beside: str) -> None:
    """Turn a thinker's folder into that of a whole Omni as the hub lays it out."""
    thinker = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    weights = {f"thinker.{name}": one for name, one in thinker.items()}
    weights |= {"talker.model.norm.weight": torch.ones(4), f"{beside}.scale": torch.ones(4)}
    names, index = sorted(weights), {}
    for number in range(3):
        shard = f"model-{number + 1:05d}-of-00003.safetensors"
        held = {name: weights[name].contiguous() for name in names[number::3]}
        save_file(held, folder / shard, metadata={"format": "pt"})
        index |= dict.fromkeys(held, shard)
    written = json.dumps({"metadata": {}, "weight_map": index})
    (folder / "model.safetensors.index.json").write_text(written, encoding="utf-8")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    whole = {"model_type": model_type, "thinker_config": config, "enable_audio_output": False}
    (folder / "config.json").write_text(json.dumps(whole), encoding="utf-8")
