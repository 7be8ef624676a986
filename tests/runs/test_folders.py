"""A run's recipe, read where the run is not."""

import os
from pathlib import Path

import pytest

from maqam.recipe import dump_yaml, validate
from maqam.run_layout import RunLayout
from maqam.runs.folders import recipe_from_here


def begun(job: Path, **data: object) -> Path:
    """Write the recipe of a run that was begun in a folder, all its paths relative."""
    for name in ("data/one", "data/two", "model"):
        (job / name).mkdir(parents=True)
    values = {
        "name": "r",
        "output": "runs",
        "data": {"manifest": "data/one", **data},
        "model": {"kind": "auto", "path": "model"},
    }
    recipe = validate(values, where="recipe")
    run = job / recipe.folder
    run.mkdir(parents=True)
    RunLayout(run).recipe.write_text(dump_yaml(recipe), encoding="utf-8")
    return run


def test_paths_of_a_run_are_right_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tmp_path / "job"
    run = begun(job)
    monkeypatch.chdir(tmp_path)
    for named in (run, Path(os.path.relpath(run))):
        recipe = recipe_from_here(named)
        assert recipe.folder.resolve() == run
        assert [place.resolve() for place in recipe.places] == [job / "data/one"]
        assert recipe.model.path == str(job / "model")


def test_the_manifests_of_a_pool_and_a_hub_id_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tmp_path / "job"
    run = begun(job, manifest=["data/one", {"path": "data/two", "where": "seconds > 1"}])
    (job / "model").rmdir()
    monkeypatch.chdir(tmp_path)
    recipe = recipe_from_here(run)
    assert [place.resolve() for place in recipe.places] == [job / "data/one", job / "data/two"]
    assert recipe.data.parts[1].where == "seconds > 1"
    assert recipe.model.path == "model"  # no folder of that name: an id of the hub


def test_a_recipe_stays_as_it_is_in_the_folder_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert recipe_from_here(run).data.manifest == "data/one"
