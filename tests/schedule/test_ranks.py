from itertools import combinations

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
@given(split=SPLITS, max_tokens=st.none() | st.integers(1, 600))
def test_processes_take_as_many_forward_passes_of_as_many_utterances(split, max_tokens):
    number, world_size, lengths = split
    parts = micro_batches(np.array(lengths), number, world_size, max_tokens)
    assert len({len(own) for own in parts}) == 1
    for turn in zip(*parts, strict=True):
        sizes = [len(part) for part in turn]
        assert min(sizes) >= 1
        assert max(sizes) - min(sizes) <= 1


@settings(max_examples=80, deadline=None)
@given(split=SPLITS, max_tokens=st.integers(1, 600))
def test_no_micro_batch_exceeds_the_tokens_it_may_hold_but_one_of_a_single_utterance(
    split, max_tokens
):
    number, world_size, lengths = split
    lengths = np.array(lengths)
    parts = micro_batches(lengths, number, world_size, max_tokens)
    dealt = np.concatenate([part for own in parts for part in own])
    assert sorted(dealt.tolist()) == list(range(len(lengths)))
    alone = 1 if len(lengths) % world_size == 0 else 2  # the last turn takes up what is left
    for part in (part for own in parts for part in own):
        assert len(part) * lengths[part].max() <= max(max_tokens, alone * lengths.max())


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
    assert read == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]


@pytest.mark.parametrize(("number", "world_size"), [(2, 2), (0, 1), (1, 0)])
def test_more_parts_than_utterances_or_none_are_refused(number, world_size):
    words = f"3 utterances cannot be split into {number} micro-batches on {world_size} processes"
    with pytest.raises(ValueError, match=words):
        micro_batches(np.ones(3), number, world_size)


def padded(lengths, parts):
    return [len(part) * lengths[part].max() for part in parts]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("num_parts", [1, 2, 3])
@pytest.mark.parametrize("max_tokens", [None, 120])
def test_no_split_into_neighbours_pads_less(seed, num_parts, max_tokens):
    lengths = np.random.default_rng(seed).integers(1, 50, size=8)
    parts = micro_batches(lengths, num_parts, max_tokens=max_tokens)[0]
    assert sorted(np.concatenate(parts)) == list(range(8))
    assert len(parts) == num_parts if max_tokens is None else len(parts) >= num_parts
    longest_first = np.sort(lengths)[::-1]
    equal = np.array_split(longest_first, len(parts))
    limit = max(len(part) * part[0] for part in equal)
    if max_tokens is not None:
        limit = min(limit, max(max_tokens, longest_first[0]))
    totals = []
    for cuts in combinations(range(1, 8), len(parts) - 1):
        tokens = [len(part) * part[0] for part in np.split(longest_first, cuts)]
        if max(tokens) <= limit:
            totals.append(sum(tokens))
    assert sum(padded(lengths, parts)) == min(totals)


def test_memory_stays_within_that_of_an_equal_split():
    lengths = np.array([400, *[100] * 31])
    parts = micro_batches(lengths, 4)[0]
    assert max(padded(lengths, parts)) <= 8 * 400
    assert len(parts[0]) == 1


def test_a_step_of_summaries_takes_more_passes_than_one_of_labels():
    summaries, labels = np.full(32, 400), np.full(32, 60)
    passes = [len(micro_batches(one, 2, max_tokens=2000)[0]) for one in (summaries, labels)]
    assert passes == [7, 2]


def test_as_many_groups_as_utterances_hold_one_each():
    parts = micro_batches(np.array([3, 1, 2]), 3)[0]
    assert [part.tolist() for part in parts] == [[0], [2], [1]]


def test_equal_lengths_are_split_somehow():
    parts = micro_batches(np.full(6, 5), 3)[0]
    assert sorted(np.concatenate(parts)) == list(range(6))
    assert all(len(part) for part in parts)
