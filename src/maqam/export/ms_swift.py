"""ms-swift 4.x: rows with a channel, and a command with every flag that keeps the order.

Read in ms-swift 4.6.0: `LazyLLMDataset` replaces a row that fails or is too long by a random other
one unless `--strict true`; both the dataset and the data loader shuffle unless told not to; packing
and streaming reorder. `loss_scale` above 1 needs `--is_binary_loss_scale false`; the loss of a
step is still divided by its number of target tokens, whatever the weights.
"""

import shlex
from collections.abc import Mapping

from maqam.export.parts import Launch, Target


def launch_command(launch: Launch) -> list[str]:
    """Return the arguments of `swift sft` that train on the rows in their order."""
    settings = launch.settings
    flags: dict[str, object] = {
        "--model": settings.model,
        "--dataset": launch.folder / launch.rows_name,
        "--output_dir": launch.output,
        "--num_train_epochs": 1,
        "--per_device_train_batch_size": settings.micro_batch_size,
        "--gradient_accumulation_steps": launch.accumulation,
        "--split_dataset_ratio": 0,
        "--dataset_shuffle": "false",
        "--train_dataloader_shuffle": "false",
        "--streaming": "false",
        "--packing": "false",
        "--group_by_length": "false",
        "--lazy_tokenize": "true",
        "--strict": "true",
        "--max_length": launch.max_tokens,
        "--truncation_strategy": "delete",
        "--enable_channel_loss": "true",
        "--tuner_type": "lora",
        "--target_modules": "all-linear",
        "--freeze_vit": "true",
        "--freeze_aligner": "true",
        "--seed": launch.seed % 2**32,
    }
    if launch.is_weighted:
        flags["--is_binary_loss_scale"] = "false"
    if settings.world_size > 1:  # ZeRO-3 hangs where one micro-batch has audio and another none
        flags["--deepspeed"] = "zero2"
    return [str(part) for flag in flags.items() for part in flag]


def _files(launch: Launch) -> Mapping[str, str]:
    words = launch_command(launch)
    lines = [
        f"  {flag} {shlex.quote(value)}"
        for flag, value in zip(words[::2], words[1::2], strict=True)
    ]
    script = (
        "#!/bin/sh\n"
        "# ms-swift 4.x on the rows of a Maqam plan, in their order; more flags may follow.\n"
        "# A step is the plan's step only with this number of processes and these batch sizes.\n"
        f"export ENABLE_AUDIO_OUTPUT=0 NPROC_PER_NODE={launch.settings.world_size}\n"
        "exec swift sft \\\n" + " \\\n".join(lines) + ' \\\n  "$@"\n'
    )
    return {"train.sh": script}


TARGET = Target(
    title="ms-swift",
    sharding="stride",
    is_parquet=False,
    takes_weights=True,
    text_rows=None,
    extra_columns=("channel",),
    tags=(
        "<image>",
        "<video>",
        "<audio>",
        "<bbox>",
        "<ref-object>",
        "<cot-process>",
        "<start-image>",
    ),
    reads_tokens=True,
    files=_files,
)
