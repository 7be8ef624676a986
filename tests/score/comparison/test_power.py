"""How many seeds show which difference, held against studies that are drawn."""

import numpy as np
import pytest
from scipy import stats

from maqam.score.comparison.correction import holm
from maqam.score.comparison.methods import paired_p_value
from maqam.score.comparison.power import detectable, spread_of


@pytest.mark.parametrize("num_seeds", [2, 3, 5, 10])
def test_four_of_five_drawn_studies_show_the_difference(num_seeds):
    rng = np.random.default_rng(num_seeds)
    difference = detectable(2.5, num_seeds)
    drawn = rng.normal(difference, 2.5, size=(4000, num_seeds))
    shown = np.mean(stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05)
    assert shown == pytest.approx(0.8, abs=0.02)
    assert paired_p_value(drawn[0]) == pytest.approx(stats.ttest_1samp(drawn[0], 0).pvalue)


def test_more_comparisons_ask_for_larger_differences_as_holm_does():
    rng = np.random.default_rng(0)
    difference = detectable(1.0, 5, num_comparisons=6)
    drawn = rng.normal(difference, 1.0, size=(2000, 5))
    p_values = stats.ttest_1samp(drawn, 0, axis=1).pvalue
    shown = np.mean([holm([one, 1, 1, 1, 1, 1])[0] < 0.05 for one in p_values])
    assert shown == pytest.approx(0.8, abs=0.03)


def test_the_spread_is_that_of_differences_whatever_a_seed_adds_to_all_methods():
    rng = np.random.default_rng(1)
    luck, own = rng.normal(0, 30, size=4000), rng.normal(0, 2, size=(3, 4000))
    scores = {
        name: dict(enumerate(10 * index + luck + own[index]))
        for index, name in enumerate(("uniform", "ads", "tpc"))
    }
    found = spread_of(scores)
    assert found.is_paired
    assert found.value == pytest.approx(2 * np.sqrt(2), rel=0.05)
    alone = spread_of({"uniform": scores["uniform"]})
    assert not alone.is_paired
    assert alone.value == pytest.approx(np.hypot(30, 2) * np.sqrt(2), rel=0.05)


def test_the_bound_holds_in_four_cases_of_five():
    rng = np.random.default_rng(2)
    pairs = rng.normal(0, 1, size=(3000, 2))
    spreads = [spread_of({"uniform": dict(enumerate(pair))}) for pair in pairs]
    assert np.mean([one.high > np.sqrt(2) for one in spreads]) == pytest.approx(0.8, abs=0.03)


def test_seeds_that_a_method_lacks_are_left_out_and_one_run_has_no_spread():
    scores = {"uniform": {0: 1.0, 1: 2.0, 5: 90.0}, "ads": {0: 3.0, 1: 5.0}}
    assert spread_of(scores) == spread_of({**scores, "uniform": {0: 1.0, 1: 2.0}})
    assert spread_of({"uniform": {0: 1.0}, "ads": {0: 2.0}}) is None
