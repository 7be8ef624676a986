"""Metrics are values: each is measured, titled and directed in one place, and named by tasks."""

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from maqam.errors import ConfigError
from maqam.score.metrics import METRICS, check_metrics, metrics_of
from maqam.score.ngrams import bleu, bleu_counts
from maqam.score.scoring import measures, score_hypotheses
from maqam.score.settings import ScoreSettings
from maqam.tasks import Tasks, default_tasks, tasks_from_table

SETTINGS = ScoreSettings(num_resamples=50)
words = st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat"]), max_size=9)
pairs = st.lists(st.tuples(words, words), min_size=1, max_size=6)


def tasks_with(**table: object) -> Tasks:
    common = {"prompts": {"en": "Translate."}, "input": "audio", "level": 3}
    return tasks_from_table({"st": {**common, **table}}, default_tasks(), where="x")


def answers(*pairs: tuple[str, str]) -> dict[str, list]:
    return {
        "id": [f"u{index}" for index in range(len(pairs))],
        "task": ["st"] * len(pairs),
        "dialect": [None] * len(pairs),
        "speaker": [None] * len(pairs),
        "reference": [reference for reference, _ in pairs],
        "hypothesis": [hypothesis for _, hypothesis in pairs],
    }


@given(pairs)
def test_bleu_from_sums_is_sacrebleu_on_the_corpus(pairs: list[tuple[list[str], list[str]]]):
    references = [" ".join(one) for one, _ in pairs]
    hypotheses = [" ".join(one) for _, one in pairs]
    ours = float(bleu(bleu_counts(references, hypotheses).sum(axis=0)))
    theirs = sacrebleu.corpus_bleu(hypotheses, [references]).score / 100
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_a_text_task_gets_the_metrics_it_names_and_the_ways_to_fail():
    task = tasks_with(metrics=["bleu", "chrf"])["st"]
    found = {one.name for one in measures(answers(("a cat", "a cat")), task, SETTINGS)}
    failures = {one.name for one in METRICS.values() if one.is_failure and one.answer != "label"}
    assert found == {"bleu", "chrf"} | failures


def test_a_task_with_labels_gets_the_metrics_of_labels():
    names = [one.name for one in metrics_of(tasks_with(labels=["f", "m"])["st"])]
    assert names[:2] == ["macro_f1", "accuracy"]
    assert {METRICS[name].answer for name in names} == {"label", "any"}


def test_the_first_metric_named_heads_the_task():
    assert metrics_of(tasks_with(metrics=["chrf", "bleu"])["st"])[0].name == "chrf"


@pytest.mark.parametrize(
    ("table", "problem", "hint"),
    [
        ({"metrics": ["bleuu"]}, "no metric 'bleuu'", "did you mean 'bleu'?"),
        ({"metrics": ["zzzz"]}, "no metric 'zzzz'", "wer, cer"),
        ({"metrics": ["accuracy"]}, "accuracy is a metric of label answers", "text"),
        ({"labels": ["f", "m"], "metrics": ["wer"]}, "wer is a metric of text", "label"),
    ],
)
def test_a_metric_that_cannot_be_is_one_line(table: dict, problem: str, hint: str):
    with pytest.raises(ConfigError, match=problem) as caught:
        check_metrics(tasks_with(**table))
    assert "tasks.st.metrics" in str(caught.value)
    assert hint in caught.value.hint


def test_every_metric_says_how_its_number_reads():
    assert all(one.name == name and one.title for name, one in METRICS.items())
    assert {one.name for one in METRICS.values() if not one.unit} == {
        "average_cost",
        "length_ratio",
    }
    neutral = {one.name for one in METRICS.values() if one.higher_is_better is None}
    assert neutral == {"length_ratio", "novel_1", "novel_2"}


def test_scores_tell_the_task_they_were_made_with():
    tasks = tasks_with(metrics=["bleu", "chrf"], title="speech translation")
    columns = answers(("the cat sat on a mat", "the cat sat on the mat"), ("a mat", "a mat"))
    found = score_hypotheses(
        columns, tasks=tasks, settings=SETTINGS, seed=0, split="test", synthetic=False
    )
    assert found["tasks"]["st"]["title"] == "speech translation"
    value = next(row["value"] for row in found["scores"] if row["metric"] == "bleu")
    whole = sacrebleu.corpus_bleu(columns["hypothesis"], [columns["reference"]]).score
    assert np.isclose(100 * value, whole)
