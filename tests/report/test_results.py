import json

from maqam.report.records import read_any, read_study
from maqam.report.results import examples, make_board, verdict
from tests.report.factories import write_run, write_study


def edited(folder, change):
    path = folder / "comparison.json"
    content = json.loads(path.read_text())
    for row in content["rows"]:
        change(row)
    path.write_text(json.dumps(content))
    study = read_study(folder)
    return verdict(study, make_board(study))


def test_one_seed_names_no_winner_and_says_so(tmp_path):
    study = read_study(write_study(tmp_path, seeds=(0,), steps=5))
    finding, sentences = verdict(study, make_board(study))
    assert finding == "One seed: no verdict."
    assert "luck of the seed" in sentences[0]


def test_a_winner_is_better_somewhere_and_worse_nowhere(tmp_path):
    study = read_study(write_study(tmp_path, seeds=(0, 1, 2), steps=5))
    finding, sentences = verdict(study, make_board(study))
    assert finding.startswith(
        "hybrid is better than uniform on dialect identification and speech emotion recognition "
        "and worse on no task"
    )
    assert sentences[1] == "Worse than uniform: tpc on ser macro-F1 by −6.0 points [−9.0, −3.0]."
    assert "corrected for the 15 comparisons" in sentences[-1]


def test_no_winner_is_named_where_no_interval_says_so(tmp_path):
    def change(row):
        row["verdict"] = "no difference shown"

    finding, _ = edited(write_study(tmp_path, seeds=(0, 1), steps=5), change)
    assert finding == "No difference from uniform is shown on any task."


def test_a_method_that_gains_and_loses_does_not_win(tmp_path):
    def change(row):
        row["verdict"] = {"asr": "worse", "did": "better"}.get(row["task"], "no difference shown")

    finding, _ = edited(write_study(tmp_path, seeds=(0, 1), steps=5), change)
    assert finding.startswith("No schedule wins")


def test_two_that_gain_are_both_named_and_not_ranked(tmp_path):
    def change(row):
        is_named = row["method"] in ("ads", "hybrid") and row["task"] == "did"
        row["verdict"] = "better" if is_named else "no difference shown"

    finding, _ = edited(write_study(tmp_path, seeds=(0, 1), steps=5), change)
    assert finding.startswith("ads and hybrid are each better than uniform")
    assert "not compared with one another" in finding


def test_only_losses_are_said_to_be_losses(tmp_path):
    def change(row):
        row["verdict"] = "worse" if row["method"] == "tpc" else "no difference shown"

    finding, _ = edited(write_study(tmp_path, seeds=(0, 1), steps=5), change)
    assert finding == ("No schedule is shown to be better than uniform; tpc is worse on some task.")


def test_runs_that_were_not_compared_get_no_verdict(tmp_path):
    folders = [write_run(tmp_path / f"{m}-seed0", m, steps=5) for m in ("tpc", "ads")]
    study = read_any(folders)
    assert verdict(study, make_board(study))[0] == "No verdict: these runs were not compared."


def test_a_score_of_several_seeds_that_were_not_compared_has_no_interval(tmp_path):
    folders = [write_run(tmp_path / f"ads-seed{k}", "ads", seed=k, steps=5) for k in (0, 1)]
    result = make_board(read_any(folders)).get("asr", "wer", "ads")
    assert (result.num_seeds, result.low, result.high) == (2, None, None)


def test_examples_are_the_same_utterances_for_every_method(tmp_path):
    found = examples(read_study(write_study(tmp_path, steps=5)), "test", most=1)
    assert [one.task for one in found] == ["asr", "did", "ser", "ssum", "tsum"]
    assert all(list(one.hypotheses) == ["uniform", "tpc", "ads", "hybrid"] for one in found)
