import json
from pathlib import Path

import pytest

from maqam.errors import RunError
from maqam.train.observers import telemetry
from maqam.train.observers.telemetry import Telemetry


def record(step):
    return {
        "step": step,
        "loss": 1.0 / step,
        "grad_norm": 1.0,
        "lr": 0.1,
        "seconds": 0.5,
        "utterances": 4,
        "loss_by_task": {"asr": 1.0},
    }


def steps_in(folder):
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["step"] for line in lines]


def written(folder, steps, last_step=0):
    telemetry = Telemetry(folder)
    telemetry.open(last_step)
    for step in steps:
        telemetry.on_step(record(step))
    telemetry.on_end(None)


def test_a_line_is_on_disk_as_soon_as_it_is_written(tmp_path):
    telemetry = Telemetry(tmp_path)
    telemetry.open()
    telemetry.on_step(record(1))
    assert steps_in(tmp_path) == [1]
    telemetry.on_end(None)


def test_lines_past_the_checkpoint_are_removed_on_resume(tmp_path):
    written(tmp_path, [1, 2, 3])
    written(tmp_path, [3], last_step=2)
    assert steps_in(tmp_path) == [1, 2, 3]


def test_a_half_written_line_is_removed_on_resume(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"step": 1}\n{"step": 2, "lo', encoding="utf-8")
    written(tmp_path, [2], last_step=2)
    assert steps_in(tmp_path) == [1, 2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' full device")
def test_a_full_disk_is_one_clear_line(tmp_path, monkeypatch):
    (tmp_path / "train.jsonl").symlink_to("/dev/full")
    monkeypatch.setattr(telemetry, "_cut", lambda path, last_step: None)
    with pytest.raises(RunError, match="cannot be written: No space left on device"):
        written(tmp_path, [1])


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(RunError, match="the record of the steps cannot be written"):
        Telemetry(tmp_path / "absent").open()
