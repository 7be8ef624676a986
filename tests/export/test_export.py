import hashlib

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maqam.data.manifest import read_manifest, write_manifest
from maqam.errors import AudioError, ConfigError, ScheduleError
from maqam.export.export import ExportSettings, export_plan
from maqam.schedule import Tpc
from tests.export.plans import exported, lines, meta, plan_of, small_plan
from tests.factories import make_manifest, make_row

TRAINERS = ["ms-swift", "llamafactory", "hf-datasets"]
TEXT_ROWS = [4, 9, 14, 19]  # of `make_manifest`: every fifth is text summarization


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return make_manifest(tmp_path_factory.mktemp("corpus"), 20)


def rows_of(folder):
    if (folder / "schedule.parquet").exists():
        return pq.read_table(folder / "schedule.parquet").to_pylist()
    return lines(folder)


def ids_by_step(folder, batch_size):
    ids = [row["id"] for row in rows_of(folder)]
    return [sorted(ids[at : at + batch_size]) for at in range(0, len(ids), batch_size)]


@pytest.mark.parametrize("target", TRAINERS)
def test_every_window_of_the_file_is_a_step_of_the_plan(manifest, tmp_path, target):
    plan = small_plan(manifest, steps=5, batch_size=8)
    folder = exported(
        plan, manifest, tmp_path / "out", target=target, world_size=2, micro_batch_size=2
    )
    wanted = [sorted(row["id"] for row in manifest.rows(plan.batch(step))) for step in range(5)]
    assert ids_by_step(folder, 8) == wanted


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.integers(1, 6),
    split=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2)),
    target=st.sampled_from(TRAINERS),
)
def test_no_row_is_added_or_lost(manifest, tmp_path_factory, steps, split, target):
    world_size, micro_batch_size, accumulation = split
    batch_size = world_size * micro_batch_size * accumulation
    plan = small_plan(manifest, steps=steps, batch_size=batch_size)
    folder = exported(
        plan,
        manifest,
        tmp_path_factory.mktemp("exports") / "out",
        target=target,
        world_size=world_size,
        micro_batch_size=micro_batch_size,
    )
    assert len(rows_of(folder)) == steps * batch_size
    assert meta(folder)["accumulation"] == accumulation


def test_jsonl_keeps_the_plans_order(manifest, tmp_path):
    plan = small_plan(manifest, steps=3)
    ids = [row["id"] for row in lines(exported(plan, manifest, tmp_path / "out"))]
    assert ids == [row["id"] for row in manifest.rows(plan.rows)]


def test_jsonl_takes_steps_of_different_sizes(manifest, tmp_path):
    folder = exported(plan_of([[0, 1, 2], [3]], unit="seconds"), manifest, tmp_path / "out")
    assert [row["step"] for row in lines(folder)] == [0, 0, 0, 1]


@pytest.mark.parametrize("target", ["ms-swift", "llamafactory", "jsonl"])
def test_the_first_row_has_audio_where_the_first_step_has(manifest, tmp_path, target):
    plan = plan_of([[4, 9, 14, 10]])
    folder = exported(plan, manifest, tmp_path / "out", target=target, micro_batch_size=4)
    assert lines(folder)[0]["id"] == "utterance-10"


def test_a_first_step_of_text_goes_to_typed_parquet(manifest, tmp_path):
    folder = exported(plan_of([[4, 9], [0, 1]]), manifest, tmp_path / "out", target="ms-swift")
    assert meta(folder)["rows"] == "schedule.parquet"
    assert [row["id"] for row in rows_of(folder)][:2] == ["utterance-4", "utterance-9"]


def test_text_alone_stays_json_lines(manifest, tmp_path):
    folder = exported(plan_of([TEXT_ROWS]), manifest, tmp_path / "out", target="ms-swift")
    assert all(row["audios"] == [] for row in lines(folder))


def test_llama_factory_cannot_read_a_thousand_rows_of_text_first(manifest, tmp_path):
    plan = plan_of([TEXT_ROWS] * 250 + [[0, 1, 2, 3]])
    with pytest.raises(ScheduleError, match="first 1000 rows have no audio"):
        exported(plan, manifest, tmp_path / "out", target="llamafactory")


def test_audio_paths_are_absolute(manifest, tmp_path):
    folder = exported(plan_of([[0]]), manifest, tmp_path / "out")
    assert lines(folder)[0]["audios"] == [str((manifest.folder / "audio/0.wav").resolve())]


@pytest.mark.parametrize("target", TRAINERS)
@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (plan_of([[0, 1], [2]]), "different numbers, from 1 to 2 rows"),
        (plan_of([[0], [2]], unit="seconds"), "1 seconds, from 1 to 1 rows"),
    ],
)
def test_steps_without_one_size_are_refused(manifest, tmp_path, target, plan, words):
    with pytest.raises(ScheduleError, match=words):
        exported(plan, manifest, tmp_path / "out", target=target)


