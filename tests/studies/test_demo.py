"""The main job, small: real speech synthesis, the shipped pocket model, four schedules."""

import json
import shutil
from pathlib import Path

import pytest

from maqam.data.manifest import read_manifest
from maqam.errors import ConfigError, RunError, ScheduleError
from maqam.progress import no_bars
from maqam.recipe import Recipe, load_recipe, validate
from maqam.report.overlap import NOT_CHECKED
from maqam.runs import folders, plans, stages
from maqam.runs.session import Session
from maqam.schedule import load_plan
from maqam.studies.demo import demo_study
from maqam.studies.overlap import check_overlap
from maqam.studies.runner import Outcome, run_study

SMALL = (
    "base.data.synth.train={asr: 24, did: 10, ser: 8, ssum: 3, tsum: 3}",
    "base.data.synth.dev={asr: 1}",
    "base.data.synth.test={asr: 4, did: 5, ser: 4, ssum: 2, tsum: 2}",
    "base.train.num_steps=2",
    "base.train.batch_size=8",
    "base.score.max_new_tokens=4",
    "base.score.num_resamples=50",
)
METHODS = ("uniform", "tpc", "ads", "hybrid")


def run(folder: Path) -> tuple[Outcome, list[str]]:
    said: list[str] = []
    return run_study(demo_study(folder, 0, SMALL), no_bars, said.append), said


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    run(folder)
    return folder


def run_folder(study: Path, method: str) -> Path:
    return study / "runs" / f"{method}-seed0"


def copied(recipe: Recipe, **changes: object) -> Recipe:
    return validate({**recipe.model_dump(), **changes}, where="test")


def test_every_method_is_trained_scored_and_reported(study: Path) -> None:
    page = (study / "report.html").read_text(encoding="utf-8")
    rows = json.loads((study / "comparison.json").read_text())["rows"]
    for method in METHODS:
        scores = json.loads((run_folder(study, method) / "eval/test/scores.json").read_text())
        assert {one["task"] for one in scores["scores"]} == {"asr", "did", "ser", "ssum", "tsum"}
        assert scores["synthetic"] is True
        assert method in page
        assert any(row["method"] == method for row in rows)
    assert "synthetic" in page.lower()


def test_methods_have_equal_budget_and_different_rows(study: Path) -> None:
    folders = [run_folder(study, method) for method in METHODS]
    plans = [load_plan(folder / "plan") for folder in folders]
    records = [json.loads((folder / "run.json").read_text()) for folder in folders]
    assert len({(plan.offsets.tobytes(), plan.seed) for plan in plans}) == 1
    assert len({record["fingerprints"]["manifest"] for record in records}) == 1
    assert len({plan.fingerprint for plan in plans}) == len(METHODS)


def test_one_seed_gives_no_verdict(study: Path) -> None:
    rows = json.loads((study / "comparison.json").read_text())["rows"]
    assert not {row["verdict"] for row in rows} & {"better", "worse"}


def test_the_overlap_of_the_splits_is_found_once_and_reported(study: Path) -> None:
    path = study / "overlap.json"
    found = json.loads(path.read_text())
    assert (found["train"]["split"], found["test"]["split"]) == ("train", "test")
    assert found["num_train"] > found["num_test"] > found["num_leaking"] == 0
    assert found["verdict"] in (study / "report.html").read_text(encoding="utf-8")
    written = path.stat().st_mtime_ns
    run(study)
    assert path.stat().st_mtime_ns == written
    whole = path.read_text()
    older = whole.replace('"format_version": 1', '"format_version": 0')
    other_split = whole.replace('"split": "test"', '"split": "dev"')
    other_rows = whole.replace(found["train"]["fingerprint"], "0" * 32)
    assert whole not in (older, other_split, other_rows)
    manifest = read_manifest(study / "runs" / "corpus")
    for spoilt in ("{", '{"verdict": "clear"}', other_split, other_rows, older):
        path.write_text(spoilt)
        check_overlap(manifest, ("train", "test"), path, no_bars, lambda line: None)
        assert json.loads(path.read_text()) == found


