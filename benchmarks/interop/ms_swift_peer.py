"""Runs in ms-swift's environment under torchrun: the ids of every micro-batch of this process.

torchrun --nproc_per_node W ms_swift_peer.py EXPORT OUTPUT [--flag value ...]
"""

import json
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import torch.distributed as dist
from swift.arguments import SftArguments
from swift.dataset import LazyLLMDataset
from swift.trainers.mixin import DataLoaderMixin
from swift.utils import parse_args

POCKET = Path(__file__).parents[2] / "src" / "maqam" / "models" / "pocket_weights"
GPU_ONLY = ("--deepspeed",)


class Deals(DataLoaderMixin):
    """As much of ms-swift's trainer as its data loader reads."""

    def __init__(self, args: SftArguments, dataset: LazyLLMDataset) -> None:
        self.args, self.train_dataset = args.training_args, dataset
        self.template = SimpleNamespace(sequence_parallel_size=1)
        self.accelerator = SimpleNamespace(device=None)
        self.data_collator = lambda rows: [ids_of(row["messages"]) for row in rows]
        self._train_batch_size = args.training_args.per_device_train_batch_size


def ids_of(messages: list[dict]) -> str:
    return re.search(r"utterance-\d+", messages[-2]["content"])[0]


def flags_of(folder: Path) -> dict[str, str]:
    script = (folder / "train.sh").read_text(encoding="utf-8")
    words = shlex.split(script[script.index("exec swift sft") :].replace("\\\n", " "))[3:-1]
    flags = dict(zip(words[::2], words[1::2], strict=True))
    return {name: value for name, value in flags.items() if name not in GPU_ONLY}


def main() -> None:
    folder, output, *changes = sys.argv[1:]
    dist.init_process_group("gloo")
    flags = flags_of(Path(folder))
    flags |= {"--model": str(POCKET), "--model_type": "qwen2_5_omni"}  # no hub is reached
    flags |= {"--output_dir": output, "--add_version": "false"}
    flags |= dict(zip(changes[::2], changes[1::2], strict=True))
    args, left = parse_args(SftArguments, [word for flag in flags.items() for word in flag])
    assert not left, f"ms-swift does not know {left}"
    rows, _ = args.load_dataset()
    # tokens need the 7B model's processor; order does not
    dataset = LazyLLMDataset(
        rows, lambda row, **_: row, strict=args.strict, random_state=args.data_seed
    )
    batches = list(Deals(args, dataset).get_train_dataloader())
    (Path(output) / f"{dist.get_rank()}.json").write_text(json.dumps(batches))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
