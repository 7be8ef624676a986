"""Tasks are values: read from YAML, changed by name, written and read back equal."""

from pathlib import Path

import numpy as np
import pytest

from maqam.data.manifest import read_manifest, write_manifest
from maqam.data.pool import pool_from_manifest
from maqam.errors import ConfigError, ManifestError, RunError
from maqam.recipe import load_recipe, validate
from maqam.runs.folders import keep_tasks
from maqam.schedule import make_plan, schedule_from_table
from maqam.tasks import (
    TASKS_FILE,
    default_tasks,
    label_of,
    read_tasks,
    tasks_as_table,
    tasks_from_table,
    tasks_in,
    transcribed_tasks,
    write_tasks,
)
from tests.factories import make_row

TRANSLATION = """
st:
  title: speech translation
  prompts: {en: Translate the speech into English.}
  input: audio
  level: 3
  metrics: [chrf]
"""
WHOLE = {"prompts": {"en": "Who speaks?"}, "input": "audio", "level": 2}


def test_the_five_of_the_paper_come_from_yaml_in_their_order() -> None:
    found = default_tasks()
    assert list(found) == ["asr", "did", "ser", "ssum", "tsum"]
    assert [task.level for task in found.values()] == [1, 2, 2, 3, 3]
    assert [task.has_audio for task in found.values()] == [True, True, True, True, False]
    assert all(set(task.prompts) == {"ar", "en"} for task in found.values())


