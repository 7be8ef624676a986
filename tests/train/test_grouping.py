from itertools import combinations

import numpy as np
import pytest

from maqam.train.grouping import least_padding


def padded(lengths, parts):
    return [len(part) * lengths[part].max() for part in parts]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("num_parts", [1, 2, 3])
def test_no_split_into_neighbours_pads_less(seed, num_parts):
    lengths = np.random.default_rng(seed).integers(1, 50, size=8)
    parts = least_padding(lengths, num_parts)
    assert sorted(np.concatenate(parts)) == list(range(8))
    assert len(parts) == num_parts
    longest_first = np.sort(lengths)[::-1]
    equal = np.array_split(longest_first, num_parts)
    limit = max(len(part) * part[0] for part in equal)
    totals = []
    for cuts in combinations(range(1, 8), num_parts - 1):
        tokens = [len(part) * part[0] for part in np.split(longest_first, cuts)]
        if max(tokens) <= limit:
            totals.append(sum(tokens))
    assert sum(padded(lengths, parts)) == min(totals)


def test_memory_stays_within_that_of_an_equal_split():
    lengths = np.array([400, *[100] * 31])
    parts = least_padding(lengths, 4)
    assert max(padded(lengths, parts)) <= 8 * 400
    assert len(parts[0]) == 1


def test_as_many_groups_as_utterances_hold_one_each():
    parts = least_padding(np.array([3, 1, 2]), 3)
    assert [part.tolist() for part in parts] == [[0], [2], [1]]


def test_equal_lengths_are_split_somehow():
    parts = least_padding(np.full(6, 5), 3)
    assert sorted(np.concatenate(parts)) == list(range(6))
    assert all(len(part) for part in parts)
