import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from maqam.score.classification import (
    accuracy,
    balanced_accuracy,
    confusion,
    f1_by_label,
    macro_f1,
    weighted_f1,
)

LABELS = ("msa", "egyptian", "levantine", "gulf")
answers = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from((*LABELS, None))), min_size=1, max_size=30
)


@settings(max_examples=25, deadline=None)
@given(pairs=answers)
def test_scores_equal_those_of_scikit_learn(pairs):
    true = [reference for reference, _ in pairs]
    found = [answer or "no answer" for _, answer in pairs]
    counts = confusion(true, [answer for _, answer in pairs], LABELS)
    present = [label for label in LABELS if label in true]

    def f1(labels, average):
        return metrics.f1_score(true, found, labels=labels, average=average, zero_division=0)

    assert accuracy(counts) == pytest.approx(metrics.accuracy_score(true, found))
    assert macro_f1(counts) == pytest.approx(f1(present, "macro"))
    assert macro_f1(counts, over="inventory") == pytest.approx(f1(LABELS, "macro"))
    assert weighted_f1(counts) == pytest.approx(f1(LABELS, "weighted"))
    assert f1_by_label(counts).tolist() == pytest.approx(f1(LABELS, None).tolist())
    recall = metrics.recall_score(true, found, labels=present, average="macro", zero_division=0)
    assert balanced_accuracy(counts) == pytest.approx(recall)
    expected = metrics.confusion_matrix(true, found, labels=[*LABELS, "no answer"])
    assert np.array_equal(counts, expected[: len(LABELS)])


def test_confusion_counts_true_by_answered_with_no_answer_last():
    counts = confusion(["msa", "gulf", "gulf"], ["gulf", None, "gulf"], LABELS)
    assert counts.tolist() == [[0, 0, 0, 1, 0], [0] * 5, [0] * 5, [0, 0, 0, 1, 1]]


def test_an_answer_outside_the_inventory_is_no_valid_answer():
    assert confusion(["msa"], ["klingon"], LABELS)[0].tolist() == [0, 0, 0, 0, 1]


def test_an_invalid_answer_lowers_recall_and_adds_no_class():
    counts = confusion(["msa", "msa"], ["msa", None], LABELS)
    assert accuracy(counts) == 0.5
    assert macro_f1(counts) == pytest.approx(2 / 3)


def test_labels_absent_from_the_references_count_only_over_the_inventory():
    counts = confusion(["msa", "gulf", "msa"], ["msa", "gulf", "gulf"], LABELS)
    assert macro_f1(counts) == pytest.approx(2 / 3)
    assert macro_f1(counts, over="inventory") == pytest.approx(1 / 3)


def test_many_confusion_matrices_are_scored_at_once():
    generator = np.random.default_rng(0)
    many = generator.integers(0, 9, (6, 4, 5))
    for score in (accuracy, macro_f1, weighted_f1, balanced_accuracy):
        assert score(many).tolist() == pytest.approx([float(score(one)) for one in many])


def test_no_utterance_has_no_score_and_warns_nobody():
    counts = confusion([], [], LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = [score(counts) for score in (accuracy, macro_f1, weighted_f1, balanced_accuracy)]
    assert np.isnan(scores).all()
