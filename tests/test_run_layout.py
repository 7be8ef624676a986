"""What the files of runs and studies hold is checked where they are read."""

import json

import pytest

from maqam.errors import RunError
from maqam.run_layout import (
    PlanLayout,
    RunLayout,
    StudyLayout,
    StudyTable,
)

STUDY: StudyTable = {
    "name": "three",
    "baseline": "uniform",
    "seeds": [0, 1],
    "methods": ["uniform", "ads"],
    "synthetic": True,
}


def test_values_are_added_to_what_the_record_holds(tmp_path):
    run = RunLayout(tmp_path)
    run.add_to_record({"name": "run", "state": "running"})
    run.add_to_record({"state": "finished"})
    assert run.read_record() == {"format_version": 1, "name": "run", "state": "finished"}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "half written: not JSON"),
        ("[]", "not a JSON table"),
        ('{"format_version": 9}', "format version 9 is not 1"),
    ],
)
def test_a_record_that_is_no_table_of_ours_is_named(tmp_path, text, problem):
    run = RunLayout(tmp_path)
    run.record.write_text(text)
    with pytest.raises(RunError, match=rf"run\.json: {problem}"):
        run.read_record()
    with pytest.raises(RunError, match=rf"run\.json: {problem}"):
        run.add_to_record({"state": "finished"})


def test_a_folder_without_a_record_is_named(tmp_path):
    with pytest.raises(RunError, match=r"there is no run\.json") as caught:
        RunLayout(tmp_path).read_record()
    assert str(tmp_path) in str(caught.value)


def test_a_record_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(RunError, match=r"run\.json: cannot be read: Is a directory"):
        RunLayout(tmp_path).read_record()


def test_a_record_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="the run's description cannot be written"):
        RunLayout(tmp_path / "file" / "run").add_to_record({})


def test_the_last_line_of_a_run_still_going_may_be_half_written(tmp_path):
    run = RunLayout(tmp_path)
    assert list(run.read_steps()) == []
    run.steps.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert [one["step"] for one in run.read_steps()] == [1, 2]
    run.add_to_record({"state": "finished"})
    with pytest.raises(RunError, match=r"train\.jsonl:3: the record of a step is half written"):
        list(run.read_steps())


def test_a_study_is_read_as_it_was_written(tmp_path):
    files = StudyLayout(tmp_path)
    assert not files.is_there
    files.write_record(STUDY)
    assert files.is_there
    assert files.read_record() == STUDY


@pytest.mark.parametrize("change", [{"methods": []}, {"seeds": ["x"]}, {"methods": None}])
def test_a_study_with_a_broken_field_is_named(tmp_path, change):
    files = StudyLayout(tmp_path)
    content = {"format_version": 1, **STUDY, **change}
    if change == {"methods": []}:
        del content["baseline"]
    files.record.write_text(json.dumps(content))
    with pytest.raises(RunError, match="a field is missing or of the wrong kind"):
        files.read_record()


def test_a_plan_is_found_in_its_own_folder_and_in_that_of_its_run(tmp_path):
    run = RunLayout(tmp_path)
    assert PlanLayout.of(tmp_path).folder == tmp_path
    run.plan.folder.mkdir()
    assert PlanLayout.of(tmp_path) == run.plan
    assert PlanLayout.of(run.plan.folder) == run.plan


def test_a_plan_knows_the_run_that_follows_it(tmp_path):
    run = RunLayout(tmp_path)
    assert run.plan.run is None
    run.add_to_record({"state": "running"})
    assert run.plan.run == run
    assert PlanLayout(tmp_path / "other").run is None


def test_only_splits_with_scores_count_as_evaluated(tmp_path):
    run = RunLayout(tmp_path)
    for split in ("dev", "test"):
        run.evaluation(split).folder.mkdir(parents=True)
    run.judge_replies.mkdir()
    run.evaluation("test").scores.write_text("{}")
    assert run.evaluations() == {"test": run.evaluation("test")}
