"""Small finished runs of real files: a checkpoint, a recipe, an adapter that changes answers."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from maqam.models.adapters import add_adapter, save_adapter
from maqam.models.loading import load_backbone
from maqam.models.pocket import new_pocket, save_pocket
from maqam.models.protocol import AudioLLM
from maqam.models.settings import ModelSettings
from maqam.recipe import Recipe, dump_yaml

TEXTS = ["مرحبا يا صديقي كيف الحال"]
ABOUT = {
    "schedule": "tpc",
    "plan": "abc, 3 steps of 4 utterances",
    "corpora": {"masc": 7, "own": 2},
}


def make_checkpoint(folder: Path) -> Path:
    """Write a thinker that stands alone, of float32 weights."""
    backbone = new_pocket(TEXTS, 0)
    save_pocket(backbone, folder)
    whole = {name: one.float() for name, one in load_file(folder / "model.safetensors").items()}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def make_larger(thinker: Path, folder: Path) -> Path:
    """Write a whole Omni as the hub has it: the thinker among other models, in two shards."""
    folder.mkdir()
    held = {
        f"thinker.{name}": one for name, one in load_file(thinker / "model.safetensors").items()
    }
    others = {"talker.model.norm.weight": torch.ones(3), "token2wav.x": torch.arange(4.0)}
    names = [*held, *others]
    index = {}
    for number, part in enumerate((names[::2], names[1::2]), start=1):
        file = f"model-{number:05d}-of-00002.safetensors"
        tensors = {name: {**held, **others}[name] for name in part}
        save_file(tensors, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(part, file)
    content = {"metadata": {"total_size": 1}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    config = {
        "model_type": "qwen2_5_omni",
        "architectures": ["Qwen2_5OmniModel"],
        "thinker_config": json.loads((thinker / "config.json").read_text()),
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "spk_dict.pt").write_bytes(b"speakers")
    (folder / "preprocessor_config.json").write_text("{}")
    (folder / "tokenizer.json").write_bytes((thinker / "tokenizer.json").read_bytes())
    return folder


def trained(backbone: AudioLLM, seed: int = 1):
    """Add an adapter that changes what the model says, as training would make it."""
    adapter = add_adapter(backbone, rank=4, alpha=8, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in backbone.model.named_parameters():
        if ".lora_B." in name:
            parameter.data.normal_(std=0.1, generator=generator)
    return adapter


def load(folder: Path) -> AudioLLM:
    return load_backbone(ModelSettings("auto", str(folder)), device=torch.device("cpu"))


def begin_run(root: Path, checkpoint: Path, name: str = "a") -> Path:
    """Write a finished run's description and recipe."""
    run = root / "runs" / name
    run.mkdir(parents=True)
    recipe = Recipe(
        name=name, output=str(root / "runs"), model={"kind": "auto", "path": str(checkpoint)}
    )
    (run / "recipe.yaml").write_text(dump_yaml(recipe), encoding="utf-8")
    record = {"format_version": 1, "name": name, "state": "finished", "about": ABOUT}
    (run / "run.json").write_text(json.dumps(record))
    return run


def make_run(root: Path, checkpoint: Path) -> Path:
    """Write a finished run with one adapter."""
    run = begin_run(root, checkpoint)
    save_adapter(trained(load(checkpoint)), run / "adapter", ABOUT)
    return run
