"""File names of runs and studies stand in one module, and what the files hold is checked there."""

import ast
import json
from pathlib import Path

import pytest

from maqam.errors import RunError
from maqam.run_layout import (
    EvaluationLayout,
    PlanLayout,
    RunLayout,
    StudyLayout,
    StudyTable,
)

SOURCE = Path(__file__).parents[1] / "src" / "maqam"
OWNER = SOURCE / "run_layout.py"
PLACE = Path("place")
STUDY: StudyTable = {
    "name": "three",
    "baseline": "uniform",
    "seeds": [0, 1],
    "methods": ["uniform", "ads"],
    "synthetic": True,
}


NAMED_ALIKE = {  # files of another kind
    "features/store.py": {"rows.npy", "offsets.npy"},
    "report/page.py": {"report.html"},  # a template
    "cli/report.py": {"report.html"},  # where the user is asked
}


def names() -> set[str]:
    """Return the name of everything a layout knows."""
    layouts = (
        PlanLayout(PLACE),
        EvaluationLayout(PLACE),
        RunLayout(PLACE),
        StudyLayout(PLACE),
    )
    paths = [
        value.folder if isinstance(value, PlanLayout) else value
        for layout in layouts
        for name in dir(type(layout))
        if isinstance(getattr(type(layout), name), property)
        for value in [getattr(layout, name)]
        if isinstance(value, Path | PlanLayout)
    ]
    return {part for path in paths for part in path.parts if part != "place"} | {"judge.json"}


def spelled(path: Path, known: set[str]) -> list[str]:
    """Return the known names that a module spells: files anywhere, folders where a path is made."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            node = node.right
            if isinstance(node, ast.Constant) and node.value in known:
                found.append(node.value)
        elif isinstance(node, ast.Constant) and node.value in known and "." in str(node.value):
            found.append(node.value)
    return found


def test_no_other_module_spells_a_file_of_a_run_or_a_study() -> None:
    known = names()
    assert {"run.json", "train.jsonl", "weights", "scores.json", "plan.json", "study.json"} <= known
    used = {
        path.relative_to(SOURCE).as_posix(): spelled(path, known)
        for path in SOURCE.rglob("*.py")
        if path != OWNER
    }
    assert {module: set(found) for module, found in used.items() if found} == NAMED_ALIKE


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
