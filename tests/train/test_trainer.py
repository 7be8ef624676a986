import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from maqam.errors import RunError
from maqam.models.audio_states import EncodedStates
from maqam.models.freezing import train_only
from maqam.schedule.plan import rows_checksum
from maqam.train.batches import PlanBatches
from maqam.train.log_mels import LogMels
from maqam.train.objective import TrainingModel
from maqam.train.observers.observer import Observer, StepProgress
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective, TrainSettings
from maqam.train.trainer import PlanTrainer

from .corpus import load_step, make_backbone, make_plan


class Recorder(Observer):
    """Hands the record of every step to a function."""

    def __init__(self, write):
        self.write = write

    def on_step(self, record, learner):
        self.write(record)


def make_trainer(manifest, folder, *, num_micro_batches=1, num_steps=1, objective=None, **changes):
    backbone = make_backbone()
    train_only(backbone, ("llm",))
    plan = make_plan(np.arange(24), num_steps=num_steps, batch_size=8)
    prepared = prepare_rows(backbone.dialogue, manifest, plan.rows)
    audio_states = EncodedStates(backbone, LogMels(backbone, manifest, prepared.rows))
    batches = PlanBatches(backbone, plan, prepared, objective or Objective(), audio_states)
    settings = TrainSettings(
        phase="align",
        llm="full",
        num_steps=num_steps,
        batch_size=8,
        micro_batches=num_micro_batches,
        warmup=0.0,
        **changes,
    )
    return PlanTrainer(TrainingModel(backbone), batches, settings, seed=0, folder=folder)


@pytest.mark.parametrize("num_micro_batches", [1, 4])
def test_the_trainer_takes_the_gradient_of_the_objective_unscaled(
    manifest, tmp_path, num_micro_batches
):
    trainer = make_trainer(manifest, tmp_path, num_micro_batches=num_micro_batches)
    learner, batches = trainer.model, trainer._batches
    losses = []
    for micro_batch in load_step(batches).micro_batches:
        loss = learner(micro_batch)[0]
        loss.backward()
        losses.append(loss.item())
    squares = [
        one.grad.double().square().sum() for one in learner.parameters() if one.requires_grad
    ]
    learner.zero_grad()
    records = []
    trainer.follow([Recorder(records.append)])
    assert records[0]["loss"] == pytest.approx(sum(losses), rel=1e-5)
    assert records[0]["grad_norm"] == pytest.approx(math.sqrt(sum(squares)), rel=1e-5)


def test_a_record_holds_the_losses_and_counts_of_every_task(manifest, tmp_path):
    trainer = make_trainer(manifest, tmp_path, num_micro_batches=2, num_steps=2)
    learner, batches = trainer.model, trainer._batches
    sums, input_tokens = {}, 0
    for micro_batch in load_step(batches).micro_batches:
        input_tokens += int(micro_batch.batch.lengths.sum())
        for row, loss in zip(micro_batch.rows, learner(micro_batch)[1].tolist(), strict=True):
            task = manifest.row(int(row))["task"]
            sums[task] = sums.get(task, 0.0) + loss
    records = []
    trainer.follow([Recorder(records.append)])
    first = records[0]
    assert [record["step"] for record in records] == [1, 2]
    rows = manifest.rows(batches.plan.rows[0])
    counts = {task: sum(row["task"] == task for row in rows) for task in sums}
    assert first["utterances_by_task"] == counts
    tokens = {
        task: sum(
            len(batches.backbone.dialogue.target_ids(row["target"]))
            for row in rows
            if row["task"] == task
        )
        for task in sums
    }
    assert first["target_tokens_by_task"] == tokens
    assert first["target_tokens"] == sum(tokens.values())
    assert first["input_tokens"] == input_tokens
    assert first["utterances"] == 8
    for task, total in sums.items():
        assert first["loss_by_task"][task] == pytest.approx(total / tokens[task], rel=1e-4)