def test_a_leak_is_said(study: Path, tmp_path: Path) -> None:
    manifest = read_manifest(study / "runs" / "corpus")
    for _ in range(2):
        said: list[str] = []
        check_overlap(manifest, ("train", "train"), tmp_path / "overlap.json", no_bars, said.append)
        assert [line.startswith("LEAK: 48 of 48 test utterances") for line in said] == [True]


def test_overlap_is_not_looked_for_where_the_study_says_so(study: Path) -> None:
    assert (study / "overlap.json").exists()
    run_study(demo_study(study, 0, (*SMALL, "check_overlap=false")), no_bars, lambda line: None)
    assert not (study / "overlap.json").exists()
    assert NOT_CHECKED in (study / "report.html").read_text(encoding="utf-8")
    run(study)


def test_what_is_finished_is_kept(study: Path) -> None:
    weights = run_folder(study, "ads") / "adapter" / "adapter_model.safetensors"
    before = weights.stat().st_mtime_ns
    _, said = run(study)
    assert len([line for line in said if "finished before, kept" in line]) == len(METHODS)
    assert weights.stat().st_mtime_ns == before


def test_a_run_that_is_only_planned_is_trained_to_the_same_weights(study: Path) -> None:
    folder = run_folder(study, "tpc")
    weights = folder / "adapter" / "adapter_model.safetensors"
    before = weights.read_bytes()
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
        elif path.name != "plan":
            shutil.rmtree(path)
    run(study)
    assert weights.read_bytes() == before


def test_a_study_does_not_mix_with_runs_of_another_recipe(study: Path) -> None:
    other = demo_study(study, 0, (*SMALL, "base.train.learning_rate=1e-5"))
    with pytest.raises(RunError, match="the folder holds a run of another recipe"):
        run_study(other, no_bars, lambda line: None)


def test_a_plan_of_another_schedule_is_not_followed(study: Path) -> None:
    recipe = load_recipe(run_folder(study, "ads") / "recipe.yaml")
    session = Session(recipe)
    own = copied(recipe, name="another")
    plans.write_plan(session.of(own), own.folder / "plan", overwrite=False)
    for changed in ({"schedule": {"kind": "uniform"}}, {"seed": 1}):
        with pytest.raises(ScheduleError, match="dealt by another schedule, deal or seed"):
            stages.train(session.of(copied(own, **changed)))


def test_a_written_plan_is_not_written_over_unasked(study: Path) -> None:
    recipe = load_recipe(run_folder(study, "ads") / "recipe.yaml")
    session = Session(recipe)
    with pytest.raises(RunError, match="the folder holds a plan"):
        plans.write_plan(session, recipe.folder / "plan", overwrite=False)


def test_an_unfinished_run_is_not_scored(study: Path, tmp_path: Path) -> None:
    recipe = run_folder(study, "ads") / "recipe.yaml"
    (tmp_path / "recipe.yaml").write_bytes(recipe.read_bytes())
    (tmp_path / "run.json").write_text('{"format_version": 1, "state": "running"}')
    with pytest.raises(RunError, match="the run is not finished"):
        stages.evaluate(Session(folders.recipe_of(tmp_path)), tmp_path)


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run here"):
        folders.recipe_of(tmp_path)


def test_a_split_without_rows_is_refused(study: Path) -> None:
    recipe = load_recipe(run_folder(study, "ads") / "recipe.yaml")
    data = {**recipe.data.model_dump(), "train_split": "training"}
    with pytest.raises(ScheduleError, match="no utterance of split 'training'"):
        Session(copied(recipe, data=data)).pool  # noqa: B018


def test_a_normaliser_that_does_not_exist_is_refused_with_the_recipe() -> None:
    with pytest.raises(ConfigError, match="no normalizer profile 'v9'"):
        validate({}, ["score.profile=v9"], where="test")


def test_a_drawn_mixture_inside_then_is_refused_with_the_recipe() -> None:
    drawn = "{kind: mixture, mixture: balanced, deal: draw}"
    with pytest.raises(ConfigError, match="its deal cannot be draw"):
        validate({}, [f"schedule={{kind: then, first: {drawn}, second: {{kind: ads}}}}"], where="x")
