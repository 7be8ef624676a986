import numpy as np
import pytest

from maqam.score.bootstrap import Interval, block_sums, interval, resampled, two_level
from maqam.score.classification import macro_f1
from maqam.score.scoring import ratio


def mean_sums(values):
    return np.stack([values, np.ones_like(values)], axis=-1)


def rng(seed=0):
    return np.random.default_rng(seed)


def width(around):
    return around.high - around.low


def test_statistics_are_added_up_by_block():
    values = np.arange(12).reshape(3, 2, 2)
    sums = block_sums(values, ["b", "a", "b"])
    assert np.array_equal(sums, [values[1], values[0] + values[2]])


def test_block_sums_do_not_depend_on_the_order_of_utterances():
    values, blocks = rng().integers(0, 9, (20, 3)), [f"speaker {i % 4}" for i in range(20)]
    order = rng(1).permutation(20)
    shuffled = block_sums(values[order], [blocks[i] for i in order])
    assert np.array_equal(shuffled, block_sums(values, blocks))


def test_a_resample_holds_as_many_blocks_as_there_are():
    totals = resampled(np.ones((7, 2, 3)), 50, rng())
    assert totals.shape == (50, 2, 3)
    assert np.array_equal(totals, np.full((50, 2, 3), 7.0))


def test_the_interval_holds_the_score_itself():
    for seed in range(20):
        sums = mean_sums(rng(seed).normal(5, 1, 25))
        around = interval(sums, ratio, num_resamples=300, rng=rng(seed))
        assert around.low < sums[:, 0].mean() < around.high


def test_about_95_of_100_intervals_hold_the_true_mean():
    held = 0
    for seed in range(300):
        sums = mean_sums(rng(seed).normal(0, 1, 30))
        around = interval(sums, ratio, num_resamples=200, rng=rng(seed + 1000))
        held += around.low <= 0 <= around.high
    assert 0.88 < held / 300 < 0.98


def test_the_interval_is_as_wide_as_theory_says():
    values = rng().normal(0, 1, 400)
    around = interval(mean_sums(values), ratio, num_resamples=2000, rng=rng(1))
    expected = 2 * 1.96 * values.std() / np.sqrt(400)
    assert width(around) == pytest.approx(expected, rel=0.1)


def test_the_same_seed_gives_the_same_interval():
    sums = mean_sums(rng().normal(0, 1, 10))
    first, again, other = (
        interval(sums, ratio, num_resamples=100, rng=rng(seed)) for seed in (3, 3, 4)
    )
    assert first == again != other