def test_a_step_that_does_not_split_is_refused(manifest, tmp_path):
    with pytest.raises(ScheduleError, match="step of 3 rows is no whole number of windows of 2"):
        exported(plan_of([[0, 1, 2]]), manifest, tmp_path / "out", target="ms-swift", world_size=2)


def test_rows_that_the_manifest_lacks_are_refused(manifest, tmp_path):
    with pytest.raises(ScheduleError, match="names row 20 and the manifest has 20"):
        exported(plan_of([[20]]), manifest, tmp_path / "out")


def test_a_manifest_of_other_tasks_is_refused(manifest, tmp_path):
    rows = [make_row(index, task="asr") for index in range(20)]
    other = read_manifest(write_manifest(rows, tmp_path / "other"))
    with pytest.raises(ScheduleError, match=r"its rows are \{'asr': 16\} here"):
        exported(small_plan(manifest), other, tmp_path / "out")


@pytest.mark.parametrize("target", ["llamafactory", "hf-datasets"])
def test_weights_that_a_trainer_cannot_keep_are_refused(manifest, tmp_path, target):
    with pytest.raises(ConfigError, match="has no loss weight of a row"):
        exported(
            plan_of([[0]]), manifest, tmp_path / "out", target=target, loss_weights={"asr": 2.0}
        )


def test_weights_of_absent_tasks_do_no_harm(manifest, tmp_path):
    weights = {"did": 3.0, "asr": 1.0}
    exported(
        plan_of([[0]]), manifest, tmp_path / "out", target="llamafactory", loss_weights=weights
    )


def test_a_weight_of_an_unknown_task_is_refused(manifest, tmp_path):
    with pytest.raises(ConfigError, match="no task 'asrr'"):
        exported(plan_of([[0]]), manifest, tmp_path / "out", loss_weights={"asrr": 2.0})


def test_an_unknown_target_is_refused(manifest, tmp_path):
    with pytest.raises(ConfigError, match="no export target 'nemo'"):
        exported(plan_of([[0]]), manifest, tmp_path / "out", target="nemo")


@pytest.mark.parametrize("name", ["world_size", "micro_batch_size"])
def test_sizes_below_one_are_an_error(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        ExportSettings(**{name: 0})


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_must_be_above_zero(weight):
    with pytest.raises(ValueError, match="loss_weights must be above 0"):
        ExportSettings(loss_weights={"asr": weight})


def test_a_folder_that_exists_is_left_alone(manifest, tmp_path):
    folder = exported(plan_of([[0]]), manifest, tmp_path / "out")
    with pytest.raises(ConfigError, match="the folder exists") as caught:
        exported(plan_of([[1]]), manifest, folder)
    assert "--force" in caught.value.hint
    assert lines(folder)[0]["id"] == "utterance-0"


def test_an_export_is_replaced_when_asked(manifest, tmp_path):
    folder = exported(plan_of([[0]]), manifest, tmp_path / "out")
    exported(plan_of([[1]]), manifest, folder, overwrite=True)
    assert lines(folder)[0]["id"] == "utterance-1"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_of_other_things_is_never_replaced(manifest, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years")
    with pytest.raises(ConfigError, match="it is no export"):
        exported(plan_of([[0]]), manifest, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years"


def test_a_failed_export_leaves_nothing(manifest, tmp_path):
    corpus = make_manifest(tmp_path / "corpus", 4)
    (tmp_path / "corpus" / "audio" / "3.wav").unlink()
    with pytest.raises(AudioError, match="missing"):
        exported(plan_of([[0, 3]]), corpus, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_folder_that_cannot_be_written_is_named(manifest, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        exported(plan_of([[0]]), manifest, tmp_path / "file" / "out")


def test_the_sidecar_holds_the_hash_of_the_ids_in_order(manifest, tmp_path):
    folder = exported(
        small_plan(manifest), manifest, tmp_path / "out", target="ms-swift", micro_batch_size=2
    )
    ids = "".join(f"{row['id']}\n" for row in lines(folder))
    assert meta(folder)["ids_sha256"] == hashlib.sha256(ids.encode()).hexdigest()


def test_the_sidecar_names_the_plan(manifest, tmp_path):
    plan = small_plan(manifest, schedule=Tpc())
    found = meta(exported(plan, manifest, tmp_path / "out", target="ms-swift"))
    assert found["plan_fingerprint"] == plan.fingerprint
    assert found["schedule"] == plan.schedule
    assert (found["num_steps"], found["batch_size"], found["seed"]) == (4, 4, 3)


def test_the_sidecars_tasks_add_up(manifest, tmp_path):
    plan = small_plan(manifest, steps=250, batch_size=4)
    tasks = meta(exported(plan, manifest, tmp_path / "out"))["tasks"]
    assert len(tasks["counts"]) == 100
    wanted = plan.shares["task"].counts.sum(axis=0).tolist()
    assert np.sum(tasks["counts"], axis=0).tolist() == wanted


def test_progress_is_told_each_step(manifest, tmp_path):
    seen = []
    export_plan(
        plan_of([[0], [1]]),
        manifest,
        tmp_path / "out",
        target="jsonl",
        settings=ExportSettings(),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 2), (2, 2)]
