"""Two real processes train as one does."""

import json
import shutil

import pytest
from safetensors.torch import load_file

from maqam.schedule.plan import rows_checksum
from maqam.train.phases import run_phase
from tests.processes import together

from .corpus import make_backbone
from .two_processes import ROUTED, make_phase, routed_phase, train_on_all


def records(run):
    lines = (run / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def weights(run):
    """Return all that a run trained, by file and name."""
    output = run / ("adapter" if (run / "adapter").exists() else "weights")
    return {
        f"{file.relative_to(output)} {name}": value
        for file in output.rglob("*.safetensors")
        for name, value in load_file(file).items()
    }


@pytest.fixture(scope="module")
def alone(manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone") / "run"
    run_phase(make_backbone(), make_phase(manifest.folder), folder)
    return folder


@pytest.fixture(scope="module")
def shared(manifest, tmp_path_factory):
    """Return the folder of the runs that two processes of one group made."""
    folder = tmp_path_factory.mktemp("shared")
    done = together(train_on_all, manifest.folder, folder, folder=folder)
    assert done.code == 0, done.stderr[-3000:]
    return folder


def assert_alike(run, alone):
    for ours, theirs in zip(records(run), records(alone), strict=True):
        told = {"loss", "grad_norm", "ctc_loss", "balance_loss", "router_entropy_by_task"}
        for name in told & theirs.keys():
            assert ours[name] == pytest.approx(theirs[name], rel=2e-4, abs=1e-6), name
        assert ours["loss_by_task"] == pytest.approx(theirs["loss_by_task"], rel=1e-3)
        for name in ("input_tokens", "rows_checksum", "utterances_by_task", "target_tokens", "lr"):
            assert ours[name] == theirs[name], name
    found = weights(run)
    for name, value in weights(alone).items():
        gap = (found[name].float() - value.float()).norm()
        assert gap <= 1e-3 * value.float().norm() + 1e-5, name


def test_losses_gradients_and_weights_are_those_of_one_process(shared, alone):
    assert_alike(shared / "plain", alone)


@pytest.mark.parametrize("name", ROUTED)
def test_routed_adapters_of_two_processes_are_those_of_one(name, shared, manifest, tmp_path):
    run_phase(make_backbone(), routed_phase(manifest.folder, ROUTED[name]), tmp_path / "run")
    assert_alike(shared / name, tmp_path / "run")


def test_every_row_of_a_step_is_trained_on_by_one_of_the_processes(shared, manifest):
    plan = make_phase(manifest.folder).plan
    told = [one["rows_checksum"] for one in records(shared / "plain")]
    assert told == [rows_checksum(rows) for rows in plan.rows]


def test_a_run_of_two_processes_goes_on_with_one(shared, alone, manifest, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(shared / "plain", run)
    shutil.rmtree(run / "weights")
    shutil.rmtree(run / "checkpoints/step-000004")
    phase = make_phase(manifest.folder, micro_batches=3, micro_tokens=150)
    run_phase(make_backbone(), phase, run, resume=True)
    assert_alike(run, alone)


def test_all_processes_repeat_a_step_that_ran_out_of_memory_on_one(shared, alone):
    assert_alike(shared / "starved", alone)
    passes = [
        sum(one["forward_passes"] for one in records(shared / name))
        for name in ("plain", "starved")
    ]
    assert passes[0] < passes[1]


def test_ctrl_c_on_one_process_ends_all_of_them_after_the_same_step(shared):
    assert [one["step"] for one in records(shared / "stopped")] == [1]
    assert (shared / "stopped/checkpoints/step-000001/checkpoint.json").is_file()
    assert (shared / "stopped-0").exists()
    assert (shared / "stopped-1").exists()
    assert not (shared / "stopped/weights").exists()
