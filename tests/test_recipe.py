from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maqam.errors import ConfigError
from maqam.recipe import Recipe, dump_yaml, load_recipe, validate, with_overrides
from maqam.schedule import Uniform
from maqam.studies.grid import make_study
from maqam.yaml_files import read_yaml

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))

EVERY_KIND = (
    "{kind: uniform}",
    "{kind: alpha}",
    "{kind: stratified}",
    "{kind: tpc}",
    "{kind: ads}",
    "{kind: mixture}",
    "{kind: then, first: {kind: tpc}, second: {kind: ads}}",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recipe.yaml"


@dataclass(frozen=True, slots=True)
class Refusal:
    where: str
    problem: str
    hint: str


def refusal(file: Path, text: str, *overrides: str) -> Refusal:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_recipe(file, overrides)
    assert "\n" not in str(caught.value)
    return Refusal(caught.value.where, caught.value.problem, caught.value.hint)


def loaded(file: Path, text: str, *overrides: str) -> Recipe:
    file.write_text(text, encoding="utf-8")
    return load_recipe(file, overrides)


def test_an_empty_recipe_is_all_defaults(file: Path) -> None:
    assert loaded(file, "# nothing\n") == Recipe()
    assert Recipe().folder == Path("runs/run")


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_key(file: Path) -> None:
    found = refusal(file, "name: one\ntrain:\n  num_steps: 5\n  batch_sice: 4\n")
    assert found.where == f"{file}:4: train.batch_sice"
    assert found.problem == "unknown key 'batch_sice'"
    assert found.hint == "did you mean 'batch_size'?"


def test_an_unknown_key_at_the_top_is_named(file: Path) -> None:
    found = refusal(file, "sead: 1\n")
    assert found.where == f"{file}:1: sead"
    assert found.hint == "did you mean 'seed'?"


def test_a_key_like_no_other_gets_the_list_of_known_keys(file: Path) -> None:
    found = refusal(file, "xyzzy: 1\n")
    assert found.hint.startswith("known keys: data, deal, diagnose, features, model")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("data:\n  manifst: corpus\n", ":2: data.manifst"),
        ("data:\n  synth:\n    sed: 1\n", ":3: data.synth.sed"),
        ("model: {kindd: pocket}\n", ":1: model.kindd"),
        ("\nfeatures:\n  num_cluster: 3\n", ":3: features.num_cluster"),
        ("objective:\n  normalise: token\n", ":2: objective.normalise"),
        ("score:\n  profil: raw\n", ":2: score.profil"),
    ],
)
def test_an_unknown_key_of_every_table_is_named(file: Path, text: str, where: str) -> None:
    assert refusal(file, text).where == f"{file}{where}"


def test_an_unknown_key_of_a_schedule_is_named(file: Path) -> None:
    found = refusal(file, "\nschedule:\n  kind: alpha\n  alfa: 0.5\n")
    assert found.where == f"{file}:4: schedule.alfa"
    assert found.problem == "unknown key 'alfa'"
    assert found.hint == "did you mean 'alpha'?"


def test_a_value_of_the_wrong_type_is_shown(file: Path) -> None:
    found = refusal(file, "seed: 0\ntrain:\n  num_steps: many\n")
    assert found.where == f"{file}:3: train.num_steps"
    assert "'many'" in found.problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: -1\n", "greater than or equal to 0"),
        ("seed: 1.5\n", "got 1.5"),
        ("name: a b\n", "got 'a b'"),
        ("train: {learning_rate: 0}\n", "learning_rate must be above 0"),
        ("train: {phase: tuned}\n", "'align' or 'tune'"),
        ("train: 5\n", "got 5"),
        ("train: {phase: align, llm: off}\n", 'llm "off" leaves the CTC loss only'),
        (
            "{train: {phase: align, llm: off}, objective: {ctc_weight: 1}, diagnose: {every: 5}}\n",
            'llm "off" leaves no next-token loss',
        ),
        ("schedule: {kind: tcp}\n", "tcp"),
        ("score: {profile: nonesuch}\n", "nonesuch"),
    ],
)
def test_a_setting_that_cannot_be_followed_says_why(file: Path, text: str, words: str) -> None:
    found = refusal(file, text)
    assert words in found.problem
    assert found.hint


