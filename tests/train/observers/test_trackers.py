"""Numbers of a run in a tracker, by transformers' own integrations."""

import numpy as np
import pytest

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
