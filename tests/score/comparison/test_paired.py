import numpy as np
import pytest
from scipy import stats

from maqam.score.comparison.paired import (
    bootstrap_differences,
    bootstrap_p_value,
    max_t,
    swap_p_value,
    swapped_differences,
)
from maqam.score.scoring import ratio


def rng(seed=0):
    return np.random.default_rng(seed)


def blocks(seed=0, num_blocks=12, shift=0.0):
    """Errors and words of two checkpoints by speaker."""
    words = rng(seed).integers(20, 60, num_blocks).astype(float)
    errors = rng(seed + 1).uniform(0.1, 0.4, (2, num_blocks)) * words
    errors[1] += shift * words
    return np.stack([errors[0], words], axis=1), np.stack([errors[1], words], axis=1)


def means(sums):
    return sums[..., 0] / 12


def test_the_paired_bootstrap_agrees_with_scipy():
    first, second = blocks(shift=0.05)

    def gap(errors, others, words, axis=-1):
        return (others.sum(axis) - errors.sum(axis)) / words.sum(axis)

    theirs = stats.bootstrap(
        (first[:, 0], second[:, 0], first[:, 1]),
        gap,
        paired=True,
        method="percentile",
        n_resamples=20_000,
        rng=rng(3),
    )
    ours = bootstrap_differences(first, second, ratio, num_resamples=20_000, rng=rng(4))
    expected = (theirs.confidence_interval.low, theirs.confidence_interval.high)
    assert np.quantile(ours, [0.025, 0.975]) == pytest.approx(expected, abs=2e-3)
    assert ours.std() == pytest.approx(theirs.standard_error, rel=0.03)


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.1])
def test_swapping_agrees_with_the_exact_permutation_test_of_scipy(shift):
    first, second = blocks(num_blocks=12, shift=shift)
    exact = stats.permutation_test(
        (second[:, 0], first[:, 0]),
        lambda one, other, axis=-1: one.mean(axis) - other.mean(axis),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    nulls = swapped_differences(first, second, means, num_resamples=40_000, rng=rng(5))
    gap = float(means(second.sum(0)) - means(first.sum(0)))
    assert gap == pytest.approx(float(exact.statistic))
    assert swap_p_value(gap, nulls) == pytest.approx(float(exact.pvalue), abs=0.01)


def test_both_tests_reject_equal_checkpoints_about_as_often_as_they_say():
    rejected = np.zeros(2)
    for seed in range(200):
        first, second = blocks(seed=7 * seed, num_blocks=30)
        gap = float(ratio(second.sum(0)) - ratio(first.sum(0)))
        given = {"num_resamples": 400, "rng": rng(seed)}
        drawn = bootstrap_differences(first, second, ratio, **given)
        nulls = swapped_differences(first, second, ratio, **given)
        rejected += [bootstrap_p_value(gap, drawn) < 0.05, swap_p_value(gap, nulls) < 0.05]
    assert (rejected / 200 < 0.1).all()


def test_a_checkpoint_against_itself_has_a_p_value_of_one():
    first, _ = blocks()
    given = {"num_resamples": 50, "rng": rng()}
    assert bootstrap_p_value(0.0, bootstrap_differences(first, first, ratio, **given)) == 1
    assert swap_p_value(0.0, swapped_differences(first, first, ratio, **given)) == 1


def test_memory_stays_flat_and_values_equal_where_resamples_are_cut(monkeypatch):
    first, second = blocks()

    def draw():
        given = {"num_resamples": 101}
        return [
            bootstrap_differences(first, second, ratio, rng=rng(2), **given),
            swapped_differences(first, second, ratio, rng=rng(2), **given),
        ]

    whole = draw()
    monkeypatch.setattr("maqam.score.bootstrap._MOST_COUNTS", 48)
    cut = draw()
    assert np.allclose(whole[0], cut[0], rtol=0, atol=1e-12)
    assert cut[1].std() == pytest.approx(whole[1].std(), rel=0.3)


def test_max_t_of_equal_scores_costs_nothing_and_of_unrelated_ones_what_their_number_does():
    toss = rng().normal(size=(20_000, 1))
    alone = max_t([2.5], toss)[0]
    assert max_t([2.5] * 10, np.repeat(toss, 10, axis=1)) == pytest.approx([alone] * 10)
    unrelated = max_t([2.5] + [0.0] * 9, rng(1).normal(size=(20_000, 10)))[0]
    expected = 1 - (1 - 2 * stats.norm.sf(2.5)) ** 10
    assert unrelated == pytest.approx(expected, rel=0.1)


def test_max_t_keeps_the_order_and_gives_no_evidence_to_a_score_that_never_moves():
    nulls = np.column_stack([rng().normal(size=500), np.zeros(500), rng(1).normal(size=500)])
    corrected = max_t([3.0, 0.0, 2.0], nulls)
    assert corrected[1] == 1
    assert corrected[0] <= corrected[2]
