import json

import numpy as np
import pytest

from maqam.errors import RunError
from maqam.report.records import read_any, read_run, read_study
from tests.report.factories import write_run, write_study


def test_a_finished_run_reads_whole(tmp_path):
    run = read_run(write_run(tmp_path / "tpc-seed3", "tpc", seed=3, steps=20))
    assert (run.method, run.seed, run.state) == ("tpc", 3, "finished and scored")
    assert run.steps.num_steps == run.plan.num_steps == 20
    assert run.evaluations["test"].profile == "leaderboard-v3"
    assert run.is_synthetic


def test_a_killed_run_reads_with_the_steps_it_took(tmp_path):
    run = read_run(write_run(tmp_path / "ads-seed0", "ads", steps=20, steps_taken=7))
    assert run.state == "unfinished: 7 of 20 steps"


def test_the_half_line_of_a_run_that_is_going_is_left_out(tmp_path):
    folder = write_run(tmp_path / "ads-seed0", "ads", steps=20, steps_taken=7)
    with (folder / "train.jsonl").open("a") as file:
        file.write('{"step": 8, "lo')
    assert read_run(folder).steps.num_steps == 7


def test_a_half_line_in_a_finished_run_is_refused(tmp_path):
    folder = write_run(tmp_path / "ads-seed0", "ads", steps=5)
    with (folder / "train.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    with pytest.raises(RunError, match=r"train.jsonl:6: the record of a step is half written"):
        read_run(folder)


def test_a_step_taken_twice_counts_as_taken_last(tmp_path):
    folder = write_run(tmp_path / "ads-seed0", "ads", steps=5)
    lines = (folder / "train.jsonl").read_text().splitlines()
    again = json.dumps({**json.loads(lines[-1]), "loss": 42.0})
    (folder / "train.jsonl").write_text("\n".join([*lines, again]) + "\n")
    np.testing.assert_array_equal(read_run(folder).steps.loss[-1], 42.0)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"there is no run\.json"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format_ver', "half written: not JSON"),
        ("[1]", "not a JSON table"),
        ('{"format_version": 9}', "format version 9 is not 1"),
    ],
)
def test_a_broken_description_is_refused(tmp_path, text, words):
    folder = write_run(tmp_path / "uniform-seed0", steps=5)
    (folder / "run.json").write_text(text)
    with pytest.raises(RunError, match=words):
        read_run(folder)


def test_scores_without_a_field_are_refused(tmp_path):
    folder = write_run(tmp_path / "uniform-seed0", steps=5)
    path = folder / "eval" / "test" / "scores.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "scores": [{"task": "asr"}]}))
    with pytest.raises(RunError, match=r"scores\.json: a field is missing .*'metric'"):
        read_run(folder)


def test_a_comparison_without_a_field_is_refused(tmp_path):
    folder = write_study(tmp_path, steps=5)
    path = folder / "comparison.json"
    path.write_text(json.dumps({"format_version": 1, "rows": [{}]}))
    with pytest.raises(RunError, match=r"comparison\.json: a field is missing"):
        read_study(folder)


def test_hypotheses_that_are_no_table_are_refused(tmp_path):
    folder = write_run(tmp_path / "uniform-seed0", steps=5)
    (folder / "eval" / "test" / "hypotheses.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(RunError, match=r"hypotheses\.parquet: not readable as hypotheses"):
        read_run(folder).hypotheses("test")


def test_a_study_names_the_runs_it_lacks(tmp_path):
    folder = write_study(tmp_path, seeds=(0, 1), steps=5)
    (folder / "runs" / "ads-seed1").rename(folder / "elsewhere")
    study = read_study(folder)
    assert study.missing == ("ads-seed1",)
    assert len(study.runs) == 7


def test_a_study_without_a_run_is_refused(tmp_path):
    folder = write_study(tmp_path, steps=5)
    (folder / "runs").rename(folder / "elsewhere")
    with pytest.raises(RunError, match="the study has no run yet"):
        read_study(folder)


def test_runs_given_one_by_one_are_a_study_without_a_comparison(tmp_path):
    folders = [write_run(tmp_path / f"{m}-seed0", m, steps=5) for m in ("tpc", "ads")]
    study = read_any(folders)
    assert (study.baseline, study.methods, study.comparison) == ("tpc", ("tpc", "ads"), ())


def test_a_run_given_twice_is_refused(tmp_path):
    folder = write_run(tmp_path / "uniform-seed0", steps=5)
    with pytest.raises(RunError, match="two folders hold a run named 'uniform-seed0'"):
        read_any([folder, folder])


def test_no_folder_at_all_is_refused():
    with pytest.raises(RunError, match="no run folder was given"):
        read_any([])
