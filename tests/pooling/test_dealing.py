import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from maqam.pooling.dealing import deal_groups

SHARES = (0.8, 0.1, 0.1)
PENALTIES = (400.0, 100.0, 200.0)


def dealt(cells, num_strata):
    shares = np.repeat(np.array(SHARES)[:, None], num_strata, axis=1)
    return deal_groups(cells, shares, np.ones((len(cells), 3), dtype=bool), PENALTIES)


def off(cells, splits, num_strata):
    """Return how far the rows of each stratum and split are from their shares, on average."""
    filled = np.zeros((3, num_strata))
    for group, split in zip(cells, splits, strict=True):
        for stratum, rows in group:
            filled[split, stratum] += rows
    return np.abs(filled / filled.sum(axis=0) - np.array(SHARES)[:, None]).mean()


def made(seed, num_groups, num_strata):
    rng = np.random.default_rng(seed)
    return [
        [
            (int(one), int(rng.integers(1, 20)))
            for one in np.flatnonzero(rng.random(num_strata) < 0.6)
        ]
        or [(0, 1)]
        for _ in range(num_groups)
    ]


def test_shares_come_closer_than_those_of_scikit_learn():
    ours, theirs = [], []
    for seed in range(10):
        cells = made(seed, 40, 4)
        rows = [(g, s) for g, group in enumerate(cells) for s, n in group for _ in range(n)]
        groups, strata = np.array(rows).T
        folds = StratifiedGroupKFold(10, shuffle=True, random_state=seed)
        peer = np.zeros(len(cells), dtype=int)
        for split, (_, held) in zip((1, 2), folds.split(groups, strata, groups), strict=False):
            peer[np.unique(groups[held])] = split
        ours.append(off(cells, dealt(cells, 4), 4))
        theirs.append(off(cells, peer, 4))
    assert np.mean(ours) < np.mean(theirs)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 40), st.integers(1, 5))
def test_a_split_lacks_a_stratum_only_where_groups_are_few(seed, num_groups, num_strata):
    cells = made(seed, num_groups, num_strata)
    splits = dealt(cells, num_strata)
    for stratum in range(num_strata):
        holders = {g for g, group in enumerate(cells) if stratum in dict(group)}
        if len(holders) >= 3 * num_strata:
            assert {splits[one] for one in holders} == {0, 1, 2}


def test_a_hundred_thousand_documents_take_seconds_and_a_rare_label_reaches_all_splits():
    cells = [[(index % 5, 1 + index % 3)] for index in range(100_000)]
    cells[7] = cells[70] = cells[700] = [(5, 1)]
    start = time.perf_counter()
    splits = dealt(cells, 6)
    assert time.perf_counter() - start < 10
    assert {splits[7], splits[70], splits[700]} == {0, 1, 2}
    assert off(cells, splits, 5 + 1) < 0.1
