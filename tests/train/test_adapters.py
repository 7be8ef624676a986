"""Training by adapters of every kind, and of the whole LLM."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from maqam.errors import ModelError
from maqam.models.tuning.settings import Experts, Full, Lora, TaskAdapters
from maqam.train.observers.observer import Observer
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings

from .corpus import make_backbone, make_plan

KINDS = (
    TaskAdapters("task"),
    TaskAdapters("shared+task"),
    TaskAdapters("hydra"),
    Experts(num_experts=3, balance=0.5),
)


def make_phase(manifest, adapter, objective="token", **changes):
    given = {
        "num_steps": 4,
        "batch_size": 6,
        "micro_batches": 2,
        "checkpoint_steps": 2,
        "warmup": 0,
    }
    settings = TrainSettings(**{**given, "learning_rate": 1e-3, "adapter": adapter, **changes})
    plan = make_plan(np.arange(24), settings.num_steps, settings.batch_size)
    return Phase(manifest, plan, settings, Objective(objective), seed=3)


def records(run):
    lines = (run / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def tensors(folder):
    return {
        f"{file.relative_to(folder)} {name}": value
        for file in sorted(Path(folder).rglob("*.safetensors"))
        for name, value in load_file(file).items()
    }


class Kept(Observer):
    """Keeps the gradients of each step."""

    def __init__(self):
        self.steps = []

    def on_gradients(self, gradients):
        named = gradients.learner.named_parameters()
        self.steps.append({name: one.grad.clone() for name, one in named if one.grad is not None})


@pytest.mark.parametrize("adapter", KINDS, ids=lambda kind: kind.kind)
def test_a_split_into_micro_batches_changes_no_gradient(adapter, manifest, tmp_path):
    found = []
    for number in (1, 5):
        run, kept = tmp_path / str(number), Kept()
        phase = make_phase(manifest, adapter, "utterance", num_steps=1, micro_batches=number)
        run_phase(make_backbone(), phase, run, observers=[kept])
        found.append((records(run)[0], kept.steps[0]))
    (whole, gradients), (split, others) = found
    told = {"loss", "grad_norm", "loss_by_task", "router_entropy_by_task", "balance_loss"}
    for name in told & whole.keys():
        assert split[name] == pytest.approx(whole[name], rel=1e-4), name
    assert others.keys() == gradients.keys()
    for name, one in gradients.items():
        assert (others[name] - one).norm() <= 1e-4 * one.norm() + 1e-7, name


@pytest.mark.parametrize("adapter", [Full(), KINDS[3]], ids=lambda kind: kind.kind)
def test_a_run_that_was_broken_off_ends_as_if_it_never_stopped(adapter, manifest, tmp_path):
    class KilledError(Exception):
        pass

    def stop(done, total):
        if done == 3:
            raise KilledError

    whole = run_phase(make_backbone(), make_phase(manifest, adapter), tmp_path / "whole")
    broken = tmp_path / "broken"
    with pytest.raises(KilledError):
        run_phase(make_backbone(), make_phase(manifest, adapter), broken, progress=stop)
    resumed = run_phase(make_backbone(), make_phase(manifest, adapter), broken, resume=True)
    told = ("step", "loss", "grad_norm", "balance_loss", "router_entropy_by_task")
    ours, theirs = (
        [[one.get(name) for name in told] for one in records(run)]
        for run in (broken, tmp_path / "whole")
    )
    assert ours == theirs
    files = [file.relative_to(whole.output) for file in whole.output.rglob("*.safetensors")]
    assert files
    for file in files:
        assert (resumed.output / file).read_bytes() == (whole.output / file).read_bytes()


def test_experts_tell_their_balance_and_how_undecided_routers_are(manifest, tmp_path):
    adapter, two = Experts(num_experts=4, balance=0.25), {"num_steps": 2}
    run_phase(make_backbone(), make_phase(manifest, adapter, "task", **two), tmp_path / "run")
    for record in records(tmp_path / "run"):
        assert 1.0 <= record["balance_loss"] <= 4.0
        assert record["router_entropy_by_task"].keys() == record["loss_by_task"].keys()
        assert all(0.0 < one <= 1.0 for one in record["router_entropy_by_task"].values())
    off = Experts(num_experts=4, balance=0.0)
    run_phase(make_backbone(), make_phase(manifest, off, "task", **two), tmp_path / "off")
    first, without = records(tmp_path / "run")[0], records(tmp_path / "off")[0]
    assert first["balance_loss"] == without["balance_loss"]
    gap = first["loss"] - without["loss"]
    assert gap == pytest.approx(0.25 * first["balance_loss"], rel=1e-4)


def test_a_step_without_rows_of_a_task_leaves_its_adapter_as_it_was(manifest, tmp_path):
    phase = make_phase(manifest, TaskAdapters(), num_steps=2, checkpoint_steps=1)
    phase.plan.rows[:] = [[0, 1, 2, 3, 4, 5], [2, 6, 10, 14, 18, 22]]  # the second: texts alone
    run_phase(make_backbone(), phase, tmp_path / "run")
    first, second = (
        load_file(tmp_path / f"run/checkpoints/step-00000{step}/model.safetensors")
        for step in (1, 2)
    )
    moved = {name.rpartition("to_")[2] for name in first if (first[name] != second[name]).any()}
    assert moved == {"tsum"}


def test_what_was_matched_is_noted(manifest, tmp_path):
    adapter = TaskAdapters(match_parameters=True)
    result = run_phase(make_backbone(), make_phase(manifest, adapter), tmp_path / "run")
    (note,) = (one for one in result.notes if one.startswith("adapter task, "))
    (trained,) = (row["trainable"] for row in result.parts if row["part"] == "adapter")
    assert f"{trained:,} trained parameters, plain LoRA" in note
    assert note in json.loads((tmp_path / "run/run.json").read_text())["notes"]


def test_a_run_begins_from_the_adapters_of_another(manifest, tmp_path):
    first = run_phase(make_backbone(), make_phase(manifest, KINDS[1]), tmp_path / "first")
    phase = make_phase(
        manifest, KINDS[1], adapter_from=str(first.output), num_steps=1, learning_rate=1e-12
    )
    second = run_phase(make_backbone(), phase, tmp_path / "second")
    saved = tensors(first.output)
    for name, value in tensors(second.output).items():
        assert (saved[name] - value).abs().max() < 1e-6, name
    phase = make_phase(manifest, Lora(), adapter_from=str(first.output))
    with pytest.raises(ModelError, match='adapters of kind "shared\\+task", the run trains one'):
        run_phase(make_backbone(), phase, tmp_path / "third")
