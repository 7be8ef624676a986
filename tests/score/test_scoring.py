import json

import numpy as np
import pytest

from maqam.score.scoring import measures, score_hypotheses
from maqam.score.settings import ScoreSettings
from maqam.tasks import default_tasks

from .tables import joined, make_columns

TASKS = default_tasks()
DIALECTS = TASKS["did"].labels

SETTINGS = ScoreSettings(num_resamples=100)
ASR = make_columns(
    "asr",
    [
        ("ذهب الولد!", "ذهب الولد"),
        ("ذهب الولد، اليوم", "ذهب البيت اليوم"),
        ("نعم", ""),
        ("لا و نعم", "لا ونعم"),
    ],
    speakers=["s1", "s1", "s2", None],
    dialects=["egyptian", "egyptian", "gulf", None],
)
DID = make_columns(
    "did",
    [("msa", "msa"), ("gulf", "msa"), ("gulf", "gulf"), ("egyptian", "egyptian")],
    speakers=["s1", "s1", "s2", "s3"],
    dialects=["msa", "gulf", "gulf", "egyptian"],
    answered=["msa", None, "gulf", "msa"],
)
TSUM = make_columns("tsum", [("زار مصر", "زار مصر"), ("زار مصر", "كلب كلب كلب كلب")])


def score(columns, *, settings=SETTINGS, seed=0):
    return score_hypotheses(
        columns, tasks=TASKS, settings=settings, seed=seed, split="test", synthetic=True
    )


def find(scores, metric, *, group="all", profile=None, task=None):
    found = [
        row
        for row in scores["scores"]
        if (row["metric"], row["group"], row["profile"]) == (metric, group, profile)
        and task in (None, row["task"])
    ]
    assert len(found) == 1
    return found[0]


def test_a_small_table_of_recognition_is_scored_as_by_hand():
    scores = score(ASR)
    wer = find(scores, "wer", profile="leaderboard-v3")
    assert wer["value"] == pytest.approx(2 / 8)
    assert (wer["num_utterances"], wer["num_units"]) == (4, 8)
    assert wer["higher_is_better"] is False
    assert wer["low"] <= wer["value"] <= wer["high"]
    assert find(scores, "blank_rate")["value"] == 1 / 4
    assert find(scores, "loop_rate")["value"] == 0
    ratio = find(scores, "length_ratio")
    assert ratio["value"] == pytest.approx(7 / 9)
    assert (ratio["num_units"], ratio["higher_is_better"]) == (9, None)


def test_recognition_is_scored_by_other_profiles_side_by_side():
    scores = score(ASR)
    assert find(scores, "wer", profile="leaderboard-v2")["value"] == pytest.approx(4 / 9)
    assert find(scores, "wer", profile="none")["value"] == pytest.approx(5 / 9)
    profiles = [row["profile"] for row in scores["scores"] if row["metric"] == "cer"]
    assert set(profiles) == {"leaderboard-v3", "leaderboard-v2", "lenient-v1", "none"}


def test_a_profile_that_is_compared_anyway_is_not_scored_twice():
    scores = score(ASR, settings=ScoreSettings(profile="none", num_resamples=10))
    rows = [row for row in scores["scores"] if (row["metric"], row["group"]) == ("wer", "all")]
    profiles = [row["profile"] for row in rows]
    assert profiles == ["none", "leaderboard-v2", "lenient-v1"]


def test_kinds_of_errors_stand_beside_the_rate_and_add_up_to_it():
    wer = find(score(ASR), "wer", profile="leaderboard-v3")
    assert (wer["substitutions"], wer["deletions"], wer["insertions"]) == (1, 1, 0)
    for row in score(ASR)["scores"]:
        if row["metric"] in ("wer", "cer"):
            kinds = row["substitutions"] + row["deletions"] + row["insertions"]
            assert kinds / row["num_units"] == pytest.approx(row["value"])


def test_utterances_with_more_errors_than_words_are_counted():
    rows = make_columns("asr", [("نعم", "لا لا"), ("نعم", "لا"), ("", "لا لا"), ("نعم لا", "")])
    rate = find(score(rows), "wer_over_one_rate", profile="leaderboard-v3")
    assert (rate["value"], rate["num_units"], rate["num_utterances"]) == (1 / 3, 3, 4)


def test_the_worst_dialect_and_its_gap_to_the_mean_are_scored_as_by_hand():
    scores = score(ASR)
    worst = find(scores, "wer_worst_dialect", profile="leaderboard-v3")
    assert (worst["value"], worst["num_units"]) == (1.0, 6)
    gap = find(scores, "wer_gap", profile="leaderboard-v3")
    assert gap["value"] == pytest.approx(1 - (1 + 1 / 5) / 2)
    assert {row["group"] for row in scores["scores"] if row["metric"] == "wer_gap"} == {"all"}


