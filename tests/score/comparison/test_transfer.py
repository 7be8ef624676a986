import numpy as np
import pytest

from maqam.errors import RunError
from maqam.score.comparison.transfer import forgetting, negative_transfer
from maqam.score.settings import ScoreSettings
from maqam.tasks import default_tasks
from tests.score.tables import joined, make_columns

SETTINGS = ScoreSettings(num_resamples=300)
NUM = 40


def table(wer, wrong_labels, seed):
    rng = np.random.default_rng(seed)
    heard, named = (
        set(rng.permutation(NUM)[: round(share * NUM)]) for share in (wer, wrong_labels)
    )
    asr = [("نعم", "لا" if i in heard else "نعم") for i in range(NUM)]
    labels = ["msa", "gulf"]
    did = [(labels[i % 2], labels[(i + (i in named)) % 2]) for i in range(NUM)]
    return joined(make_columns("asr", asr), make_columns("did", did))


def runs(wer, wrong_labels, seeds=range(5), first=0):
    return {
        seed: table(wer + 0.025 * (seed % 2), wrong_labels + 0.025 * (seed % 2), first + seed)
        for seed in seeds
    }


def find(rows, task, method="mixed"):
    found = [row for row in rows if (row["task"], row["method"]) == (task, method)]
    assert len(found) == 1
    return found[0]


def test_a_loss_is_positive_whichever_way_the_metric_points():
    single = {"asr": runs(0.1, 0.9), "did": runs(0.9, 0.1)}
    rows = negative_transfer(
        {"mixed": runs(0.6, 0.5, first=10)}, single, tasks=default_tasks(), settings=SETTINGS
    )
    assert len(rows) == 2
    for task in ("asr", "did"):
        row = find(rows, task)
        assert row["verdict"] == "negative transfer"
        assert 0 < row["loss_low"] < row["loss"] < row["loss_high"]
    assert find(rows, "asr")["reference"] == pytest.approx(0.11)
    assert find(rows, "asr")["loss"] == pytest.approx(0.5)


def test_a_task_that_others_help_is_a_gain():
    rows = negative_transfer(
        {"mixed": runs(0.1, 0.5, first=10)},
        {"asr": runs(0.6, 0.0)},
        tasks=default_tasks(),
        settings=SETTINGS,
    )
    assert [row["verdict"] for row in rows] == ["gain"]
    assert rows[0]["loss_high"] < 0


def test_one_seed_gives_a_loss_without_a_verdict():
    rows = negative_transfer(
        {"mixed": runs(0.6, 0.5, seeds=[0])},
        {"asr": runs(0.1, 0.5, seeds=[0])},
        tasks=default_tasks(),
        settings=SETTINGS,
    )
    assert rows[0]["loss"] == pytest.approx(0.5)
    assert rows[0]["verdict"] == "one seed: no verdict"


def test_single_task_runs_of_unequal_seeds_are_refused():
    single = {"asr": runs(0.1, 0.5), "did": runs(0.1, 0.5, seeds=[0, 1])}
    with pytest.raises(RunError, match=r"the single-task runs of did have seeds \[0, 1\]"):
        negative_transfer(
            {"mixed": runs(0.6, 0.5)}, single, tasks=default_tasks(), settings=SETTINGS
        )


def test_what_the_start_could_and_the_end_cannot_is_forgotten():
    rows = forgetting(
        {"mixed": runs(0.6, 0.1, first=10)},
        table(0.1, 0.6, 99),
        tasks=default_tasks(),
        settings=SETTINGS,
    )
    assert find(rows, "asr")["verdict"] == "forgotten"
    assert find(rows, "did")["verdict"] == "learned"
    assert find(rows, "asr")["loss"] == pytest.approx(0.51)


def test_a_start_scored_on_other_utterances_is_refused():
    other = table(0.1, 0.1, 0)
    other["id"] = [f"x{name}" for name in other["id"]]
    with pytest.raises(RunError, match="was scored on other utterances"):
        forgetting({"mixed": runs(0.5, 0.5)}, other, tasks=default_tasks(), settings=SETTINGS)