def test_a_task_of_ones_own_joins_the_known_ones(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(TRANSLATION)
    found = read_tasks(file)
    assert list(found) == [*default_tasks(), "st"]
    assert found["st"].labels == ()
    assert found["st"].metrics == ("chrf",)
    assert found["st"].target == "target"


def test_a_known_name_changes_that_task_and_keeps_what_is_not_said() -> None:
    found = tasks_from_table({"asr": {"prompts": {"ar": "اكتب."}}}, default_tasks(), where="x")
    before = default_tasks()["asr"]
    assert found["asr"].prompts == {"ar": "اكتب.", "en": before.prompts["en"]}
    assert found["asr"].metrics == before.metrics
    assert found["did"] == default_tasks()["did"]


def test_labels_may_be_a_label_set_of_the_taxonomy() -> None:
    found = tasks_from_table({"country": {**WHOLE, "labels": "adi17"}}, {}, where="x")
    assert len(found["country"].labels) == 17
    assert found["country"].metrics == ("macro_f1", "accuracy")


@pytest.mark.parametrize(
    ("labels", "target", "code", "label"),
    [
        ("adi17", "dialect", "EG-CAI", "EGY"),
        ("city", "dialect", "EG-CAI", "EG-CAI"),
        ("country", "dialect", "EG-CAI", "EG"),
        ("country", "dialect", "msa", "msa"),
        ("country", "dialect", "egyptian", None),
        ("region", "dialect", "EG-CAI", "egyptian"),
        (["EG", "gulf"], "dialect", "SA-JED", "gulf"),
        ("emotion", "emotion", "excited", "happy"),
        ("emotion", "emotion", "surprised", "surprised"),
        ("intensity", "intensity", "high", "high"),
        (["female", "male"], "label", "male", "male"),
        (["female", "male"], "label", "EG", None),
    ],
)
def test_a_label_is_read_off_the_finest_code_at_the_level_that_the_task_asks_for(
    labels: str | list[str], target: str, code: str, label: str | None
) -> None:
    task = tasks_from_table({"st": {**WHOLE, "labels": labels}}, {}, where="x")["st"]
    assert task.target == target
    assert label_of(code, task) == label


def test_a_task_of_ones_own_is_transcription_by_what_it_asks_for_and_not_by_its_name() -> None:
    own = {**WHOLE, "answer": "text", "metrics": ["wer"]}
    tasks = tasks_from_table(
        {
            "dictation": {**own, "target": "text"},
            "st": own,
            "read": {**own, "target": "text", "input": "text"},
        },
        default_tasks(),
        where="x",
    )
    assert transcribed_tasks(tasks) == ("asr", "dictation")


def test_tasks_are_written_and_read_back_equal(tmp_path: Path) -> None:
    tasks = tasks_from_table({"sex": {**WHOLE, "labels": ["f", "m"]}}, default_tasks(), where="x")
    write_tasks(tasks, tmp_path)
    assert tasks_in(tmp_path) == tasks
    assert tasks_from_table(tasks_as_table(tasks), {}, where="x") == tasks


@pytest.mark.parametrize(
    ("table", "place", "problem", "hint"),
    [
        ({"st": {"promts": {}}}, "tasks.st.promts", "unknown key", "did you mean 'prompts'"),
        ({"st": {"labels": "adi71"}}, "tasks.st.labels", "no label set or level 'adi71'", ""),
        ({"st": {"labels": ["a", "a"]}}, "tasks.st.labels", "all different", ""),
        ({"st": {"prompts": {"ar": "a\nb"}}}, "tasks.st.prompts.ar", "one line", ""),
        ({"st": {"prompts": {"ar": "a\0"}}}, "tasks.st.prompts.ar", "holds a NUL", ""),
        ({"st": {"prompts": {"ar": "\ud800"}}}, "tasks.st.prompts.ar", "half a character", ""),
        ({"did": {"labels": ["a\udc00", "b"]}}, "tasks.did.labels", "half a character", ""),
        ({"st": {"level": "city"}}, "tasks.st.level", "write labels: city", ""),
        ({"st": {"level": 0}}, "tasks.st.level", "greater than or equal to 1", ""),
        ({"st": {"input": "audio"}}, "tasks.st", "lacks prompts, level, metrics", ""),
        ({"st": {**WHOLE, "answer": "label"}}, "tasks.st", "label without labels", ""),
        ({"s t": {}}, "tasks.s t", "match pattern", ""),
        ({"st": "x"}, "tasks.st", "dictionary", ""),
    ],
)
def test_an_unsound_task_is_one_line_with_file_and_key(
    tmp_path: Path, table: dict[str, object], place: str, problem: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        tasks_from_table(table, {}, where="mine.yaml")
    text = str(caught.value)
    assert f"mine.yaml: {place}" in text
    assert problem in text
    assert "\n" not in text
    assert hint in (caught.value.hint or "")


def test_a_file_that_is_no_yaml_or_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        read_tasks(tmp_path / "none.yaml")
    (tmp_path / TASKS_FILE).write_text("a: [")
    with pytest.raises(ConfigError, match=r"tasks\.yaml:1: not YAML"):
        tasks_in(tmp_path)


def test_a_recipe_names_the_line_of_a_fault_in_its_tasks(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text("tasks:\n  st:\n    promts: {ar: x}\n")
    with pytest.raises(ConfigError, match=r"r.yaml:3: tasks.st.promts: unknown") as caught:
        load_recipe(file)
    assert caught.value.hint == "did you mean 'prompts'?"


def test_a_manifest_knows_the_tasks_beside_it(tmp_path: Path) -> None:
    rows = [make_row(index, task="st") for index in range(4)]
    with pytest.raises(ManifestError, match="task is 'st', not one of asr, did"):
        write_manifest(rows, tmp_path)
    (tmp_path / TASKS_FILE).write_text(TRANSLATION)
    assert "st" in read_manifest(write_manifest(rows, tmp_path)).tasks


def test_a_recipe_changes_the_tasks_of_its_manifest(tmp_path: Path) -> None:
    (tmp_path / TASKS_FILE).write_text(TRANSLATION)
    recipe = validate({"tasks": {"st": {"level": 1}, "asr": {"level": 2}}}, where="x")
    found = recipe.tasks_of(tmp_path)
    assert (found["st"].level, found["asr"].level, found["did"].level) == (1, 2, 2)


def test_tpc_orders_tasks_of_ones_own_by_their_level(tmp_path: Path) -> None:
    rows = [make_row(index, task="st" if index % 2 else "asr") for index in range(8)]
    for level, order in ((3, ["asr", "st"]), (1, ["asr + st"])):
        changed = TRANSLATION.replace("level: 3", f"level: {level}")
        (tmp_path / TASKS_FILE).write_text(changed)
        manifest = read_manifest(write_manifest(rows, tmp_path))
        pool = pool_from_manifest(manifest, np.arange(8))
        schedule = schedule_from_table({"kind": "tpc"})
        plan = make_plan(schedule, pool, steps=4, batch_size=2, seed=0)
        assert [name for _, name in plan.stages] == order


def test_a_run_that_was_begun_with_other_tasks_is_not_gone_on_with(tmp_path: Path) -> None:
    keep_tasks(default_tasks(), tmp_path)
    changed = tasks_from_table({"did": {"level": 1}}, default_tasks(), where="x")
    keep_tasks(changed, tmp_path)  # nothing began yet
    (tmp_path / "run.json").write_text("{}")
    keep_tasks(changed, tmp_path)
    with pytest.raises(RunError, match="task did is not what it was"):
        keep_tasks(default_tasks(), tmp_path)
