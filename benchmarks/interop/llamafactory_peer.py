"""Runs in LLaMA-Factory's environment under torchrun: the ids of every micro-batch of this process.

torchrun --nproc_per_node W llamafactory_peer.py EXPORT OUTPUT [key=value ...]
"""

import importlib.machinery
import json
import os
import re
import sys
import types
from pathlib import Path

import torch
import torch.distributed as dist
import yaml
from scipy.io import wavfile


def load_wav(path: str) -> tuple[torch.Tensor, int]:
    """Read 16-bit mono wav as torchaudio.load does, which needs CUDA's libraries and FFmpeg."""
    rate, samples = wavfile.read(path)
    return torch.from_numpy(samples / 32768).float()[None], rate


torchaudio = types.ModuleType("torchaudio")
torchaudio.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
torchaudio.load = load_wav
sys.modules["torchaudio"] = torchaudio
if not torch.version.cuda:  # PyPI's torchvision finds its compiled operators beside CUDA only
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from llamafactory.data import get_dataset, get_template_and_fix_tokenizer  # noqa: E402
from llamafactory.hparams import get_train_args  # noqa: E402
from llamafactory.model import load_tokenizer  # noqa: E402
from llamafactory.train.sft.trainer import CustomSeq2SeqTrainer  # noqa: E402
from transformers import (  # noqa: E402
    AutoTokenizer,
    Qwen2_5OmniProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    WhisperFeatureExtractor,
)

POCKET = Path(__file__).parents[2] / "src" / "maqam" / "models" / "pocket_weights"
TOKENS = {
    "image_token": "<|IMAGE|>",
    "audio_token": "<|AUDIO|>",
    "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>",
    "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>",
    "audio_eos_token": "<|audio_eos|>",
}


def make_model_folder(folder: Path) -> None:
    """Write a processor of Qwen2.5-Omni's class on the pocket tokenizer: no hub is reached."""
    tokenizer = AutoTokenizer.from_pretrained(POCKET, extra_special_tokens=TOKENS)
    Qwen2_5OmniProcessor(
        Qwen2VLImageProcessor(),
        Qwen2VLVideoProcessor(),
        WhisperFeatureExtractor(feature_size=128),
        tokenizer,
        chat_template="",
    ).save_pretrained(folder)
    (folder / "config.json").write_bytes((POCKET / "config.json").read_bytes())


def main() -> None:
    folder, output, *changes = sys.argv[1:]
    dist.init_process_group("gloo")
    rank = int(os.environ["RANK"])
    model = Path(output) / "model"
    if rank == 0:
        make_model_folder(model)
    dist.barrier()
    settings = yaml.safe_load((Path(folder) / "train.yaml").read_text(encoding="utf-8"))
    settings |= {"model_name_or_path": str(model), "output_dir": f"{output}/run"}
    settings |= {"bf16": False, "use_cpu": True}
    settings |= {name: yaml.safe_load(value) for name, value in (c.split("=") for c in changes)}
    model_args, data_args, training_args, finetuning_args, _ = get_train_args(settings)
    loaded = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(loaded["tokenizer"], data_args)
    rows = get_dataset(template, model_args, data_args, training_args, stage="sft", **loaded)

    def ids_of(found: list[dict]) -> dict[str, list[str]]:
        texts = [loaded["tokenizer"].decode(row["input_ids"]) for row in found]
        return {"ids": [re.search(r"utterance-\d+", text)[0] for text in texts]}

    trainer = CustomSeq2SeqTrainer(
        model=torch.nn.Linear(1, 1),
        args=training_args,
        finetuning_args=finetuning_args,
        data_collator=ids_of,
        **rows,
        **loaded,
    )
    batches = [batch["ids"] for batch in trainer.get_train_dataloader()]
    (Path(output) / f"{rank}.json").write_text(json.dumps(batches))
    dist.barrier()


if __name__ == "__main__":
    main()
