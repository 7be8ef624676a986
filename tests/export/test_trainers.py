"""What each trainer is told: commands, settings and scripts."""

import json
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML
from torch.utils.data import SequentialSampler
from transformers import Trainer

from maqam.data.audio import read_audio
from maqam.errors import ConfigError
from maqam.models.checkpoint import pocket_path
from tests.export.plans import exported, lines, plan_of
from tests.export.processors import pocket_processor
from tests.factories import make_manifest

PLAN = plan_of([[0, 1, 2, 3], [4, 5, 6, 7]])


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return make_manifest(tmp_path_factory.mktemp("corpus"), 8)


def swift_flags(folder):
    """Return the flags of the command that train.sh would run."""
    text = (folder / "train.sh").read_text(encoding="utf-8")
    command = text[text.index("exec ") :].replace("\\\n", " ")
    words = shlex.split(command)
    assert words[:3] == ["exec", "swift", "sft"]
    return dict(zip(words[3:-1:2], words[4:-1:2], strict=True))


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--dataset_shuffle", "false"),
        ("--train_dataloader_shuffle", "false"),
        ("--strict", "true"),
        ("--packing", "false"),
        ("--streaming", "false"),
        ("--group_by_length", "false"),
        ("--split_dataset_ratio", "0"),
        ("--num_train_epochs", "1"),
        ("--per_device_train_batch_size", "2"),
        ("--gradient_accumulation_steps", "2"),
    ],
)
def test_ms_swift_is_told_to_keep_the_order(manifest, tmp_path, flag, value):
    folder = exported(PLAN, manifest, tmp_path / "out", target="ms-swift", micro_batch_size=2)
    assert swift_flags(folder)[flag] == value


def test_ms_swift_starts_the_plans_processes(manifest, tmp_path):
    folder = exported(PLAN, manifest, tmp_path / "out", target="ms-swift", world_size=4)
    assert "NPROC_PER_NODE=4" in (folder / "train.sh").read_text()
    assert swift_flags(folder)["--deepspeed"] == "zero2"


def test_names_with_spaces_reach_ms_swift_whole(manifest, tmp_path):
    folder = exported(PLAN, manifest, tmp_path / "my plan's out", target="ms-swift", model="a b")
    flags = swift_flags(folder)
    assert flags["--model"] == "a b"
    assert flags["--dataset"] == str(folder / "schedule.jsonl")


def test_weights_reach_ms_swift_with_the_flag_they_need(manifest, tmp_path):
    folder = exported(
        PLAN, manifest, tmp_path / "out", target="ms-swift", loss_weights={"did": 4.0}
    )
    scales = {row["task"]: row["messages"][-1]["loss_scale"] for row in lines(folder)}
    assert swift_flags(folder)["--is_binary_loss_scale"] == "false"
    assert (scales["did"], scales["asr"]) == (4.0, 1.0)


def test_without_weights_rows_carry_none(manifest, tmp_path):
    folder = exported(PLAN, manifest, tmp_path / "out", target="ms-swift")
    assert "--is_binary_loss_scale" not in swift_flags(folder)
    assert all("loss_scale" not in row["messages"][-1] for row in lines(folder))


def test_ms_swift_counts_the_loss_of_each_task(manifest, tmp_path):
    folder = exported(PLAN, manifest, tmp_path / "out", target="ms-swift")
    assert all(row["channel"] == row["task"] for row in lines(folder))
    assert swift_flags(folder)["--enable_channel_loss"] == "true"


@pytest.mark.parametrize("target", ["ms-swift", "llamafactory", "hf-datasets"])
def test_the_launch_script_is_shell_that_can_be_run(manifest, tmp_path, target):
    folder = exported(PLAN, manifest, tmp_path / "out", target=target)
    subprocess.run(["sh", "-n", folder / "train.sh"], check=True)
    assert (folder / "train.sh").stat().st_mode & 0o111


def factory_settings(folder):
    return YAML(typ="safe").load((folder / "train.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("disable_shuffling", True),
        ("streaming", False),
        ("packing", False),
        ("val_size", 0.0),
        ("mix_strategy", "concat"),
        ("template", "qwen2_omni"),
        ("num_train_epochs", 1.0),
        ("gradient_accumulation_steps", 4),
    ],
)
def test_llama_factory_is_told_to_keep_the_order(manifest, tmp_path, key, value):
    folder = exported(PLAN, manifest, tmp_path / "out", target="llamafactory")
    assert factory_settings(folder)[key] == value


def test_llama_factory_finds_the_rows(manifest, tmp_path):
    folder = exported(PLAN, manifest, tmp_path / "out", target="llamafactory")
    entry = json.loads((folder / "dataset_info.json").read_text())[
        factory_settings(folder)["dataset"]
    ]
    assert factory_settings(folder)["dataset_dir"] == str(folder)
    assert (folder / entry["file_name"]).is_file()


