"""A study as a value."""

import pytest

from maqam.errors import ConfigError
from maqam.recipe import load_recipe
from maqam.studies.grid import load_study, make_study


def test_a_seed_named_twice_is_refused():
    values = {"baseline": "plain", "methods": {"plain": {}}, "seeds": [3, 1, 3]}
    with pytest.raises(ConfigError, match=r"my\.yaml: seeds: seed 3 is there 2 times"):
        make_study(values, where="my.yaml")
    assert make_study({**values, "seeds": [3, 1]}, where="my.yaml").seeds == (3, 1)


STUDY = (
    "baseline: plain\nbase:\n  train: {num_steps: 5}\n"
    "methods:\n  plain: {}\n  other:\n    train: {batch_size: 4}\n"
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("override", "where", "problem"),
    [
        ("seeds=3", "seeds", "must be a list (got 3)"),
        ("seeds=[]", "seeds", "must not be empty (got [])"),
        ("seeds=[true]", "seeds.0", "must be a whole number (got True)"),
        ("seeds=[1, 1]", "seeds", "seed 1 is there 2 times"),
        ("baseline=best", "baseline", "the baseline 'best' is not among the methods"),
        ("base.train.num_steps=x", "base.train.num_steps", "must be a whole number (got 'x')"),
        ("methods.other.train.lr=1", "methods.other.train.lr", "unknown key 'lr'"),
    ],
)
def test_a_fault_of_the_command_line_names_the_override(file, override, where, problem):
    with pytest.raises(ConfigError) as caught:
        load_study(file, [override])
    assert caught.value.where == f"command line: {where}"
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ("num_steps: 5", "num_steps: x", "3: base.train.num_steps"),
        ("batch_size: 4", "batch_size: x", "7: methods.other.train.batch_size"),
        ("baseline: plain", "baseline: 5", "1: baseline"),
    ],
)
def test_a_fault_of_a_recipe_in_a_study_is_named_with_its_line(file, before, after, place):
    file.write_text(file.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_study(file)
    assert caught.value.where == f"{file}:{place}"


def test_a_recipe_given_as_a_study_and_a_study_as_a_recipe_are_recognised(file, tmp_path):
    with pytest.raises(ConfigError, match="this is a study of several runs") as caught:
        load_recipe(file)
    assert caught.value.hint == f"maqam study {file}"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("schedule: {kind: ads}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="this is a recipe of one run") as caught:
        load_study(recipe)
    assert f"maqam train {recipe}" in caught.value.hint


@pytest.mark.parametrize("key", ["name", "seed", "output"])
@pytest.mark.parametrize("table", ["base", "methods.other"])
def test_what_the_study_decides_is_refused_in_its_runs(file, table, key):
    with pytest.raises(ConfigError, match=f"the {key} of a run is the study's") as caught:
        load_study(file, [f"{table}.{key}=3"])
    assert caught.value.where == f"command line: {table}.{key}"