def test_more_faults_than_one_are_counted(file: Path) -> None:
    assert refusal(file, "sead: 1\nnam: two\n").problem.endswith("(and 1 more)")


def test_a_file_that_is_not_yaml_is_named_with_its_line(file: Path) -> None:
    assert refusal(file, "name: one\ntrain: {a: [1\n").where.startswith(f"{file}:")


def test_a_key_given_twice_is_refused(file: Path) -> None:
    found = refusal(file, "seed: 1\nseed: 2\n")
    assert found.where == f"{file}:2"
    assert "seed" in found.problem


def test_a_file_that_is_no_table_is_refused(file: Path) -> None:
    assert refusal(file, "- one\n- two\n").problem == "not a table of settings"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: the file cannot be read"):
        load_recipe(tmp_path / "absent.yaml")


def test_a_file_that_is_not_text_is_named(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe(file)


def test_settings_of_the_command_line_lie_over_the_file(file: Path) -> None:
    overrides = ("train.num_steps=7", "seed=3", "schedule={kind: tpc}", "data.manifest=corpus")
    recipe = loaded(file, "train: {num_steps: 5, batch_size: 8}\n", *overrides)
    assert (recipe.train.num_steps, recipe.train.batch_size, recipe.seed) == (7, 8, 3)
    assert recipe.schedule != Uniform()
    assert recipe.data.manifest == "corpus"


def test_settings_of_the_command_line_leave_plain_values_alone() -> None:
    values = {"train": {"num_steps": 5}}
    with_overrides(values, ["train.num_steps=7", "model.kind=pocket"])
    assert values == {"train": {"num_steps": 5}}


@pytest.mark.parametrize("override", ["seed", "=1", ""])
def test_a_setting_without_key_or_value_is_refused(file: Path, override: str) -> None:
    found = refusal(file, "", override)
    assert found.where == "command line"
    assert "is not key=value" in found.problem


def test_a_setting_that_is_not_yaml_is_named_by_its_key(file: Path) -> None:
    assert refusal(file, "", "schedule={kind: [").where.startswith("command line: schedule")


def test_an_unknown_key_on_the_command_line_is_said_to_be_there(file: Path) -> None:
    found = refusal(file, "train: {num_steps: 5}\n", "train.num_step=5")
    assert found.where == "command line: train.num_step"
    assert found.hint == "did you mean 'num_steps'?"


def test_a_wrong_value_is_laid_to_the_command_line_that_replaced_it(file: Path) -> None:
    text = "train: {num_steps: 5, batch_size: many}\n"
    assert refusal(file, text, "train.num_steps=7").where == f"{file}:1: train.batch_size"
    text = "train: {num_steps: 5}\n"
    assert refusal(file, text, "train.num_steps=many").where == "command line: train.num_steps"
    assert refusal(file, text, "train={num_steps: x}").where == "command line: train.num_steps"


def test_words_that_yaml_1_1_took_for_booleans_stay_words(file: Path) -> None:
    file.write_text("a: no\nb: on\nc: 1e-4\nd: 010\ne: true\nf: yes\n", encoding="utf-8")
    expected: dict[str, Any] = {"a": "no", "b": "on", "c": 1e-4, "d": 10, "e": True, "f": "yes"}
    assert read_yaml(file) == expected
    assert loaded(file, "name: no\ndata: {train_split: on}\n").name == "no"


def test_words_that_yaml_1_1_took_for_booleans_are_dumped_as_words(file: Path) -> None:
    recipe = loaded(file, "name: no\ndata: {train_split: on}\n")
    assert loaded(file, dump_yaml(recipe)) == recipe


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_dumped_recipe_reads_back_equal(file: Path, kind: str) -> None:
    recipe = loaded(
        file,
        "name: عربي\nseed: 7\ndata: {synth: {train: {asr: 3}}}\n"
        "objective: {weights: {asr: 0.5}}\ntrain: {learning_rate: 4e-3}\n",
        f"schedule={kind}",
    )
    text = dump_yaml(recipe)
    assert loaded(file, text) == recipe
    assert dump_yaml(load_recipe(file)) == text
    assert "عربي" in text


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_that_ships_is_yaml_with_a_name(path: Path) -> None:
    assert read_yaml(path)["name"]


def test_plain_values_are_validated_where_they_come_from() -> None:
    with pytest.raises(ConfigError, match=r"methods\.tpc: seed"):
        validate({"seed": "one"}, where="methods.tpc")


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a b", "''"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(file: Path, name: str) -> None:
    found = refusal(file, f"name: {name}\n")
    assert found.where == f"{file}:1: name"
    assert found.problem.startswith("must be letters, digits and _ . + - alone")


def test_a_name_may_be_of_any_letters(file: Path) -> None:
    assert loaded(file, "name: تجربة.1\n").folder == Path("runs/تجربة.1")


@pytest.mark.parametrize(
    "text",
    [
        "train: {learning_rate: .inf}",
        "train: {weight_decay: .inf}",
        "objective: {weights: {asr: .inf}}",
        "train: {phase: align}\nobjective: {ctc_weight: .inf}",
    ],
)
def test_a_number_of_the_training_that_is_infinite_is_refused(file: Path, text: str) -> None:
    assert "finite" in refusal(file, text).problem


def test_the_known_keys_of_a_manifest_in_a_table_are_listed(file: Path) -> None:
    assert "as_task" in refusal(file, "data: {manifest: {path: a, xyzzy: 2}}\n").hint


def test_a_key_given_twice_is_named_with_its_line(file: Path) -> None:
    found = refusal(file, "seed: 1\nseed: 2\n")
    assert found.where == f"{file}:2"
    assert "duplicate key" in found.problem


@pytest.mark.parametrize(
    ("text", "key", "number"),
    [
        ("train: {num_steps: 1e3}", "train.num_steps", 1000),
        ("seed: 7.0", "seed", 7),
        ("data: {synth: {train: {asr: 1e2}}}", "data.synth.train.asr", 100),
        (
            "schedule: {kind: then, first: {kind: tpc}, second: {kind: ads}, dip_steps: 5e1}",
            "schedule.dip_steps",
            50,
        ),
        ("schedule: {kind: curriculum, by: seconds, num_bins: 4.0}", "schedule.num_bins", 4),
    ],
)
def test_a_float_that_is_whole_is_a_whole_number(
    file: Path, text: str, key: str, number: int
) -> None:
    found: Any = loaded(file, text).model_dump()
    for part in key.split("."):
        found = found[part]
    assert (found, type(found)) == (number, int)


@pytest.mark.parametrize("value", ["1.5", "1e-3", "1e400", "-.inf", ".nan", "1e3x", "true"])
def test_a_float_that_is_not_whole_is_no_whole_number(file: Path, value: str) -> None:
    file.write_text("name: tiny\n")
    with pytest.raises(ConfigError, match="must be a whole number"):
        load_recipe(file, [f"train.num_steps={value}"])


def test_a_whole_float_of_a_list_or_beside_another_fault_is_read_too(file: Path) -> None:
    assert make_study(
        {"baseline": "a", "methods": {"a": {}}, "seeds": [1.0, 2]}, where="x"
    ).seeds == (1, 2)
    found = refusal(file, "train: {num_steps: 1e3, batch_size: 1.5}\n")
    assert found.problem == "must be a whole number (got 1.5)"
