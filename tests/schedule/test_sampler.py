"""A plan in other people's loops: nothing lost, nothing twice, resumed anywhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from maqam.errors import ScheduleError
from maqam.schedule import DealSettings, Plan, Pool, Uniform, make_plan
from maqam.schedule.sampler import PlanBatchSampler, PlanStepSampler


def plan(steps: int = 6, batch_size: int = 12, seed: int = 0, unit: str = "rows") -> Plan:
    rng = np.random.default_rng(0)
    pool = Pool.from_columns({"task": ["asr"] * 100}, values={"seconds": rng.uniform(1, 3, 100)})
    return make_plan(
        Uniform(), pool, steps=steps, batch_size=batch_size, seed=seed, deal=DealSettings(unit)
    )


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    world_size=st.integers(1, 4),
    num_micro_batches=st.integers(1, 3),
    grouped=st.booleans(),
    unit=st.sampled_from(["rows", "seconds"]),
)
def test_all_processes_together_give_every_batch_of_the_plan(
    world_size: int, num_micro_batches: int, grouped: bool, unit: str
) -> None:
    one = plan(batch_size=12 if unit == "rows" else 40, unit=unit)
    lengths = np.arange(100) % 7 if grouped else None
    given_out = [
        list(
            PlanBatchSampler(
                one,
                rank=rank,
                world_size=world_size,
                num_micro_batches=num_micro_batches,
                lengths=lengths,
            )
        )
        for rank in range(world_size)
    ]
    for step in range(one.num_steps):
        places = range(step * num_micro_batches, (step + 1) * num_micro_batches)
        dealt = [row for mine in given_out for place in places for row in mine[place]]
        assert sorted(dealt) == one.batch(step).tolist()


@pytest.mark.parametrize("taken", range(13))
def test_resumed_anywhere_it_gives_what_is_left(taken: int) -> None:
    whole = list(PlanBatchSampler(plan(), num_micro_batches=2))
    broken = PlanBatchSampler(plan(), num_micro_batches=2)
    walk = iter(broken)
    for _ in range(taken):
        next(walk)
    resumed = PlanBatchSampler(plan(), num_micro_batches=2)
    resumed.load_state_dict(broken.state_dict())
    assert len(resumed) == 12 - taken
    assert list(resumed) == whole[taken:]


def rows_of(steps: PlanStepSampler, one: Plan) -> list[list[int]]:
    return [
        one.batch(part.step)[places].tolist() for part in steps for places in part.micro_batches
    ]


@pytest.mark.parametrize("rank", [0, 1])
def test_steps_at_a_time_are_split_as_micro_batches_at_a_time(rank: int) -> None:
    split = {"rank": rank, "world_size": 2, "num_micro_batches": 3, "lengths": np.arange(100) % 7}
    steps = PlanStepSampler(plan(), **split)
    assert rows_of(steps, plan()) == list(PlanBatchSampler(plan(), **split))
    steps.start_at(4)
    assert [part.step for part in steps] == [4, 5]
    assert len(steps) == 6
    with pytest.raises(ValueError, match="step 7 of a plan of 6"):
        steps.start_at(7)


def test_a_step_is_cut_by_the_tokens_that_are_left_when_it_is_read() -> None:
    lengths = np.random.default_rng(1).integers(1, 50, 100)
    limits = iter([None, 400, 100, 50, 10, 1])
    found = list(PlanStepSampler(plan(), lengths=lengths, max_tokens=lambda: next(limits)))
    assert [part.max_tokens for part in found] == [None, 400, 100, 50, 10, 1]
    counts = [len(part.micro_batches) for part in found]
    assert counts[0] == 1 < counts[2] < counts[-1]
    for part in found[1:]:
        of_step = lengths[plan().batch(part.step)]
        for places in part.micro_batches:
            padded = len(places) * of_step[places].max()
            assert padded <= max(part.max_tokens, of_step.max())  # the longest has a pass anyway
        assert sorted(np.concatenate(part.micro_batches)) == list(range(12))


def test_a_step_of_fewer_utterances_than_parts_takes_one_pass_each() -> None:
    part = next(iter(PlanStepSampler(plan(), world_size=4, num_micro_batches=9)))
    assert [len(places) for places in part.micro_batches] == [1, 1, 1]


def test_a_step_of_fewer_utterances_than_processes_is_refused() -> None:
    with pytest.raises(ScheduleError, match="step 1: 12 utterances for 13 processes"):
        PlanStepSampler(plan(), world_size=13)


def test_another_number_of_processes_goes_on_from_the_same_step() -> None:
    before = PlanBatchSampler(plan(), world_size=4, rank=1)
    walk = iter(before)
    next(walk), next(walk)
    after = [PlanBatchSampler(plan(), world_size=2, rank=rank) for rank in range(2)]
    for one in after:
        one.load_state_dict(before.state_dict())
    dealt = sorted(next(iter(after[0])) + next(iter(after[1])))
    assert dealt == plan().batch(2).tolist()


def test_a_state_of_another_plan_is_refused() -> None:
    with pytest.raises(ScheduleError, match="the state is one of plan"):
        PlanBatchSampler(plan()).load_state_dict(PlanBatchSampler(plan(seed=1)).state_dict())


def test_a_state_in_the_middle_of_a_step_needs_the_same_split() -> None:
    sampler = PlanBatchSampler(plan(), num_micro_batches=3)
    next(iter(sampler))
    with pytest.raises(ScheduleError, match="in the middle of a step of 3 micro-batches"):
        PlanBatchSampler(plan(), num_micro_batches=2).load_state_dict(sampler.state_dict())


def test_start_at_takes_the_trainers_step() -> None:
    sampler = PlanBatchSampler(plan(), num_micro_batches=2)
    sampler.start_at(4)
    assert list(sampler) == list(PlanBatchSampler(plan(), num_micro_batches=2))[8:]
    with pytest.raises(ValueError, match="step 7 of a plan of 6"):
        sampler.start_at(7)


def test_a_second_walk_begins_anew_and_an_epoch_changes_nothing() -> None:
    sampler = PlanBatchSampler(plan())
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) == first


def test_a_job_that_saves_after_its_loop_and_starts_again_trains_nothing_twice() -> None:
    done = PlanBatchSampler(plan(), num_micro_batches=2)
    trained = list(done)
    state = done.state_dict()
    assert (len(trained), state["step"], state["micro_batch"]) == (12, 6, 0)
    again = PlanBatchSampler(plan(), num_micro_batches=2)
    again.load_state_dict(state)
    assert len(again) == 0
    assert list(again) == []


def test_a_loop_after_a_break_goes_on_with_the_next_batch() -> None:
    whole = list(PlanBatchSampler(plan()))
    sampler = PlanBatchSampler(plan())
    for number, batch in enumerate(sampler):
        assert batch == whole[number]
        if number == 3:
            break
    assert len(sampler) == 2
    assert list(sampler) == whole[4:]


def test_a_break_at_the_last_batch_leaves_a_plan_that_is_through() -> None:
    sampler = PlanBatchSampler(plan())
    for number, _ in enumerate(sampler):
        if number == 5:
            break
    assert sampler.state_dict()["step"] == 6
    assert list(sampler) == list(PlanBatchSampler(plan()))


def test_rows_of_like_length_share_a_micro_batch() -> None:
    lengths = np.random.default_rng(1).integers(1, 50, 100)
    parts = list(PlanBatchSampler(plan(), num_micro_batches=3, lengths=lengths))
    for first in range(0, len(parts), 3):
        ranges = [(lengths[part].min(), lengths[part].max()) for part in parts[first : first + 3]]
        assert ranges[0][0] >= ranges[1][1]
        assert ranges[1][0] >= ranges[2][1]


def test_a_step_smaller_than_its_parts_is_refused() -> None:
    with pytest.raises(ScheduleError, match="a step of 12 utterances cannot be split into 4"):
        PlanBatchSampler(plan(), num_micro_batches=4, world_size=4)
    with pytest.raises(ValueError, match="rank 2 of 2 processes"):
        PlanBatchSampler(plan(), rank=2, world_size=2)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_data_loader_reads_the_batches_in_order(num_workers: int) -> None:
    rows = list(range(100))
    sampler = PlanBatchSampler(plan(), num_micro_batches=2)
    loader = DataLoader(rows, batch_sampler=sampler, num_workers=num_workers)
    read = [batch.tolist() for batch in loader]
    assert read == list(PlanBatchSampler(plan(), num_micro_batches=2))
