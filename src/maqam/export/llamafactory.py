"""LLaMA-Factory: rows, their entry in dataset_info.json, and a YAML that keeps the order.

Read in LLaMA-Factory 0.9.5: `disable_shuffling` gives a SequentialSampler; streaming shuffles
whatever it says; packing is a knapsack that reorders and drops; `cutoff_len` cuts audio tokens in
silence, so it is set above the longest row. `Dataset.map` takes the type of its audio column from
the first 1000 rows, and fails when none of them has audio and a later one has. A media tag that
no medium belongs to stops it, whoever says it.
"""

import io
import json
import shlex
from collections.abc import Mapping

from ruamel.yaml import YAML

from maqam.errors import ConfigError
from maqam.export.parts import Launch, Target

DATASET_NAME = "maqam_schedule"
_TEMPLATES = {"qwen2.5-omni": "qwen2_omni", "qwen2-audio": "qwen2_audio"}


def dataset_info(rows_name: str) -> dict[str, object]:
    """Return the content of dataset_info.json for a file of chat rows.

    Examples:
        >>> dataset_info("schedule.jsonl")["maqam_schedule"]["columns"]
        {'messages': 'messages', 'audios': 'audios'}
    """
    tags = {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    }
    columns = {"messages": "messages", "audios": "audios"}
    entry = {"file_name": rows_name, "formatting": "sharegpt", "columns": columns, "tags": tags}
    return {DATASET_NAME: entry}


def train_settings(launch: Launch) -> dict[str, object]:
    """Return the settings of `llamafactory-cli train` that keep the rows' order.

    Raises:
        ConfigError: If the model's prompt template is not known and not given.
    """
    settings = launch.settings
    return {
        "model_name_or_path": settings.model,
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_target": "all",
        "freeze_vision_tower": True,  # the audio tower is part of it
        "freeze_multi_modal_projector": True,
        "template": settings.template or _template(settings.model),
        "dataset": DATASET_NAME,
        "dataset_dir": str(launch.folder),
        "mix_strategy": "concat",
        "disable_shuffling": True,
        "streaming": False,
        "packing": False,
        "val_size": 0.0,
        "cutoff_len": launch.max_tokens,
        "overwrite_cache": True,
        "output_dir": str(launch.output),
        "num_train_epochs": 1.0,
        "per_device_train_batch_size": settings.micro_batch_size,
        "gradient_accumulation_steps": launch.accumulation,
        "learning_rate": 1e-4,
        "bf16": True,
        "seed": launch.seed % 2**32,
        "report_to": "none",
    }


def _template(model: str) -> str:
    for part, template in _TEMPLATES.items():
        if part in model.lower():
            return template
    raise ConfigError(
        f"the prompt template of {model!r} is not known",
        where="template",
        hint="give LLaMA-Factory's name of it, such as qwen2_omni",
    )


def _files(launch: Launch) -> Mapping[str, str]:
    stream = io.StringIO()
    yaml = YAML()
    yaml.dump(train_settings(launch), stream)
    config = shlex.quote(str(launch.folder / "train.yaml"))
    return {
        "dataset_info.json": json.dumps(dataset_info(launch.rows_name), indent=1) + "\n",
        "train.yaml": stream.getvalue(),
        "train.sh": (
            "#!/bin/sh\n"
            "# LLaMA-Factory on the rows of a Maqam plan, in their order; key=value may follow.\n"
            "# A step is the plan's step only with this number of processes and batch sizes.\n"
            f"export FORCE_TORCHRUN=1 NNODES=1 NPROC_PER_NODE={launch.settings.world_size}\n"
            f'exec llamafactory-cli train {config} "$@"\n'
        ),
    }


TARGET = Target(
    title="LLaMA-Factory",
    sharding="block",
    is_parquet=False,
    takes_weights=False,
    text_rows=999,
    extra_columns=(),
    tags=("<image>", "<video>", "<audio>"),
    reads_tokens=True,
    files=_files,
)
