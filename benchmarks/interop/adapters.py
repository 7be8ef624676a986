"""Does a saved adapter load in other versions of transformers and PEFT, with equal logits?

Makes an environment for each pair of versions, which borrows torch from the one that runs this, and
loads every form of an adapter of the pocket model there, by stock PEFT, on the class it was trained
on and on the larger class that holds it. With --vllm, the folder of an unpacked wheel of vLLM, its
own renaming is run on the names.

    python benchmarks/interop/adapters.py --environments FOLDER [--vllm FOLDER]
"""

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import types
import venv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from maqam.deploy.checkpoint import Base
from maqam.deploy.export import ExportChoice, export_run
from maqam.models.adapters import add_adapter, load_adapter, save_adapter
from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings
from maqam.models.weights.served import served_config
from maqam.recipe import Recipe, dump_yaml

VERSIONS = (("4.57.3", "0.18.0"), ("5.6.0", "0.19.0"), ("5.20.0", "0.20.0"), ("5.24.0", "0.21.2"))
IDS = list(range(12, 60))
PEER = Path(__file__).with_name("adapters_peer.py")


def environment(folder: Path, transformers: str, peft: str) -> Path:
    """Make an environment with two versions pinned and torch borrowed; return its Python."""
    place = folder / f"transformers-{transformers}"
    python = place / "bin" / "python"
    if not python.is_file():
        venv.create(place, with_pip=True)
        shared = next(place.glob("lib/python*/site-packages")) / "shared.pth"
        shared.write_text(sysconfig.get_paths()["purelib"] + "\n")
        wanted = [f"transformers=={transformers}", f"peft=={peft}"]
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


def make(work: Path) -> np.ndarray:
    """Write base checkpoints and a run with an adapter; return our logits with it."""
    base = Base.open(ModelSettings())
    own = as_of_the_hub(base.config)
    for name, layout in (("model", (own, "")), ("whole", None)):
        config, prefix = layout or served_config(own, base.checkpoint.family)
        (work / name).mkdir()
        base.write(work / name, {}, config, prefix)
        base.write_companions(work / name)
    voice = {"cond": torch.zeros(1, 8), "ref_mel": torch.zeros(1, 4, 8), "bos_token": 0}
    torch.save({"Chelsie": voice}, work / "whole" / "spk_dict.pt")  # the larger class asks for it
    run = work / "runs" / "a"
    run.mkdir(parents=True)
    recipe = Recipe(
        name="a", output=str(work / "runs"), model=ModelSettings("auto", str(work / "model"))
    )
    (run / "recipe.yaml").write_text(dump_yaml(recipe))
    (run / "run.json").write_text(json.dumps({"format_version": 1, "state": "finished"}))
    backbone = load_backbone(recipe.model, device=torch.device("cpu"))
    adapter = add_adapter(backbone, rank=4, alpha=8, seed=0)
    save_adapter(adapter, run / "adapter")
    file = run / "adapter" / "adapter_model.safetensors"
    generator = torch.Generator().manual_seed(0)
    tensors = {
        name: torch.randn(one.shape, generator=generator) * 0.1
        for name, one in load_file(file).items()
    }
    save_file(tensors, file)
    export_run(run, work / "forms", ExportChoice(to="peft"))
    ours = load_backbone(recipe.model, device=torch.device("cpu"))
    load_adapter(ours, run / "adapter")
    with torch.no_grad():
        found: np.ndarray = ours.model(input_ids=torch.tensor([IDS])).logits[0].numpy()
    return found


def as_of_the_hub(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the older keys of rotary positions, as the hub's have them."""
    text = dict(config["text_config"])
    rope = dict(text.pop("rope_parameters"))
    text["rope_theta"] = rope.pop("rope_theta")
    text["rope_scaling"] = {"type": "default", **rope}
    return {**config, "text_config": text}


def vllm_names(source: Path, adapter: Path) -> str:
    """Count the tensors that vLLM's own renaming puts on a module of its LLM."""

    def cut(file: str, names: Sequence[str], space: dict[str, Any]) -> None:
        nodes = ast.parse((source / file).read_text()).body
        kept = [one for one in nodes if getattr(one, "name", None) in names]
        exec(compile(ast.Module(kept, []), file, "exec"), space)

    space: dict[str, Any] = dict(
        replace=replace, dataclass=dataclass, field=field, Mapping=Mapping, Iterable=Iterable,
        Any=Any, Callable=Callable, Sequence=Sequence, re=re, ShardIds=object,
        torch=types.SimpleNamespace(Tensor=object), WeightRenaming=object,
        logger=types.SimpleNamespace(warning_once=print),
    )  # fmt: skip
    cut("vllm/model_executor/models/utils.py", ["WeightsMapper"], space)
    cut("vllm/lora/utils.py", ["parse_fine_tuned_lora_name"], space)
    text = (source / "vllm/model_executor/models/qwen2_5_omni_thinker.py").read_text()
    given = [
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign)
        and getattr(node.targets[0], "id", "") == "hf_to_vllm_mapper"
    ]
    mapper = eval(compile(ast.Expression(given[-1]), "mapper", "eval"), space).get_rename_mapper()
    with safe_open(adapter / "adapter_model.safetensors", "pt") as opened:
        names = [space["parse_fine_tuned_lora_name"](one, mapper)[0] for one in list(opened.keys())]
    hit = sum(one.startswith("language_model.model.layers.") for one in names)
    return f"{hit} of {len(names)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", type=Path, required=True)
    parser.add_argument("--vllm", type=Path)
    given = parser.parse_args()
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        np.save(work / "logits.npy", make(work))
        print("| transformers | PEFT | class | form | layers that load | logits differ by |")
        print("|---|---|---|---|---|---|")
        for transformers, peft in VERSIONS:
            python = environment(given.environments, transformers, peft)
            words = [str(python), str(PEER), folder, json.dumps(IDS)]
            done = subprocess.run(words, env=clean, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr[-3000:])
            for line in done.stdout.splitlines():
                if line.startswith("| "):
                    print(f"| {transformers} | {peft} {line}", flush=True)
        for form in sorted((work / "forms").iterdir()) if given.vllm else ():
            print(f"vLLM's renaming, form {form.name}: {vllm_names(given.vllm, form)} tensors land")


if __name__ == "__main__":
    main()