def test_one_dialect_has_no_worst():
    one = make_columns("asr", [("نعم", "لا")] * 2, dialects=["gulf", None])
    assert not [row for row in score(one)["scores"] if row["metric"] == "wer_worst_dialect"]


def test_dialects_are_scored_apart():
    scores = score(ASR)
    groups = {row["group"] for row in scores["scores"]}
    assert groups == {"all", "dialect=egyptian", "dialect=gulf"}
    egyptian = find(scores, "wer", group="dialect=egyptian", profile="leaderboard-v3")
    assert (egyptian["value"], egyptian["num_utterances"]) == (pytest.approx(1 / 5), 2)
    gulf = find(scores, "wer", group="dialect=gulf", profile="leaderboard-v3")
    assert (gulf["value"], gulf["low"], gulf["high"]) == (1.0, None, None)


def test_dialect_identification_is_not_cut_by_dialect():
    groups = {row["group"] for row in score(DID)["scores"]}
    assert groups == {"all", *(f"label={label}" for label in DIALECTS)}


def test_a_small_table_of_labels_is_scored_as_by_hand():
    scores = score(DID)
    assert find(scores, "accuracy")["value"] == pytest.approx(3 / 4)
    assert find(scores, "macro_f1")["value"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert find(scores, "accuracy_generated")["value"] == pytest.approx(2 / 4)
    assert find(scores, "macro_f1_generated")["value"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert find(scores, "invalid_rate")["value"] == 1 / 4
    assert find(scores, "blank_rate")["value"] == 0


def test_confusions_are_counted_by_true_label():
    scores = score(joined(ASR, DID))
    assert set(scores["confusions"]) == {"did"}
    table = scores["confusions"]["did"]
    assert table["labels"] == list(DIALECTS)
    counts = np.array(table["counts"])
    assert counts.shape == (5, 5)
    place = {label: index for index, label in enumerate(DIALECTS)}
    assert counts[place["gulf"], place["msa"]] == 1
    assert (counts.trace(), counts.sum()) == (3, 4)


def test_a_small_table_of_summaries_is_scored_as_by_hand():
    scores = score(TSUM)
    for metric in ("rouge_1", "rouge_2", "rouge_l", "chrf"):
        row = find(scores, metric, profile="leaderboard-v3")
        assert (row["value"], row["num_units"]) == (0.5, 2)
        assert row["higher_is_better"] is True
    assert find(scores, "loop_rate")["value"] == 0.5
    assert find(scores, "length_ratio")["value"] == 6 / 4


def test_every_task_is_scored_in_the_order_of_abstraction():
    scores = score(joined(TSUM, DID, ASR))
    assert list(dict.fromkeys(row["task"] for row in scores["scores"])) == ["asr", "did", "tsum"]


@pytest.mark.parametrize("task", TASKS)
def test_the_main_metrics_of_a_task_are_among_its_measures(task):
    reference = TASKS[task].labels[0] if TASKS[task].labels else "نعم"
    found = measures(make_columns(task, [(reference, reference)]), TASKS[task], SETTINGS)
    assert set(TASKS[task].metrics[:2]) <= {measure.name for measure in found}


def test_scores_say_where_they_come_from_and_are_valid_json():
    scores = score(joined(ASR, DID, TSUM))
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    head = {name: scores[name] for name in ("format_version", "split", "profile", "synthetic")}
    assert head == {
        "format_version": 1,
        "split": "test",
        "profile": "leaderboard-v3",
        "synthetic": True,
    }


def test_undefined_scores_are_nulls():
    empty = make_columns("asr", [("", "نعم"), ("؟", ""), ("", "لا")])
    scores = score(empty)
    for metric in ("wer", "cer"):
        row = find(scores, metric, profile="leaderboard-v3")
        assert (row["value"], row["low"], row["high"], row["num_units"]) == (None, None, None, 0)
        assert row["insertions"] == {"wer": 2, "cer": 5}[metric]
    assert find(scores, "wer_over_one_rate", profile="leaderboard-v3")["value"] is None
    json.dumps(scores, allow_nan=False)


def test_scores_do_not_depend_on_the_order_of_utterances():
    whole = joined(ASR, DID, TSUM)
    order = np.random.default_rng(0).permutation(len(whole["id"]))
    shuffled = {name: [values[i] for i in order] for name, values in whole.items()}
    for one, other in zip(score(whole)["scores"], score(shuffled)["scores"], strict=True):
        assert one == pytest.approx(other)


def test_intervals_depend_on_the_seed_and_values_do_not():
    long = make_columns("asr", [("أ ب ج د", "أ ب ج د"[: i % 8]) for i in range(30)])
    first, again, other = (find(score(long, seed=seed), "loop_rate") for seed in (0, 0, 1))
    assert first == again
    rates = [find(score(long, seed=seed), "wer", profile="none") for seed in (0, 1)]
    assert rates[0]["value"] == rates[1]["value"]
    assert rates[0]["low"] != rates[1]["low"]
    assert other["value"] == first["value"]


def test_a_task_that_is_added_does_not_shift_the_intervals_of_another():
    alone = [row for row in score(ASR)["scores"] if row["task"] == "asr"]
    together = [row for row in score(joined(DID, ASR))["scores"] if row["task"] == "asr"]
    assert alone == together


def test_utterances_of_one_speaker_are_resampled_together():
    pairs = [("نعم", "نعم" if i < 5 else "لا") for i in range(10)]
    one = make_columns("asr", pairs, speakers=["s1"] * 10)
    unknown = make_columns("asr", pairs)
    assert find(score(one), "wer", profile="none")["low"] is None
    assert find(score(unknown), "wer", profile="none")["low"] < 0.5


def test_error_rates_are_given_for_each_length_noise_and_source():
    columns = {
        **ASR,
        "seconds": [1.0, 4.0, 1.5, 3.0],
        "snr_db": [None, 3.0, 12.0, 3.5],
        "source": ["radio", "radio", "phone", "phone"],
    }
    scores = score(columns)
    profile = "leaderboard-v3"
    for group, errors, words in (
        ("seconds=under 2", 1, 3),
        ("seconds=2 to 5", 1, 5),
        ("snr_db=0 to 5", 1, 5),
        ("snr_db=10 to 15", 1, 1),
        ("source=phone", 1, 3),
        ("source=radio", 1, 5),
    ):
        row = find(scores, "wer", group=group, profile=profile)
        assert (row["value"], row["num_units"]) == (pytest.approx(errors / words), words), group
    kinds = {row["group"].partition("=")[0] for row in scores["scores"] if row["profile"] == "none"}
    assert kinds == {"all", "dialect", "mean over sources"}


def test_the_mean_over_sources_counts_each_alike_beside_the_pooled_figure():
    pairs = [("أ ب ج د", "أ ب ج س"), ("أ ب ج د", "أ ب ج د"), ("أ ب ج د", "أ ب ج د"), ("أ", "ب")]
    scores = score({**make_columns("asr", pairs), "source": ["radio", "radio", "radio", "phone"]})
    for profile in ("leaderboard-v3", "leaderboard-v2", "none"):
        assert find(scores, "wer", profile=profile)["value"] == pytest.approx(2 / 13)
        mean = find(scores, "wer", group="mean over sources", profile=profile)
        assert mean["value"] == pytest.approx((1 / 12 + 1) / 2)
        assert (mean["num_utterances"], mean["num_units"]) == (4, 13)
        assert (mean["low"], mean["high"]) == (None, None)  # phone has one speaker


def test_the_interval_of_the_mean_over_sources_draws_speakers_within_each():
    pairs = [("أ ب", "أ ب" if i % 3 else "ج د") for i in range(60)]
    sources = ["radio"] * 50 + ["phone"] * 10
    settings = ScoreSettings(num_resamples=2000)
    scores = score({**make_columns("asr", pairs), "source": sources}, settings=settings)
    mean = find(scores, "wer", group="mean over sources", profile="none")
    rng = np.random.default_rng(0)
    errors = np.array([0.0 if i % 3 else 1.0 for i in range(60)])
    drawn = [
        (rng.choice(errors[:50], 50).mean() + rng.choice(errors[50:], 10).mean()) / 2
        for _ in range(4000)
    ]
    assert [mean["low"], mean["high"]] == pytest.approx(
        np.quantile(drawn, [0.025, 0.975]), abs=0.03
    )


def test_a_source_without_a_reference_word_has_no_part_in_the_mean():
    pairs = [("نعم", "لا"), ("نعم", "نعم"), ("", "نعم"), ("لا نعم", "لا")]
    columns = {**make_columns("asr", pairs), "source": ["radio", "radio", "noise", "phone"]}
    row = find(score(columns), "wer", group="mean over sources", profile="none")
    assert (row["value"], row["num_utterances"]) == (0.5, 3)
    alone = score({**columns, "source": ["radio", "radio", "noise", "radio"]})
    assert "mean over sources" not in {
        row["group"] for row in alone["scores"] if row["metric"] == "wer"
    }


def test_one_source_and_one_length_say_no_more_than_the_whole():
    scores = score({**ASR, "seconds": [1.0] * 4, "source": ["radio"] * 4})
    assert {row["group"] for row in scores["scores"]} == {"all", "dialect=egyptian", "dialect=gulf"}


def test_novelty_is_given_where_the_source_is_known():
    assert not [row for row in score(TSUM)["scores"] if row["metric"].startswith("novel")]
    scores = score({**TSUM, "document": ["زار الوزير مصر", None]})
    assert find(scores, "novel_1")["value"] == 0
    assert (find(scores, "novel_2")["value"], find(scores, "novel_2")["num_units"]) == (1, 1)
