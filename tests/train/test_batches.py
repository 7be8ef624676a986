import numpy as np
import pytest
import torch

from maqam.errors import ScheduleError
from maqam.schedule import PlanBatchSampler, Pool, Uniform, make_plan
from maqam.train.batches import PlanBatches, StepsLeft
from maqam.train.log_mels import LogMels
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective
from maqam.train.token_budget import TokenBudget

from . import corpus


def make_batches(backbone, manifest, audio_states=None):
    plan = corpus.make_plan(np.arange(24), num_steps=3, batch_size=8)
    prepared = prepare_rows(backbone.dialogue, manifest, plan.rows)
    log_mels = LogMels(backbone, manifest, prepared.rows)
    return PlanBatches(
        backbone, plan, prepared, Objective(), audio_states, log_mels, num_micro_batches=2
    )


def test_the_micro_batches_of_a_step_hold_its_rows_and_no_others(backbone, manifest):
    batches = make_batches(backbone, manifest)
    assert len(batches) == 3
    for step in range(3):
        dealt = [one.rows for one in batches[step, None].micro_batches]
        assert len(dealt) == 2
        assert sorted(np.concatenate(dealt)) == sorted(batches.plan.rows[step])


def test_micro_batches_group_rows_of_like_length(backbone, manifest):
    batches = make_batches(backbone, manifest)
    lengths = [one.batch.lengths for one in batches[0, None].micro_batches]
    shorter, longer = sorted(lengths, key=lambda one: one.max().item())
    assert shorter.max() <= longer.min()


def test_the_supervised_tokens_are_the_targets(backbone, manifest):
    micro_batch = make_batches(backbone, manifest)[0, None].micro_batches[0]
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

    micro_batch = make_batches(backbone, manifest, Stored())[0, None].micro_batches[0]
    assert micro_batch.log_mels is None
    for row, states in zip(micro_batch.rows, micro_batch.batch.audio_states, strict=True):
        assert torch.all(states == row)
    is_audio = micro_batch.batch.input_ids == backbone.dialogue.audio_id
    widths = [len(states) for states in micro_batch.batch.audio_states]
    assert is_audio.sum(dim=1).tolist() == widths


def test_the_cursor_skips_what_was_done_without_reading_it():
    left = StepsLeft(2, 4, TokenBudget(90, None))
    assert list(left) == [(2, 90), (3, 90)]
    assert len(left) == 4


def test_a_step_is_cut_by_the_tokens_that_a_micro_batch_may_hold(backbone, manifest):
    batches = make_batches(backbone, manifest)
    for max_tokens in (150, 60):
        parts = batches[0, max_tokens].micro_batches
        for one in parts:
            assert one.batch.input_ids.numel() <= max_tokens or len(one.rows) == 1
        assert sorted(np.concatenate([one.rows for one in parts])) == sorted(batches.plan.rows[0])
    assert len(parts) > 2


def test_a_step_of_fewer_rows_than_micro_batches_takes_one_pass_a_row(backbone, manifest):
    batches = make_batches(backbone, manifest)
    batches.num_micro_batches = 100
    assert len(batches[0, None].micro_batches) == 8


def test_batches_without_audio_are_refused(backbone, manifest):
    batches = make_batches(backbone, manifest)
    batches.log_mels = None
    with pytest.raises(ValueError, match="need audio states or log-mels"):
        batches[0, None]


def test_micro_batches_are_those_of_the_sampler_for_other_trainers(backbone, manifest):
    pool = Pool.from_columns({"task": list(manifest.column("task"))})
    plan = make_plan(Uniform(), pool, steps=3, batch_size=8, seed=0)
    prepared = prepare_rows(backbone.dialogue, manifest, np.arange(24))
    log_mels = LogMels(backbone, manifest, prepared.rows)
    for rank in range(2):
        split = {"rank": rank, "world_size": 2, "num_micro_batches": 2}
        batches = PlanBatches(backbone, plan, prepared, Objective(), log_mels, **split)
        ours = [one.rows.tolist() for step in range(3) for one in batches[step, None].micro_batches]
        assert ours == list(PlanBatchSampler(plan, lengths=prepared.num_tokens, **split))


def test_a_step_of_fewer_utterances_than_processes_is_refused_before_it_trains(backbone, manifest):
    batches = make_batches(backbone, manifest)
    pool = Pool.from_columns({"task": list(manifest.column("task"))})
    batches.plan = make_plan(Uniform(), pool, steps=3, batch_size=3, seed=0)
    with pytest.raises(ScheduleError, match="step 1: 3 utterances for 4 processes"):
        batches.share_with(0, 4)
