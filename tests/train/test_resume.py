import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from maqam.errors import MaqamWarning, ModelError, RunError
from maqam.train import phases
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings

from .corpus import make_backbone, make_plan
from .interrupted_run import train

MODULE = f"{__package__}.interrupted_run"
ROOT = Path(__file__).parents[MODULE.count(".")]


def losses(run_folder):
    lines = (run_folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["step"] for record in records] == list(range(1, len(records) + 1))
    return [(record["loss"], record["grad_norm"], record["lr"]) for record in records]


def make_phase(manifest):
    settings = TrainSettings(
        num_steps=6, batch_size=4, micro_batches=2, checkpoint_steps=2, lora_dropout=0.2
    )
    plan = make_plan(np.arange(24), 6, 4)
    return Phase(manifest, plan, settings, Objective("utterance"), seed=3)


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def whole(manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_phase(make_backbone(), make_phase(manifest), folder)
    return folder


def test_a_run_broken_off_again_and_again_ends_as_if_it_never_stopped(manifest, whole, tmp_path):
    def break_off(last_step):
        def stop(done, total):
            if done == last_step:
                raise KilledError

        return stop

    run = tmp_path / "broken"
    for last_step in (1, 2, 5, 6):
        with pytest.raises(KilledError):
            run_phase(
                make_backbone(),
                make_phase(manifest),
                run,
                resume=last_step > 1,
                progress=break_off(last_step),
            )
        assert json.loads((run / "run.json").read_text())["state"] == "running"
    run_phase(make_backbone(), make_phase(manifest), run, resume=True)
    assert losses(run) == losses(whole)
    weights = "adapter/adapter_model.safetensors"
    assert (run / weights).read_bytes() == (whole / weights).read_bytes()


def test_a_run_killed_before_its_output_was_written_writes_it_on_resume(
    manifest, tmp_path, monkeypatch
):
    def die(*args, **kwargs):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(phases, "_write_output", die)
        with pytest.raises(KilledError):
            run_phase(make_backbone(), make_phase(manifest), tmp_path / "run")
    result = run_phase(make_backbone(), make_phase(manifest), tmp_path / "run", resume=True)
    assert (result.output / "adapter_model.safetensors").is_file()
    assert len(losses(tmp_path / "run")) == 6


@pytest.fixture
def unwritten(manifest, tmp_path, monkeypatch):
    """Return the folder of a run that broke off after its last step."""
    with monkeypatch.context() as patched:
        patched.setattr(phases, "_write_output", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_phase(make_backbone(), make_phase(manifest), tmp_path / "run")
    return tmp_path / "run"


def weights_of(run):
    """Return the weights of the checkpoints, the newest last."""
    return sorted((run / "checkpoints").rglob("model.safetensors"))


def as_of_an_earlier_maqam(weights):
    """List the files of a checkpoint without hashes."""
    files = {path.name: path.stat().st_size for path in weights.parent.glob("[!c]*")}
    content = {"format_version": 1, "step": int(weights.parent.name[5:]), "files": files}
    weights.with_name("checkpoint.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("rule", "error", "fault"),
    [
        (
            lambda found: {name.replace("lora", "rola"): one for name, one in found.items()},
            RunError,
            "112 parameters are not those that train",
        ),
        (
            lambda found: {name: one[:1] for name, one in found.items()},
            ModelError,
            r"tensors 56 of another shape",
        ),
        (
            lambda found: {name: one * float("nan") for name, one in found.items()},
            ModelError,
            r"tensors 56 not finite numbers",
        ),
    ],
)
def test_a_checkpoint_of_other_parameters_is_refused(manifest, unwritten, rule, error, fault):
    newest = weights_of(unwritten)[-1]
    save_file({name: one.clone() for name, one in rule(load_file(newest)).items()}, newest)
    as_of_an_earlier_maqam(newest)
    with pytest.raises(error, match=fault):
        run_phase(make_backbone(), make_phase(manifest), unwritten, resume=True)


def test_a_run_whose_newest_checkpoint_was_damaged_ends_as_if_it_were_not(
    manifest, unwritten, whole
):
    newest = weights_of(unwritten)[-1]
    content = bytearray(newest.read_bytes())
    content[-4000:] = bytes(4000)
    newest.write_bytes(content)
    with pytest.warns(MaqamWarning, match=r"step-000006 \(model.safetensors has other content"):
        run_phase(make_backbone(), make_phase(manifest), unwritten, resume=True)
    weights = "adapter/adapter_model.safetensors"
    assert (unwritten / weights).read_bytes() == (whole / weights).read_bytes()


@pytest.mark.slow
def test_a_process_killed_at_a_random_moment_resumes_byte_for_byte(manifest, tmp_path):
    train(manifest.folder, tmp_path / "whole")
    record = tmp_path / "killed" / "train.jsonl"
    command = [sys.executable, "-m", MODULE, str(manifest.folder), str(tmp_path / "killed")]
    process = subprocess.Popen(command, cwd=ROOT)
    chance = random.Random(time.time_ns())
    last_line = chance.randint(1, 8)
    while process.poll() is None:
        if record.exists() and record.read_text().count("\n") >= last_line:
            break
        time.sleep(0.01)
    time.sleep(chance.uniform(0.0, 0.4))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "weights").exists(), "the run ended before it was killed"
    train(manifest.folder, tmp_path / "killed", resume=True)
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    weights = "weights/model.safetensors"
    assert (tmp_path / "killed" / weights).read_bytes() == (
        tmp_path / "whole" / weights
    ).read_bytes()