def test_utterances_of_one_speaker_are_not_counted_as_independent():
    by_speaker = np.repeat(rng().normal(0, 1, 12), 20)
    values = mean_sums(by_speaker)
    speakers = [str(i // 20) for i in range(240)]
    apart = [str(i) for i in range(240)]
    honest, blind = (
        interval(block_sums(values, blocks), ratio, num_resamples=500, rng=rng())
        for blocks in (speakers, apart)
    )
    assert width(honest) > 3 * width(blind)


@pytest.mark.parametrize("num_blocks", [0, 1])
def test_fewer_than_two_blocks_have_no_interval(num_blocks):
    sums = np.ones((num_blocks, 2))
    assert interval(sums, ratio, num_resamples=10, rng=rng()) == Interval(None, None)


def test_a_score_undefined_in_every_resample_has_no_interval():
    sums = np.zeros((5, 2))
    assert interval(sums, ratio, num_resamples=10, rng=rng()) == Interval(None, None)


def test_resamples_without_a_score_are_left_out():
    sums = np.array([[1.0, 2.0], [0.0, 0.0]])
    assert interval(sums, ratio, num_resamples=100, rng=rng()) == Interval(0.5, 0.5)


def seeds_of(values):
    """(num_seeds, num_blocks) values to the sums of a mean."""
    return mean_sums(np.asarray(values, dtype=np.float64))


def test_the_difference_of_two_methods_is_the_second_less_the_first():
    first = rng().normal(0, 0.1, (4, 30))
    around = two_level(seeds_of(first), seeds_of(first + 2), ratio, num_resamples=100, rng=rng())
    assert (around.low, around.high) == pytest.approx((2, 2))


def test_blocks_are_paired_so_that_what_both_find_hard_cancels():
    hard = rng().normal(0, 10, (1, 40)) + np.zeros((3, 1))
    small = rng(1).normal(0.5, 0.1, (3, 40))
    around = two_level(seeds_of(hard), seeds_of(hard + small), ratio, num_resamples=300, rng=rng())
    assert 0.4 < around.low < around.high < 0.6


def test_the_spread_of_seeds_widens_the_interval():
    base = np.zeros((5, 50))
    noise = rng().normal(0, 0.1, (5, 50))
    quiet, loud = (
        two_level(
            seeds_of(base),
            seeds_of(noise + spread * np.linspace(-1, 1, 5)[:, None]),
            ratio,
            num_resamples=300,
            rng=rng(),
        )
        for spread in (0, 1)
    )
    assert width(loud) > 5 * width(quiet)


def test_the_interval_of_a_difference_agrees_with_resampling_one_draw_after_another():
    first, second = rng(0).normal(0, 1, (3, 6)), rng(1).normal(0.5, 1, (3, 6))
    around = two_level(seeds_of(first), seeds_of(second), ratio, num_resamples=4000, rng=rng())
    draw, differences = rng(9), []
    for _ in range(4000):
        seeds = draw.integers(3, size=3)
        gaps = []
        for seed in seeds:
            blocks = draw.integers(6, size=6)
            gaps.append(second[seed, blocks].mean() - first[seed, blocks].mean())
        differences.append(np.mean(gaps))
    expected = np.quantile(differences, [0.025, 0.975])
    assert [around.low, around.high] == pytest.approx(expected.tolist(), abs=0.08)


@pytest.mark.parametrize("shape", [(1, 9), (3, 1)])
def test_one_seed_or_one_block_has_no_interval_of_a_difference(shape):
    sums = seeds_of(np.ones(shape))
    assert two_level(sums, sums, ratio, num_resamples=10, rng=rng()) == Interval(None, None)


def test_the_same_seed_gives_the_same_interval_of_a_difference():
    first, second = seeds_of(rng(0).normal(0, 1, (3, 6))), seeds_of(rng(1).normal(0, 1, (3, 6)))
    found = [two_level(first, second, ratio, num_resamples=50, rng=rng(s)) for s in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


def test_the_interval_of_a_mean_over_seeds_holds_a_mean_that_pooled_counts_miss():
    # two seeds that always answer another label: pooled, they look better than each is
    one = np.zeros((2, 10, 2, 3))
    one[0, :, :, 0] = one[1, :, :, 1] = 1
    mean = np.mean([macro_f1(seed.sum(axis=0)) for seed in one])
    found = two_level(None, one, macro_f1, num_resamples=200, rng=np.random.default_rng(0))
    assert found.low <= mean <= found.high
    assert macro_f1(one.sum(axis=(0, 1))) > found.high


def test_the_interval_of_a_mean_over_seeds_holds_it_and_grows_with_their_spread():
    noise = rng().normal(5, 0.1, (4, 50))
    spread = noise + np.linspace(-1, 1, 4)[:, None]
    quiet, loud = (
        two_level(None, seeds_of(values), ratio, num_resamples=300, rng=rng())
        for values in (noise, spread)
    )
    assert quiet.low < noise.mean() < quiet.high
    assert loud.low < spread.mean() < loud.high
    assert width(loud) > 5 * width(quiet)


def test_the_interval_of_a_mean_over_seeds_is_that_of_a_difference_from_nothing():
    values = seeds_of(rng().normal(5, 1, (3, 8)))
    nothing = values * [0, 1]
    alone, against = (
        two_level(first, values, ratio, num_resamples=100, rng=rng()) for first in (None, nothing)
    )
    assert alone == against
