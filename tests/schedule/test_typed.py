"""Settings of schedules are typed like every other: a wrong value is one line with its place."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from maqam.errors import ConfigError
from maqam.recipe import dump_yaml, load_recipe
from maqam.schedule import Ads, Mix, Then, Tpc, schedule_as_table, schedule_from_table
from maqam.schedule.schedules import KINDS

NESTED = {"first": {"kind": "tpc"}, "second": {"kind": "ads"}}
NEEDED = {
    "then": NESTED,
    "mix": NESTED,
    "custom": {"function": "own:shares"},
    "adaptive": {"reward": "exp3"},
}
KEYS = [
    (kind, field.name)
    for kind, made in KINDS.items()
    for field in dataclasses.fields(made)
    if field.init and (kind, field.name) != ("custom", "settings")
]
WRONG = st.one_of(
    st.just("no"),
    st.just([["task"], [["deeper"]]]),
    st.just({"kind": "nonesuch"}),
    st.just({"a": {"b": [1]}}),
    st.just([{}]),
)


def refused(file, text, *overrides):
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_recipe(file, overrides)
    return caught.value


def one_line_of(file):
    """Return the error of a recipe and its hint; None where it is taken."""
    try:
        load_recipe(file)
    except ConfigError as error:
        return str(error), error.hint
    return None


@pytest.fixture
def file(tmp_path):
    return tmp_path / "recipe.yaml"


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ("kind: curriculum\n  reverse: no", "reverse", "no is a word in YAML 1.2, write false"),
        ("kind: curriculum\n  reverse: on", "reverse", "on is a word in YAML 1.2, write true"),
        ("kind: tpc\n  groups: asr", "groups", "must be a list (got 'asr')"),
        ("kind: alpha\n  alpha: x", "alpha", "must be a number (got 'x')"),
        ("kind: alpha\n  alpha: true", "alpha", "must be a number (got True)"),
        ("kind: curriculum\n  num_bins: 2.5", "num_bins", "must be a whole number (got 2.5)"),
        ("kind: ads\n  axes: [[task]]", "axes.0", "must be a text"),
        ("kind: tpc\n  mode: gentle", "mode", "must be one of 'hard', 'cumulative' or 'soft'"),
        ("kind: custom\n  function: 5", "function", "must be a text (got 5)"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_line(file, settings, key, words) -> None:
    found = refused(file, f"name: one\nschedule:\n  {settings}\n")
    assert found.where == f"{file}:4: schedule.{key}"
    assert words in found.problem


def test_a_weight_that_is_a_boolean_is_refused_inside_a_mix(file) -> None:
    text = "schedule:\n  kind: mix\n  first: {kind: ads}\n  second: {kind: tpc}\n  weight: true\n"
    found = refused(file, text)
    assert found.where == f"{file}:5: schedule.weight"
    assert found.problem == "must be a number (got True)"


def test_a_fault_two_schedules_deep_is_named_with_its_line(file) -> None:
    text = (
        "schedule:\n  kind: then\n  first:\n    kind: mix\n    first: {kind: ads}\n"
        "    second:\n      kind: curriculum\n      num_bin: 4\n  second: {kind: ads}\n"
    )
    found = refused(file, text)
    assert found.where == f"{file}:8: schedule.first.second.num_bin"
    assert found.hint == "did you mean 'num_bins'?"


def test_an_override_inside_a_schedule_is_laid_to_the_command_line(file) -> None:
    text = "schedule: {kind: alpha, alpha: 0.5}\n"
    found = refused(file, text, "schedule.alpha=x")
    assert found.where == "command line: schedule.alpha"
    found = refused(file, text, "schedule.temperature=2.0")
    assert found.where == "command line: schedule.temperature"
    assert "give one of them" in found.problem


def test_a_fault_of_the_file_is_not_laid_to_an_override(file) -> None:
    found = refused(file, "train: {warmup: 0.9, decay: 0.9}\n", "train.num_steps=5")
    assert found.where == f"{file}:1: train"


@pytest.mark.parametrize(("kind", "key"), KEYS)
@trials(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=WRONG)
def test_no_wrong_value_of_any_key_ends_in_anything_but_one_line(file, kind, key, value) -> None:
    table = {"kind": kind, **NEEDED.get(kind, {}), key: value}
    file.write_text(dump_yaml({"name": "one", "schedule": table}), encoding="utf-8")
    said = one_line_of(file)
    assert said is None or (said[0].startswith(f"{file}:") and "\n" not in said[0] and said[1])


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("schedule: {kind: tpc, groups: [[asr], [didd]]}", "schedule.groups"),
        ("schedule: {kind: then, first: {kind: tpc, groups: [[didd]]}, second: {kind: ads}}", ""),
        ("objective: {weights: {didd: 2.0}}", "objective.weights"),
        ("schedule: {kind: adaptive, reward: doremi, reference: {didd: 1.0}}", ""),
    ],
)
def test_a_task_that_there_is_not_is_named_before_anything_loads(file, setting, key) -> None:
    found = refused(file, f"name: one\n{setting}\n")
    assert found.problem == "there is no task 'didd'"
    assert found.where.startswith(f"{file}:2: {key}")
    assert found.hint == "did you mean 'did'?"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("online, reward: exp3", "unknown kind 'online', did you mean 'adaptive'?"),
        ("[uniform]", "unknown kind ['uniform'], did you mean 'uniform'?"),
        ("own, name: Late", "unknown kind 'own', known: uniform"),
    ],
)
def test_a_kind_that_there_is_not_is_named(file, kind, words) -> None:
    assert words in refused(file, f"name: one\nschedule: {{kind: {kind}}}\n").problem


def test_a_task_of_ones_own_may_be_named(file) -> None:
    own = "{title: translation, prompts: {en: Translate.}, input: audio, answer: text, "
    own += "level: 3, metrics: [bleu]}"
    file.write_text(
        f"tasks:\n  st: {own}\nschedule: {{kind: tpc, groups: [[asr], [st]]}}\n", encoding="utf-8"
    )
    assert load_recipe(file).schedule == Tpc(groups=(("asr",), ("st",)))


def test_a_schedule_inside_a_table_is_taken_as_it_is() -> None:
    table = {"kind": "then", "first": Tpc(), "second": schedule_as_table(Ads())}
    assert schedule_from_table(table) == Then(Tpc(), Ads())
    assert schedule_from_table(Mix(Tpc(), Ads())) == Mix(Tpc(), Ads())
