import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.schedule import micro_batches

SPLITS = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda split: st.tuples(
        st.just(split[0]),
        st.just(split[1]),
        st.lists(st.integers(1, 99), min_size=split[0] * split[1], max_size=80),
    )
)


@settings(max_examples=40, deadline=None)
@given(split=SPLITS)
def test_processes_and_micro_batches_partition_the_batch(split):
    number, world_size, lengths = split
    parts = micro_batches(np.array(lengths), number, world_size)
    assert [len(own) for own in parts] == [number] * world_size
    positions = np.concatenate([part for own in parts for part in own])
    assert sorted(positions.tolist()) == list(range(len(lengths)))


@settings(max_examples=40, deadline=None)
@given(split=SPLITS)
def test_part_sizes_differ_by_at_most_one(split):
    number, world_size, lengths = split
    sizes = [
        len(part) for own in micro_batches(np.array(lengths), number, world_size) for part in own
    ]
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=40, deadline=None)
@given(split=SPLITS)
def test_earlier_micro_batches_of_any_process_hold_the_longer_utterances(split):
    number, world_size, lengths = split
    lengths = np.array(lengths)
    parts = micro_batches(lengths, number, world_size)
    for turn in range(number - 1):
        shortest_now = min(lengths[own[turn]].min() for own in parts)
        longest_next = max(lengths[own[turn + 1]].max() for own in parts)
        assert shortest_now >= longest_next


def test_processes_share_a_micro_batch_of_neighbours_in_length():
    parts = micro_batches(np.array([8, 7, 6, 5, 4, 3, 2, 1]), 2, world_size=2)
    read = [[part.tolist() for part in own] for own in parts]
    assert read == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]


@pytest.mark.parametrize(("number", "world_size"), [(2, 2), (0, 1), (1, 0)])
def test_more_parts_than_utterances_or_none_are_refused(number, world_size):
    words = f"3 utterances cannot be split into {number} micro-batches on {world_size} processes"
    with pytest.raises(ValueError, match=words):
        micro_batches(np.ones(3), number, world_size)
