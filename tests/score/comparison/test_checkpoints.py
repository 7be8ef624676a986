import numpy as np
import pytest

from maqam.errors import RunError
from maqam.score.comparison.checkpoints import compare_checkpoints
from maqam.score.settings import ScoreSettings
from maqam.tasks import default_tasks
from tests.score.tables import joined, make_columns

SETTINGS = ScoreSettings()
NUM = 60


def recognised(share_wrong, seed, num_speakers=30):
    wrong = set(np.random.default_rng(seed).permutation(NUM)[: round(share_wrong * NUM)])
    return make_columns(
        "asr",
        [("نعم", "لا" if i in wrong else "نعم") for i in range(NUM)],
        speakers=[f"s{i % num_speakers}" for i in range(NUM)],
    )


def identified(share_wrong, seed):
    wrong = set(np.random.default_rng(seed).permutation(NUM)[: round(share_wrong * NUM)])
    labels = ["msa", "gulf"]
    return make_columns(
        "did",
        [(labels[i % 2], labels[(i + (i in wrong)) % 2]) for i in range(NUM)],
        speakers=[f"s{i % 20}" for i in range(NUM)],
    )


def both(share_wrong, seed):
    return joined(recognised(share_wrong, seed), identified(share_wrong, seed))


def compare(hypotheses, **options):
    options = {"num_resamples": 1000, **options}
    return compare_checkpoints(
        hypotheses, baseline="start", tasks=default_tasks(), settings=SETTINGS, **options
    )


def find(rows, checkpoint, metric):
    found = [row for row in rows if (row["checkpoint"], row["metric"]) == (checkpoint, metric)]
    assert len(found) == 1
    return found[0]


def test_a_clear_gain_and_a_clear_loss_are_named_of_the_checkpoint():
    rows = compare({"start": both(0.5, 0), "good": both(0.05, 1), "bad": both(0.95, 2)})
    for metric in ("wer", "macro_f1"):
        assert find(rows, "good", metric)["verdict"] == "better checkpoint"
        assert find(rows, "bad", metric)["verdict"] == "worse checkpoint"
    wer = find(rows, "good", "wer")
    assert (wer["baseline_value"], wer["value"]) == (0.5, pytest.approx(0.05))
    assert wer["difference_high"] < 0
    assert wer["p_swap"] <= wer["p_value"] < 0.05


def test_a_small_difference_is_not_shown():
    rows = compare({"start": both(0.5, 0), "other": both(0.48, 1)})
    assert {row["verdict"] for row in rows} == {"no difference shown"}


def test_few_speakers_prove_less_than_many():
    def p_swap(num_speakers):
        one = recognised(0.5, 0, num_speakers)
        other = recognised(0.2, 1, num_speakers)
        return find(compare({"start": one, "good": other}), "good", "wer")["p_swap"]

    assert p_swap(3) > 0.2
    assert p_swap(60) < 0.01


def test_one_speaker_gives_a_difference_and_nothing_else():
    rows = compare({"start": recognised(0.5, 0, 1), "good": recognised(0.0, 1, 1)})
    wer = find(rows, "good", "wer")
    assert wer["difference"] == -0.5
    assert [wer[name] for name in ("difference_low", "p_swap", "p_value")] == [None] * 3
    assert wer["verdict"] == "no difference shown"


def test_a_task_without_reference_words_has_no_difference():
    silent = make_columns("asr", [("", "نعم"), ("", "")])
    wer = find(compare({"start": silent, "same": silent}), "same", "wer")
    assert [wer[name] for name in ("value", "difference", "p_value")] == [None] * 3


def test_the_same_seed_gives_the_same_rows():
    given = {"start": both(0.5, 0), "good": both(0.3, 1)}
    assert compare(given, seed=3) == compare(given, seed=3)
    assert compare(given, seed=3) != compare(given, seed=4)


def test_checkpoints_scored_on_other_utterances_are_refused():
    other = recognised(0.5, 0)
    other["id"] = [f"x{name}" for name in other["id"]]
    with pytest.raises(RunError, match="other was scored on other utterances than start"):
        compare({"start": recognised(0.5, 0), "other": other})
