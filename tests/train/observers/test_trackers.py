"""Numbers of a run in a tracker, by transformers' own integrations."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from transformers import TrainerCallback

from maqam.errors import RunError
from maqam.train.observers import trackers
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings
from tests.train.corpus import make_backbone, make_plan


def make_phase(manifest, tracker):
    settings = TrainSettings(num_steps=2, batch_size=4, micro_batches=2, report_to=(tracker,))
    return Phase(manifest, make_plan(np.arange(24), 2, 4), settings, Objective(), seed=0)


def test_tensorboard_gets_the_numbers_of_every_step(manifest, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run_phase(make_backbone(), make_phase(manifest, "tensorboard"), tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run/tensorboard"))
    events.Reload()
    assert [one.step for one in events.Scalars("train/loss")] == [1, 2]
    assert {"train/lr", "train/grad_norm", "train/loss_by_task/asr"} <= set(
        events.Tags()["scalars"]
    )


def test_a_tracker_that_is_not_installed_is_named_before_anything_trains(
    manifest, tmp_path, monkeypatch
):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    words = r"train\.report_to: the tracker mlflow is not installed"
    with pytest.raises(RunError, match=words) as fault:
        run_phase(make_backbone(), make_phase(manifest, "mlflow"), tmp_path / "run")
    assert fault.value.hint == "pip install mlflow, or leave it out"
    assert not (tmp_path / "run").exists()


class OwnError(Exception):
    """An error that only its tracker knows."""


def failing(monkeypatch, call, error):
    """Put a tracker in the place of mlflow, one call of which fails."""
    calls = []

    class Tracker(TrainerCallback):
        def on_train_begin(self, *given, **named):
            calls.append("begin")

        def on_log(self, *given, **named):
            calls.append("log")

        def on_train_end(self, *given, **named):
            calls.append("end")

    def fail(self, *given, **named):
        calls.append(call)
        raise error

    setattr(Tracker, call, fail)
    own = SimpleNamespace(MlflowException=OwnError)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", own)
    monkeypatch.setattr(trackers, "find_spec", lambda name: name)
    monkeypatch.setattr(trackers, "_CALLBACKS", {"mlflow": Tracker})
    return calls


ERRORS = [OwnError("no scheme in URI\nmore"), ValueError("no key"), ConnectionError("no server")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_tracker_that_cannot_begin_stops_the_run_in_a_line_before_its_first_step(
    manifest, tmp_path, monkeypatch, error
):
    calls = failing(monkeypatch, "on_train_begin", error)
    words = r"train\.report_to: the tracker mlflow cannot begin: no "
    with pytest.raises(RunError, match=words) as fault:
        run_phase(make_backbone(), make_phase(manifest, "mlflow"), tmp_path / "run")
    assert "\n" not in fault.value.problem
    assert "leave it out" in fault.value.hint
    assert calls == ["on_train_begin"]
    assert not (tmp_path / "run/train.jsonl").exists()


def test_a_tracker_that_is_installed_by_half_is_named_before_anything_trains(
    manifest, tmp_path, monkeypatch
):
    failing(monkeypatch, "__init__", ModuleNotFoundError("No module named 'starlette'"))
    words = r"train\.report_to: the tracker mlflow does not load: No module named 'starlette'"
    with pytest.raises(RunError, match=words) as fault:
        run_phase(make_backbone(), make_phase(manifest, "mlflow"), tmp_path / "run")
    assert fault.value.hint == "pip install mlflow again, or leave it out"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("call", ["on_log", "on_train_end"])
def test_a_tracker_that_fails_later_is_left_behind_with_a_warning(
    manifest, tmp_path, monkeypatch, call
):
    calls = failing(monkeypatch, call, OwnError("the server is gone"))
    with pytest.warns(UserWarning, match="the tracker mlflow .* the server is gone"):
        run_phase(make_backbone(), make_phase(manifest, "mlflow"), tmp_path / "run")
    assert calls.count(call) == 1
    assert len((tmp_path / "run/train.jsonl").read_text().splitlines()) == 2
