"""Scores of labels, held against scikit-learn and the published code of ADI-17."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from maqam.score.labels import chosen_labels, posteriors
from maqam.score.scoring import measures, score_hypotheses
from maqam.score.settings import ScoreSettings
from maqam.tasks import default_tasks

from .tables import make_columns

TASKS = default_tasks()
DIALECTS = TASKS["did"].labels

SETTINGS = ScoreSettings(num_resamples=20)
answers = st.sampled_from([*DIALECTS, "I do not know", "", "it is gulf"])
tables = st.lists(st.tuples(st.sampled_from(DIALECTS), answers), min_size=1, max_size=30)


def make_did(pairs, scores=None):
    columns = make_columns("did", pairs)
    rng = np.random.default_rng(len(pairs))
    logs = rng.normal(size=(len(pairs), len(DIALECTS))) if scores is None else scores
    columns["label_scores"] = np.asarray(logs).tolist()
    columns["predicted_label"] = [DIALECTS[at] for at in np.argmax(logs, axis=1)]
    known = [answer if answer in DIALECTS else None for _, answer in pairs]
    lenient = {"it is gulf": "gulf"}
    columns["answered_label"] = [
        lenient.get(answer, label) for (_, answer), label in zip(pairs, known, strict=True)
    ]
    return columns


def values(columns, given_settings=SETTINGS):
    return {
        (one.name, one.label): float(one.statistic(one.sums.sum(axis=0)))
        for one in measures(columns, TASKS["did"], given_settings)
    }


@settings(max_examples=60, deadline=None)
@given(pairs=tables)
def test_scores_are_those_of_scikit_learn(pairs):
    columns = make_did(pairs)
    found = values(columns)
    true, chosen = columns["reference"], columns["predicted_label"]
    present = sorted(set(true))
    f1 = {"y_true": true, "y_pred": chosen, "zero_division": 0}
    expected = {
        "accuracy": metrics.accuracy_score(true, chosen),
        "balanced_accuracy": metrics.recall_score(**f1, labels=present, average="macro"),
        "macro_f1": metrics.f1_score(**f1, labels=present, average="macro"),
        "macro_f1_union": metrics.f1_score(**f1, average="macro"),
        "macro_f1_inventory": metrics.f1_score(**f1, labels=DIALECTS, average="macro"),
        "weighted_f1": metrics.f1_score(**f1, average="weighted"),
    }
    for name, value in expected.items():
        assert found[(name, "")] == pytest.approx(value), name
    by_label = metrics.precision_recall_fscore_support(
        true, chosen, labels=DIALECTS, zero_division=0
    )
    for name, of_labels in zip(("precision", "recall", "f1"), by_label, strict=False):
        for label, value in zip(DIALECTS, of_labels, strict=True):
            assert found[(name, label)] == pytest.approx(value), (name, label)
    strings = [answer.strip() for _, answer in pairs]
    raw = metrics.f1_score(true, strings, average="macro", zero_division=0)
    assert found[("macro_f1_strings", "")] == pytest.approx(raw)


def test_the_readings_of_macro_f1_differ_as_published():
    pairs = [("egyptian", "egyptian"), ("gulf", "gulf"), ("egyptian", "no idea")]
    found = values(make_did(pairs))
    assert found[("macro_f1_generated", "")] == pytest.approx((2 / 3 + 1) / 2)
    assert found[("macro_f1_strings", "")] == pytest.approx((2 / 3 + 1) / 3)
    assert found[("macro_f1_inventory_generated", "")] == pytest.approx((2 / 3 + 1) / 5)
    assert found[("invalid_rate", "")] == pytest.approx(1 / 3)


def test_a_label_inside_a_sentence_counts_for_the_lenient_parser_only():
    found = values(make_did([("gulf", "it is gulf"), ("msa", "msa")]))
    assert found[("accuracy_generated", "")] == 1
    assert found[("accuracy_strict", "")] == 0.5
    assert (found[("invalid_rate", "")], found[("invalid_strict", "")]) == (0, 0.5)


def adi17_cavg(scores, true, num_labels):
    """The published cost, label by label: mean over q of the sum over p of misses and alarms."""
    exp = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    costs = []
    for q in range(num_labels):
        for p in range(num_labels):
            if p != q:
                others = np.delete(exp, p, axis=1).mean(axis=1)
                accepted = np.log(exp[:, p] / others) > 0
                costs.append(1 - accepted[true == p].mean() + accepted[true == q].mean())
    return np.mean(costs)


def test_the_average_cost_is_that_of_adi_17():
    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(5), 8)
    scores = rng.normal(size=(40, 5))
    scores[np.arange(40), true] += 1
    columns = make_did([(DIALECTS[at], "msa") for at in true], scores)
    assert values(columns)[("average_cost", "")] == pytest.approx(adi17_cavg(scores, true, 5))


def test_confident_and_right_half_the_time_is_badly_calibrated():
    scores = np.log(np.tile([0.96, 0.01, 0.01, 0.01, 0.01], (10, 1)))
    columns = make_did([(DIALECTS[index % 2], "msa") for index in range(10)], scores)
    assert values(columns)[("calibration_error", "")] == pytest.approx(0.96 - 0.5)


def test_a_prior_that_is_removed_no_longer_chooses_one_label_for_all():
    rng = np.random.default_rng(1)
    true = np.repeat(np.arange(5), 20)
    scores = rng.normal(size=(100, 5))
    scores[np.arange(100), true] += 3
    scores[:, 0] += 6  # one label preferred whatever is heard
    columns = make_did([(DIALECTS[at], "msa") for at in true], scores)
    kept, removed = SETTINGS, ScoreSettings(num_resamples=20, label_prior="removed")
    assert chosen_labels(columns, DIALECTS, kept) == columns["predicted_label"]
    before, after = (values(columns, one)[("accuracy", "")] for one in (kept, removed))
    assert after > before + 0.3
    assert np.exp(posteriors(columns, removed)).sum(axis=1) == pytest.approx(np.ones(100))
    scores = score_hypotheses(
        columns, tasks=TASKS, settings=removed, seed=0, split="test", synthetic=True
    )
    right = np.trace(np.array(scores["confusions"]["did"]["counts"]))
    assert right / 100 == pytest.approx(after)


def test_a_label_is_the_likeliest_whole_answer_and_averages_stand_beside():
    columns = make_did([("gulf", "msa")], [[-9.0, -9.0, -9.0, -2.0, -3.0]])
    assert DIALECTS[3:] == ("gulf", "maghrebi")
    columns["reference"] = ["gulf"]
    columns["label_tokens"] = [[2, 2, 2, 2, 6]]
    found = values(columns)
    names = ("", "_summed", "_averaged")
    assert [found[(f"macro_f1{name}", "")] for name in names] == [1, 1, 0]
    averaged = ScoreSettings(num_resamples=20, length_normalized=True)
    assert values(columns, averaged)[("macro_f1", "")] == 0
    assert values(columns, averaged)[("macro_f1_summed", "")] == 1
    logs = posteriors(columns, averaged)[0]
    assert logs[4] - logs[3] == pytest.approx(-3 / 6 + 2 / 2)


def test_scores_without_the_tokens_of_labels_have_one_reading():
    columns = make_did([("gulf", "msa")], [[-9.0, -9.0, -9.0, -2.0, -3.0]])
    averaged = ScoreSettings(num_resamples=20, length_normalized=True)
    for chosen in (SETTINGS, averaged):
        assert chosen_labels(columns, DIALECTS, chosen) == columns["predicted_label"]
    assert not {name for name, _ in values(columns)} & {"macro_f1_summed", "macro_f1_averaged"}


def test_accuracy_is_given_for_each_length():
    columns = make_did([("gulf", "gulf"), ("msa", "msa"), ("gulf", "msa")], np.eye(5)[[3, 0, 0]])
    columns["seconds"] = [1.0, 7.0, 8.0]
    rows = score_hypotheses(
        columns, tasks=TASKS, settings=SETTINGS, seed=0, split="test", synthetic=True
    )
    found = {row["group"]: row["value"] for row in rows["scores"] if row["metric"] == "accuracy"}
    assert found == {"all": 2 / 3, "seconds=under 2": 1, "seconds=5 to 10": 0.5}
