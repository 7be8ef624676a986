"""Diverse picks: balance kept, nothing lost, and kernels beside brute force."""

from itertools import combinations

import numpy as np
import pytest

from maqam.errors import ScheduleError
from maqam.schedule import Ads, DealSettings, Pick, Pool, Uniform, make_plan
from maqam.schedule.dealing.diversity import KERNELS, facility_location, farthest_first, k_dpp

AXES = ("task", "label")


def pool(size: int = 240) -> Pool:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(12, 8)) * 3
    found = Pool.from_columns(
        {"task": rng.choice(["asr", "did"], size), "label": rng.choice(["a", "b", "c"], size)}
    )
    points = centres[rng.choice(12, size, p=np.arange(12, 0, -1) / 78)] + rng.normal(size=(size, 8))
    return Pool(found.columns, found.names, found.uids, found.rows, {}, points.astype(np.float32))


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_a_pick_changes_no_share(kernel: str) -> None:
    deal = DealSettings(pick=Pick(kernel))
    picked = make_plan(Ads(AXES), pool(), steps=30, batch_size=24, seed=0, deal=deal)
    plain = make_plan(Ads(AXES), pool(), steps=30, batch_size=24, seed=0)
    for axis in AXES:
        assert np.array_equal(picked.shares[axis].counts, plain.shares[axis].counts)
    assert picked.fingerprint != plain.fingerprint


@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize("batch_size", [7, 24, 100])
def test_every_utterance_comes_once_before_any_twice(kernel: str, batch_size: int) -> None:
    deal = DealSettings(pick=Pick(kernel))
    plan = make_plan(Uniform(), pool(), steps=30, batch_size=batch_size, seed=0, deal=deal)
    for step in range(30):
        assert len(np.unique(plan.batch(step))) == batch_size
    for taken in range(batch_size, len(plan.rows), batch_size):
        times = np.bincount(plan.rows[:taken], minlength=240)
        assert np.ptp(times) <= 1


def test_picked_batches_are_more_diverse() -> None:
    found = pool()

    def spread(plan) -> float:
        """Mean cosine between the utterances of a batch."""
        unit = found.embeddings / np.linalg.norm(found.embeddings, axis=1, keepdims=True)
        sums = [unit[plan.batch(step)].sum(axis=0) for step in range(8)]
        return float(np.mean([one @ one for one in sums]))

    plain = make_plan(Uniform(), found, steps=8, batch_size=12, seed=0)
    for kernel in KERNELS:
        deal = DealSettings(pick=Pick(kernel, candidates=4))
        picked = make_plan(Uniform(), found, steps=8, batch_size=12, seed=0, deal=deal)
        assert spread(picked) < 0.9 * spread(plain), kernel


def test_a_pool_without_embeddings_is_refused() -> None:
    plain = Pool.from_columns({"task": ["asr"] * 9})
    with pytest.raises(ScheduleError, match="a pick needs embeddings, the pool has none"):
        make_plan(Uniform(), plain, steps=1, batch_size=3, seed=0, deal=DealSettings(pick=Pick()))


def test_settings_that_do_not_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="candidates must be at least 2"):
        Pick(candidates=1)
    with pytest.raises(ValueError, match="a pick counts rows, not seconds"):
        DealSettings(unit="seconds", pick=Pick())


def chosen(kernel, points: np.ndarray, groups: list[int], quotas: list[int], seed: int = 0):
    rng = np.random.default_rng(seed)
    return kernel(points, np.array(groups), np.array(quotas), rng)


@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize("seed", range(5))
def test_quotas_are_kept_exactly(kernel: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 4, 40)
    sizes = np.bincount(groups, minlength=4)
    quotas = rng.integers(0, sizes + 1)
    points = rng.normal(size=(40, 3))
    found = chosen(KERNELS[kernel], points, groups.tolist(), quotas.tolist())
    assert np.bincount(groups[found], minlength=4).tolist() == quotas.tolist()
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_equal_and_empty_vectors_are_dealt_with(kernel: str) -> None:
    for points in (np.zeros((6, 4)), np.ones((6, 4))):
        assert len(chosen(KERNELS[kernel], points, [0] * 6, [4])) == 4


@pytest.mark.parametrize("seed", range(5))
def test_the_greedy_cover_is_close_to_the_best(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(9, 3))
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    similarity = (1 + unit @ unit.T) / 2

    def covered(members) -> float:
        return float(similarity[:, list(members)].max(axis=1).sum())

    best = max(covered(members) for members in combinations(range(9), 3))
    assert covered(chosen(facility_location, points, [0] * 9, [3])) >= (1 - 1 / np.e) * best


def test_the_farthest_is_taken_next() -> None:
    angles = np.deg2rad([0, 10, 100, 170])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert chosen(farthest_first, points, [0] * 4, [2]).tolist() == [0, 3]
    assert chosen(farthest_first, points, [0] * 4, [3]).tolist() == [0, 2, 3]


@pytest.mark.parametrize("dim", [2, 6])
def test_sets_are_drawn_as_often_as_they_span_volume(dim: int) -> None:
    points = np.random.default_rng(3).normal(size=(4, dim))
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    kernel = unit @ unit.T
    sets = list(combinations(range(4), 2))
    volumes = np.array([np.linalg.det(kernel[np.ix_(one, one)]) for one in sets])
    draws = 4000
    counts = np.zeros(len(sets))
    for seed in range(draws):
        counts[sets.index(tuple(chosen(k_dpp, points, [0] * 4, [2], seed).tolist()))] += 1
    wanted = draws * volumes / volumes.sum()
    assert ((counts - wanted) ** 2 / wanted).sum() < 20.5  # chi-square, 5 degrees, p = .001
