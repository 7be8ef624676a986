import warnings

import numpy as np
import pytest
from scipy import stats

from maqam.errors import RunError
from maqam.score.comparison.correction import holm
from maqam.score.comparison.methods import (
    NO_DIFFERENCE,
    ONE_SEED,
    compare_methods,
    paired_p_value,
)
from maqam.score.settings import ScoreSettings
from maqam.tasks import default_tasks
from tests.score.tables import joined, make_columns

SETTINGS = ScoreSettings(num_resamples=200)
SEEDS = range(5)
NUM_UTTERANCES = 40


def recognised(share_wrong, seed):
    """One word each, of which about a share is wrong, differently for each seed."""
    generator = np.random.default_rng(seed)
    wrong = set(generator.permutation(NUM_UTTERANCES)[: round(share_wrong * NUM_UTTERANCES)])
    return make_columns(
        "asr",
        [("نعم", "لا" if i in wrong else "نعم") for i in range(NUM_UTTERANCES)],
        speakers=[f"s{i % 10}" for i in range(NUM_UTTERANCES)],
        dialects=["egyptian", "gulf"] * (NUM_UTTERANCES // 2),
    )


def identified(share_wrong, seed):
    generator = np.random.default_rng(seed)
    wrong = set(generator.permutation(NUM_UTTERANCES)[: round(share_wrong * NUM_UTTERANCES)])
    labels = ["msa", "gulf"]
    return make_columns(
        "did",
        [(labels[i % 2], labels[(i + (i in wrong)) % 2]) for i in range(NUM_UTTERANCES)],
    )


def method(make, share_wrong, *, seeds=SEEDS, first=0):
    """Runs of a method on seeds, each a little different from the next."""
    return {seed: make(share_wrong + 0.025 * (seed % 2), first + seed) for seed in seeds}


def compare(hypotheses, *, seed=0):
    return compare_methods(
        hypotheses, baseline="uniform", tasks=default_tasks(), settings=SETTINGS, seed=seed
    )


def find(rows, name, metric="wer", group="all"):
    found = [
        row for row in rows if (row["method"], row["metric"], row["group"]) == (name, metric, group)
    ]
    assert len(found) == 1
    return found[0]


def test_fewer_errors_are_better_and_more_are_worse():
    rows = compare(
        {
            "uniform": method(recognised, 0.4),
            "good": method(recognised, 0.1, first=10),
            "bad": method(recognised, 0.8, first=20),
        }
    )
    good, bad = find(rows, "good"), find(rows, "bad")
    assert (good["verdict"], bad["verdict"]) == ("better", "worse")
    assert good["difference_high"] < 0 < bad["difference_low"]
    assert good["difference"] == pytest.approx(-0.3)
    assert max(good["p_value"], bad["p_value"]) < 0.05


def test_a_higher_f1_is_better_and_a_lower_one_worse():
    rows = compare(
        {
            "uniform": method(identified, 0.3),
            "good": method(identified, 0.05, first=10),
            "bad": method(identified, 0.6, first=20),
        }
    )
    assert find(rows, "good", "macro_f1")["verdict"] == "better"
    assert find(rows, "bad", "macro_f1")["verdict"] == "worse"


def with_sources(by_seed):
    """The first 30 utterances of one source, the other 10 of another."""
    own = {"source": ["large"] * 30 + ["small"] * 10}
    return {seed: {**columns, **own} for seed, columns in by_seed.items()}


def test_every_source_counts_alike_in_their_mean():
    def wrong(numbers):
        return make_columns("asr", [("نعم", "لا" if i in numbers else "نعم") for i in range(40)])

    good, bad = (
        {seed: wrong({seed, 30}) for seed in SEEDS},
        {seed: wrong(range(25, 40)) for seed in SEEDS},
    )
    rows = compare({"uniform": with_sources(bad), "good": with_sources(good)})
    mean, pooled = (find(rows, "good", group=group) for group in ("mean over sources", "all"))
    assert mean["mean"] == pytest.approx((1 / 30 + 1 / 10) / 2)
    assert pooled["mean"] == pytest.approx(2 / 40)
    assert mean["difference"] == pytest.approx((1 / 30 + 1 / 10) / 2 - (5 / 30 + 1) / 2)
    assert mean["verdict"] == "better"
    assert mean["low"] < mean["mean"] < mean["high"]


def test_where_one_source_is_there_no_mean_of_sources_is():
    one = {seed: {**recognised(0.3, seed), "source": ["a"] * 40} for seed in SEEDS}
    rows = compare({"uniform": one, "twin": one})
    assert {row["group"] for row in rows} == {"all", "dialect=egyptian", "dialect=gulf"}


def test_equal_methods_show_no_difference():
    rows = compare({"uniform": method(recognised, 0.4), "twin": method(recognised, 0.4)})
    twin = find(rows, "twin")
    assert twin["verdict"] == NO_DIFFERENCE
    assert (twin["difference"], twin["p_value"]) == (0, 1)


def test_a_difference_smaller_than_the_spread_of_seeds_is_not_shown():
    shares = [0.1, 0.6, 0.2, 0.5, 0.4]
    noisy = {seed: recognised(share, seed) for seed, share in enumerate(shares)}
    rows = compare({"uniform": method(recognised, 0.4), "noisy": noisy})
    assert find(rows, "noisy")["verdict"] == NO_DIFFERENCE


def test_seeds_that_agree_prove_nothing_where_a_few_utterances_decide():
    def right_on(rows):
        pairs = [("نعم", "نعم" if i in rows else "لا") for i in range(40)]
        return {seed: make_columns("asr", pairs) for seed in SEEDS}

    rows = compare({"uniform": right_on(range(10)), "other": right_on(range(9, 20))})
    other = find(rows, "other")
    assert other["p_value"] == 0
    assert other["difference_low"] < 0 < other["difference_high"]
    assert other["verdict"] == NO_DIFFERENCE


def test_an_interval_off_zero_proves_nothing_where_two_seeds_disagree_on_how_much():
    good = {0: recognised(0.5, 0), 1: recognised(0.05, 1)}
    rows = compare({"uniform": {seed: recognised(1.0, seed) for seed in (0, 1)}, "good": good})
    row = find(rows, "good")
    assert row["difference_high"] < 0
    assert row["p_value"] > 0.05
    assert row["verdict"] == NO_DIFFERENCE


def test_the_interval_of_a_score_takes_in_the_spread_of_seeds():
    def width(shares):
        runs = {seed: recognised(share, seed) for seed, share in enumerate(shares)}
        base = find(compare({"uniform": runs}), "uniform")
        assert base["low"] < base["mean"] < base["high"]
        return base["high"] - base["low"]

    assert width([0.1, 0.9, 0.1, 0.9]) > 1.5 * width([0.5] * 4)


def test_one_seed_gives_no_verdict():
    rows = compare(
        {
            "uniform": method(recognised, 0.4, seeds=[0]),
            "good": method(recognised, 0.0, seeds=[0]),
        }
    )
    good = find(rows, "good")
    assert {row["verdict"] for row in rows} == {ONE_SEED}
    assert good["difference"] == pytest.approx(-0.4)
    assert (good["p_value"], good["difference_low"], good["difference_high"]) == (None, None, None)


def test_the_baseline_is_a_row_without_a_difference():
    rows = compare({"uniform": method(recognised, 0.4), "good": method(recognised, 0.1)})
    base = find(rows, "uniform")
    assert (base["difference"], base["p_value"], base["verdict"]) == (None, None, NO_DIFFERENCE)
    assert base["low"] <= base["mean"] <= base["high"]
    assert base["mean"] == pytest.approx(0.41)
    assert base["num_seeds"] == 5


def test_a_score_without_a_direction_gets_no_verdict():
    def longer(seed):
        columns = recognised(0.4, seed)
        columns["hypothesis"] = [text + " نعم" for text in columns["hypothesis"]]
        return columns

    rows = compare(
        {"uniform": method(recognised, 0.4), "long": {seed: longer(seed) for seed in SEEDS}}
    )
    row = find(rows, "long", "length_ratio")
    assert (row["difference"], row["verdict"]) == (pytest.approx(1), NO_DIFFERENCE)


def test_dialects_are_compared_apart():
    rows = compare({"uniform": method(recognised, 0.4), "good": method(recognised, 0.1)})
    assert {row["group"] for row in rows} == {"all", "dialect=egyptian", "dialect=gulf"}


def test_only_the_chosen_profile_is_compared():
    rows = compare({"uniform": method(recognised, 0.4), "good": method(recognised, 0.1)})
    assert len([r for r in rows if (r["metric"], r["group"]) == ("wer", "all")]) == 2


def test_undefined_scores_are_nulls_and_warn_nobody():
    silent = {seed: make_columns("asr", [("", "نعم"), ("", "")]) for seed in SEEDS}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = compare({"uniform": silent, "other": silent})
    row = find(rows, "other")
    assert [row[name] for name in ("mean", "low", "difference", "p_value")] == [None] * 4
    assert row["verdict"] == NO_DIFFERENCE


def test_resamples_without_a_score_are_left_out():
    half = {seed: make_columns("asr", [("", "نعم"), ("نعم", "لا")]) for seed in SEEDS}
    right = {seed: make_columns("asr", [("", "نعم"), ("نعم", "نعم")]) for seed in SEEDS}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = find(compare({"uniform": half, "right": right}), "right")
    assert (row["mean"], row["difference"]) == (1.0, -1.0)
    assert np.isfinite([row["difference_low"], row["difference_high"]]).all()


def test_a_comparison_is_the_same_every_time():
    hypotheses = {"uniform": method(recognised, 0.4), "good": method(recognised, 0.3, first=10)}
    backwards = {name: dict(reversed(hypotheses[name].items())) for name in ("good", "uniform")}
    first, again, other = compare(hypotheses), compare(backwards), compare(hypotheses, seed=1)
    for name in hypotheses:
        assert find(first, name) == find(again, name)
    assert find(first, "good")["difference_low"] != find(other, "good")["difference_low"]


def test_p_values_of_all_main_metrics_are_corrected_together():
    def both(share, first):
        return {
            seed: joined(one, method(identified, share, first=first)[seed])
            for seed, one in method(recognised, share, first=first).items()
        }

    rows = compare({"uniform": both(0.4, 0), "other": both(0.3, 10)})
    found = {
        metric: (find(rows, "uniform", metric), find(rows, "other", metric))
        for metric in ("wer", "macro_f1")
    }
    plain = []
    for make, metric in ((recognised, "wer"), (identified, "macro_f1")):
        alone = compare({"uniform": method(make, 0.4), "other": method(make, 0.3, first=10)})
        plain.append(find(alone, "other", metric)["p_value"])
    assert [found[metric][1]["p_value"] for metric in found] == pytest.approx(holm(plain))


def test_seeds_must_be_paired():
    with pytest.raises(
        RunError, match=r"good has seeds \[0, 1\], uniform has \[0, 1, 2\]"
    ) as caught:
        compare(
            {
                "uniform": method(recognised, 0.4, seeds=[0, 1, 2]),
                "good": method(recognised, 0.1, seeds=[0, 1]),
            }
        )
    assert "run the missing seeds" in caught.value.hint


def test_methods_must_be_scored_on_the_same_utterances():
    other = method(recognised, 0.1)
    other[3]["id"][0] = "elsewhere"
    with pytest.raises(RunError, match="good, seed 3, was scored on other utterances") as caught:
        compare({"uniform": method(recognised, 0.4), "good": other})
    assert "same split" in caught.value.hint


def test_the_p_value_is_that_of_a_paired_t_test():
    generator = np.random.default_rng(0)
    first, second = generator.normal(0, 1, 6), generator.normal(0.5, 1, 6)
    expected = stats.ttest_rel(second, first).pvalue
    assert paired_p_value(second - first) == pytest.approx(expected)


def test_differences_without_any_spread_are_certain_or_none():
    assert paired_p_value(np.zeros(3)) == 1.0
    assert paired_p_value(np.full(3, 0.5)) == 0.0
