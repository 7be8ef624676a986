import numpy as np
import pytest
import torch

from maqam.train.batches import PlanBatches
from maqam.train.log_mels import LogMels
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective

from . import corpus
from .corpus import load_step


def make_batches(backbone, manifest, audio_states=None):
    plan = corpus.make_plan(np.arange(24), num_steps=3, batch_size=8)
    prepared = prepare_rows(backbone.dialogue, manifest, plan.rows)
    log_mels = LogMels(backbone, manifest, prepared.rows)
    return PlanBatches(backbone, plan, prepared, Objective(), audio_states, log_mels)


def test_the_micro_batches_of_a_step_hold_its_rows_and_no_others(backbone, manifest):
    batches = make_batches(backbone, manifest)
    assert len(batches) == 3
    for step in range(3):
        dealt = [one.rows for one in load_step(batches, step, num_micro_batches=2).micro_batches]
        assert len(dealt) == 2
        assert sorted(np.concatenate(dealt)) == sorted(batches.plan.rows[step])


def test_micro_batches_group_rows_of_like_length(backbone, manifest):
    batches = make_batches(backbone, manifest)
    lengths = [one.batch.lengths for one in load_step(batches, num_micro_batches=2).micro_batches]
    shorter, longer = sorted(lengths, key=lambda one: one.max().item())
    assert shorter.max() <= longer.min()


def test_the_supervised_tokens_are_the_targets(backbone, manifest):
    micro_batch = load_step(make_batches(backbone, manifest)).micro_batches[0]
    for index, row in enumerate(manifest.rows(micro_batch.rows)):
        found = micro_batch.targets[micro_batch.owners == index].tolist()
        assert found == backbone.dialogue.target_ids(row["target"])


def test_stored_aligner_outputs_are_taken_as_they_are(backbone, manifest):
    class Stored:
        def __call__(self, rows):
            tasks = manifest.column("task")[rows]
            return [
                np.full((0 if task == "tsum" else 9, 256), row, dtype=np.float16)
                for row, task in zip(rows, tasks, strict=True)
            ]

    micro_batch = load_step(make_batches(backbone, manifest, Stored())).micro_batches[0]
    assert micro_batch.log_mels is None
    for row, states in zip(micro_batch.rows, micro_batch.batch.audio_states, strict=True):
        assert torch.all(states == row)
    is_audio = micro_batch.batch.input_ids == backbone.dialogue.audio_id
    widths = [len(states) for states in micro_batch.batch.audio_states]
    assert is_audio.sum(dim=1).tolist() == widths


def test_a_step_is_cut_by_the_tokens_that_a_micro_batch_may_hold(backbone, manifest):
    batches = make_batches(backbone, manifest)
    for max_tokens in (150, 60):
        parts = load_step(batches, 0, max_tokens, num_micro_batches=2).micro_batches
        for one in parts:
            assert one.batch.input_ids.numel() <= max_tokens or len(one.rows) == 1
        assert sorted(np.concatenate([one.rows for one in parts])) == sorted(batches.plan.rows[0])
    assert len(parts) > 2


def test_a_step_of_fewer_rows_than_micro_batches_takes_one_pass_a_row(backbone, manifest):
    batches = make_batches(backbone, manifest)
    assert len(load_step(batches, num_micro_batches=100).micro_batches) == 8


def test_batches_without_audio_are_refused(backbone, manifest):
    batches = make_batches(backbone, manifest)
    batches.log_mels = None
    with pytest.raises(ValueError, match="need audio states or log-mels"):
        load_step(batches)