def test_llama_factory_cuts_no_row(manifest, tmp_path):
    folder = exported(PLAN, manifest, tmp_path / "out", target="llamafactory")
    longest = max(
        25 * 0.5 + sum(len(turn["content"].encode()) for turn in row["messages"])
        for row in lines(folder)
    )
    assert factory_settings(folder)["cutoff_len"] > longest


@pytest.mark.parametrize("target", ["ms-swift", "llamafactory", "hf-datasets"])
def test_checkpoints_of_two_plans_do_not_meet(manifest, tmp_path, target):
    one = exported(PLAN, manifest, tmp_path / "out", target=target)
    name = f"{one}-output-{PLAN.fingerprint[:8]}"
    launched = "".join(path.read_text() for path in one.glob("train.*"))
    assert name in launched


def test_an_unknown_prompt_template_is_refused(manifest, tmp_path):
    with pytest.raises(ConfigError, match="prompt template of 'my/model' is not known"):
        exported(PLAN, manifest, tmp_path / "out", target="llamafactory", model="my/model")


def test_a_prompt_template_may_be_given(manifest, tmp_path):
    folder = exported(
        PLAN, manifest, tmp_path / "out", target="llamafactory", model="my/model", template="gemma4"
    )
    assert factory_settings(folder)["template"] == "gemma4"


@pytest.fixture
def script(manifest, tmp_path, monkeypatch):
    """The script for transformers' Trainer as a module; nothing but its Parquet reader is new."""
    pytest.importorskip("datasets")
    folder = exported(PLAN, manifest, tmp_path / "out", target="hf-datasets", micro_batch_size=2)
    module = types.ModuleType("train")
    module.__file__ = str(folder / "train.py")
    monkeypatch.setitem(sys.modules, "train", module)
    code = (folder / "train.py").read_text(encoding="utf-8")
    exec(compile(code, module.__file__, "exec"), module.__dict__)
    return module


@pytest.mark.torch
def test_transformers_trainer_reads_the_rows_in_order(script):
    rows = script.load_rows()
    trainer = Trainer(
        torch.nn.Linear(1, 1),
        script.arguments(bf16=False, use_cpu=True),
        train_dataset=rows,
        data_collator=lambda found: {"ids": [row["id"] for row in found]},
    )
    assert isinstance(trainer._get_train_sampler(), SequentialSampler)
    ids = [name for batch in trainer.get_train_dataloader() for name in batch["ids"]]
    assert ids == rows["id"]


def test_the_script_asks_for_the_plans_batches(script):
    settings = script.arguments(bf16=False, use_cpu=True)
    assert settings.per_device_train_batch_size == 2
    assert settings.gradient_accumulation_steps == 2


def test_the_script_puts_audio_where_its_tag_is(script):
    parts = script.Collator.parts("أ<audio>ب")
    assert [part["type"] for part in parts] == ["text", "audio", "text"]


def test_the_script_adapts_the_language_model_only(script):
    towers = ["audio_tower.layers.0.self_attn.q_proj", "language_model.layers.0.mlp.up_proj"]
    found = [bool(re.fullmatch(script.LLM_PROJECTIONS, f"model.{name}")) for name in towers]
    assert found == [False, True]


@pytest.fixture
def on_pocket(script, monkeypatch, tmp_path):
    """The script with the pocket in the place of a hub's model."""
    processor = pocket_processor()
    loader = types.SimpleNamespace(from_pretrained=lambda name: processor)
    monkeypatch.setattr(script, "MODEL", str(pocket_path()))
    monkeypatch.setattr(script, "OUTPUT", str(tmp_path / "run"))
    monkeypatch.setattr(script, "AutoProcessor", loader)
    monkeypatch.setattr(script, "load_audio", lambda path, sampling_rate: read_audio(path))
    return script


@pytest.mark.torch
def test_the_script_supervises_the_answer_and_nothing_else(on_pocket):
    collate = on_pocket.Collator(on_pocket.AutoProcessor.from_pretrained(""))
    rows = list(on_pocket.load_rows())
    labels = collate(rows)["labels"]
    answers = [
        collate.processor.tokenizer.decode(one[one != -100]).removesuffix("<|im_end|>\n")
        for one in labels
    ]
    assert answers == [row["messages"][-1]["content"] for row in rows]


@pytest.mark.torch
def test_the_script_trains_on_the_rows_in_order(on_pocket, monkeypatch):
    seen = []
    collate = on_pocket.Collator.__call__

    def spy(self, rows):
        seen.extend(row["id"] for row in rows)
        return collate(self, rows)

    monkeypatch.setattr(on_pocket.Collator, "__call__", spy)
    on_pocket.main()
    assert seen == on_pocket.load_rows()["id"]
    assert (Path(on_pocket.OUTPUT) / "adapter_model.safetensors").is_file()