def test_a_record_tells_which_rows_went_through_the_model(manifest, tmp_path):
    trainer = make_trainer(manifest, tmp_path, num_micro_batches=2, num_steps=3)
    plan, records = trainer._batches.plan, []
    read = trainer._batches._micro_batch

    def misled(step, part):
        """Swap a row for another of the pool in the second step alone."""
        found = read(step, part)
        return replace(found, rows=(found.rows + 1) % 24 if step.number == 1 else found.rows)

    trainer._batches._micro_batch = misled
    trainer.follow([Recorder(records.append)])
    agrees = [
        one["rows_checksum"] == rows_checksum(plan.batch(step)) for step, one in enumerate(records)
    ]
    assert agrees == [True, False, True]


def test_the_learning_rate_follows_the_settings(manifest, tmp_path):
    trainer = make_trainer(manifest, tmp_path, num_steps=4, learning_rate=0.01, decay=0.5)
    records = []
    trainer.follow([Recorder(records.append)])
    assert [record["lr"] for record in records] == pytest.approx([0.01, 0.01, 0.01, 0.005])


def test_a_loss_that_is_not_a_number_stops_before_the_step(manifest, tmp_path):
    trainer = make_trainer(manifest, tmp_path, num_steps=3)
    weight = trainer.model.model.lm_head.weight
    with torch.no_grad():
        weight[0, 0] = math.nan
    before = weight.detach().clone()
    rows = sorted(trainer._batches.plan.rows[0].tolist())[:5]
    shown = ", ".join(map(str, rows))
    with pytest.raises(RunError, match=f"step 1: the loss is nan on manifest rows {shown}"):
        trainer.follow()
    assert torch.equal(weight, before) or torch.isnan(weight[0, 0])
    assert torch.equal(weight[1:], before[1:])


def test_a_gradient_that_is_not_finite_stops_before_the_step(manifest, tmp_path):
    trainer = make_trainer(manifest, tmp_path, num_steps=3)
    weight = trainer.model.model.lm_head.weight
    weight.register_hook(lambda gradient: gradient * math.inf)
    before = weight.detach().clone()
    with pytest.raises(RunError, match=r"step 1: the gradient norm is (nan|inf)"):
        trainer.follow()
    assert torch.equal(weight, before)


def test_a_full_disk_at_a_checkpoint_is_one_clear_line(manifest, tmp_path, monkeypatch):
    trainer = make_trainer(manifest, tmp_path, num_steps=2, checkpoint_steps=1)

    def fail(*args):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(RunError, match="step-000001: the files cannot be written: Pytorch"):
        trainer.follow()
    assert list(tmp_path.iterdir()) == []


def test_mixed_precision_keeps_the_weights_in_full_precision(manifest, tmp_path):
    trainer = make_trainer(manifest, tmp_path, mixed_precision=True)
    records, attended = [], set()
    thinker = trainer.model.model

    def write(record):
        records.append(record)
        attended.add(thinker.config._attn_implementation)

    trainer.follow([Recorder(write)])
    assert math.isfinite(records[0]["loss"])
    assert attended == {"sdpa_float32"}
    assert thinker.lm_head.weight.dtype == torch.float32
    assert thinker.config._attn_implementation == "sdpa"


def test_ctrl_c_ends_a_run_after_its_step_with_a_checkpoint(manifest, tmp_path):
    trainer = make_trainer(manifest, tmp_path, num_steps=5)
    records = []

    def write(record):
        records.append(record)
        if record["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trainer.follow([Recorder(write)])
    assert signal.getsignal(signal.SIGINT) is before
    assert len(records) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["step-000003"]


def test_progress_is_reported_step_by_step(manifest, tmp_path):
    trainer = make_trainer(manifest, tmp_path, num_steps=2)
    seen = []
    trainer.follow([StepProgress(lambda *done: seen.append(done))])
    assert seen == [(1, 2), (2, 2)]
