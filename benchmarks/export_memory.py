"""How much memory does an export take? A checkpoint of random weights in shards, merged.

Writes a thinker of Qwen2.5-Omni shaped as asked, gives it a LoRA, and merges both in a process of
its own, whose peak memory is printed beside the size of a shard and of all weights.

    python benchmarks/export_memory.py --layers 4 --width 3584 --folder FOLDER
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from maqam.deploy.export import ExportChoice, export_run
from maqam.models.checkpoint import pocket_path
from maqam.recipe import Recipe, dump_yaml

RANK = 16


def make(folder: Path, layers: int, width: int) -> Path:
    """Write checkpoint and run: only the LLM's layers are of real size."""
    base, run = folder / "base", folder / "runs" / "a"
    base.mkdir(parents=True)
    (run / "adapter").mkdir(parents=True)
    inner, narrow = int(width * 5.2857) // 8 * 8, width // 7
    shapes = {
        "self_attn.q_proj": (width, width),
        "self_attn.k_proj": (narrow, width),
        "self_attn.v_proj": (narrow, width),
        "self_attn.o_proj": (width, width),
        "mlp.gate_proj": (inner, width),
        "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }
    index, lora = {}, {}
    for layer in range(layers):
        file = f"model-{layer // 8 + 1:05d}-of-{-(-layers // 8):05d}.safetensors"
        for name, (rows, columns) in shapes.items():
            full = f"model.layers.{layer}.{name}"
            index[f"{full}.weight"] = file
            lora[f"base_model.model.{full}.lora_A.weight"] = torch.randn(RANK, columns) / 100
            lora[f"base_model.model.{full}.lora_B.weight"] = torch.randn(rows, RANK) / 100
    for file in dict.fromkeys(index.values()):
        names = [name for name, held in index.items() if held == file]
        tensors = {
            name: torch.randn(shapes[".".join(name.split(".")[3:5])]).bfloat16() for name in names
        }
        save_file(tensors, base / file, metadata={"format": "pt"})
    (base / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 1}, "weight_map": index})
    )
    config = json.loads((pocket_path() / "config.json").read_text())
    heads = {"num_attention_heads": 7, "num_key_value_heads": 1}
    text = {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers, **heads}
    config["text_config"] |= text
    config["text_config"].pop("layer_types", None)
    (base / "config.json").write_text(json.dumps(config))
    shutil.copy(pocket_path() / "tokenizer.json", base)
    save_file(lora, run / "adapter" / "adapter_model.safetensors")
    pattern = r"model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"
    saved = {"peft_type": "LORA", "r": RANK, "lora_alpha": 32, "target_modules": pattern}
    (run / "adapter" / "adapter_config.json").write_text(json.dumps(saved))
    model = {"kind": "auto", "path": str(base)}
    recipe = Recipe(name="a", output=str(folder / "runs"), model=model)
    (run / "recipe.yaml").write_text(dump_yaml(recipe))
    (run / "run.json").write_text(json.dumps({"format_version": 1, "state": "finished"}))
    return run


def peak_gb() -> float:
    """Return the most memory this process held; unlike getrusage's, not that of its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(one for one in lines if one.startswith("VmHWM")).split()[1]) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--width", type=int, default=3584)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--merge", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.merge:
        before = peak_gb()
        export_run(given.merge, given.folder / "out", ExportChoice())
        peak = peak_gb()
        print(f"peak {peak:.2f} GB, of which {before:.2f} GB are the libraries")
        return
    run = make(given.folder, given.layers, given.width)
    sizes = [path.stat().st_size / 1e9 for path in (given.folder / "base").glob("*.safetensors")]
    print(
        f"{len(sizes)} shards, the largest {max(sizes):.2f} GB, all {sum(sizes):.2f} GB", flush=True
    )
    words = [sys.executable, __file__, "--folder", str(given.folder), "--merge", str(run)]
    subprocess.run(words, check=True)


if __name__ == "__main__":
    main()
