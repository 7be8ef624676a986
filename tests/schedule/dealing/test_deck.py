import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.schedule import Pool
from maqam.schedule.dealing.deck import draw, keys
from tests.schedule.pools import make_pool, make_tasks


def deal(pool, axes, deals, seed=0):
    """Return the utterances of each deal, from (cell, count) pairs."""
    cells, counts = (np.array(column) for column in zip(*deals, strict=True))
    drawn = draw(pool, pool.cells(axes), seed, cells, counts)
    return np.split(drawn, np.cumsum(counts)[:-1])


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 300), seed=st.integers(0, 2**31))
def test_a_deck_is_a_permutation_of_its_cell(size, seed):
    (drawn,) = deal(make_tasks(asr=size), (), [(0, size)], seed)
    assert sorted(drawn.tolist()) == list(range(size))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), counts=st.lists(st.integers(1, 12), min_size=1, max_size=30))
def test_every_epoch_of_a_cell_holds_each_utterance_once(seed, counts):
    drawn = np.concatenate(deal(make_tasks(asr=12), (), [(0, count) for count in counts], seed))
    for first in range(0, len(drawn) - 11, 12):
        assert sorted(drawn[first : first + 12].tolist()) == list(range(12))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), counts=st.lists(st.integers(1, 7), min_size=1, max_size=40))
def test_no_deal_holds_an_utterance_twice_even_across_epochs(seed, counts):
    for drawn in deal(make_tasks(asr=7), (), [(0, count) for count in counts], seed):
        assert len(set(drawn.tolist())) == len(drawn)


def test_deals_take_only_utterances_of_their_cell():
    pool = make_tasks(asr=30, did=20)
    first, second, third = deal(pool, ("task",), [(1, 5), (0, 8), (1, 6)])
    assert set(first) | set(third) <= set(range(30, 50))
    assert set(second) <= set(range(30))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), shuffle=st.permutations(range(60)))
def test_the_order_of_the_pool_changes_no_utterance(seed, shuffle):
    deals = [(0, 4), (1, 3), (2, 2), (0, 20), (1, 18), (2, 12)]
    ids = []
    for order in (range(60), shuffle):
        pool = make_pool(60, order=order)
        ids.append([pool.rows[drawn].tolist() for drawn in deal(pool, ("task",), deals, seed)])
    assert ids[0] == ids[1]


def test_what_was_dealt_is_a_prefix_however_it_was_cut():
    pool = make_tasks(asr=50)
    whole = np.concatenate(deal(pool, (), [(0, 50)]))
    cut = np.concatenate(deal(pool, (), [(0, 3), (0, 1), (0, 9)]))
    assert cut.tolist() == whole[:13].tolist()


def test_removed_utterances_do_not_reshuffle_the_rest():
    names = [f"utterance-{number}" for number in range(40)]
    kept = names[::2]
    (whole,) = deal(Pool.from_columns({}, ids=names), (), [(0, 40)])
    (part,) = deal(Pool.from_columns({}, ids=kept), (), [(0, 20)])
    in_whole = [names[position] for position in whole if names[position] in kept]
    assert in_whole == [kept[position] for position in part]


def test_another_seed_gives_another_order():
    orders = [deal(make_tasks(asr=50), (), [(0, 50)], seed)[0].tolist() for seed in (0, 1)]
    assert orders[0] != orders[1]


def test_a_second_epoch_has_another_order():
    drawn = deal(make_tasks(asr=50), (), [(0, 50), (0, 50)])
    assert drawn[0].tolist() != drawn[1].tolist()


def test_a_long_deck_read_in_part_is_that_read_whole(monkeypatch):
    pool = make_tasks(asr=4000)
    (whole,) = deal(pool, (), [(0, 4000)])
    (part,) = deal(pool, (), [(0, 40)])
    assert part.tolist() == whole[:40].tolist()
    monkeypatch.setattr("maqam.schedule.dealing.deck._CHUNK", 64)
    (chunked,) = deal(pool, (), [(0, 40)])
    assert chunked.tolist() == part.tolist()


def test_a_cell_that_comes_short_of_small_keys_is_read_whole(monkeypatch):
    pool = make_tasks(asr=2000)
    (wanted,) = deal(pool, (), [(0, 500)])
    high = np.uint64(2**63)
    real = keys

    def all_high(seed, epochs, uids):
        return (real(seed, epochs, uids) >> np.uint64(1)) | high

    monkeypatch.setattr("maqam.schedule.dealing.deck.keys", all_high)
    (drawn,) = deal(pool, (), [(0, 500)])
    assert drawn.tolist() == wanted.tolist()


def test_keys_are_spread_evenly_over_their_range():
    values = keys(3, 0, np.arange(4096, dtype=np.uint64)) / 2.0**64
    counts = np.histogram(values, bins=16, range=(0, 1))[0]
    assert ((counts - 256) ** 2 / 256).sum() < 45


def test_keys_differ_by_epoch():
    uids = np.arange(100, dtype=np.uint64)
    assert not np.intersect1d(keys(0, 0, uids), keys(0, 1, uids)).size


@pytest.mark.parametrize("seed", range(3))
def test_every_utterance_is_first_about_equally_often(seed):
    firsts = [
        int(deal(make_tasks(asr=5), (), [(0, 1)], 1000 * seed + run)[0][0]) for run in range(500)
    ]
    counts = np.bincount(firsts, minlength=5)
    assert ((counts - 100) ** 2 / 100).sum() < 23
