import re

import pytest

from maqam.errors import ConfigError, ManifestError
from maqam.tasks import default_tasks
from maqam.taxonomy.tree import TAXONOMIES, label_set, read_taxonomy, taxonomy_with
from maqam.yaml_files import parsed

TASKS = default_tasks()


@pytest.mark.parametrize("name", TAXONOMIES)
def test_every_scheme_leads_to_nodes_and_every_node_to_the_top(name: str) -> None:
    found = read_taxonomy(name)
    for known in found.schemes.values():
        assert {code for code in known.values() if code is not None} <= set(found.nodes)
    for code in found.nodes:
        assert found.nodes[found.ancestors(code)[-1]].within is None


@pytest.mark.parametrize("task", ["did", "ser"])
def test_the_labels_of_the_task_are_nodes(task: str) -> None:
    assert set(TASKS[task].labels) <= set(read_taxonomy(TASKS[task].target).nodes)


def test_codes_label_sets_and_levels_are_told_apart_by_their_names() -> None:
    found = [read_taxonomy(name) for name in TAXONOMIES]
    names = [name for one in found for name in (*one.nodes, *one.schemes)]
    names += [level for one in found for level in one.levels]
    assert len(names) == len(set(names))
    for one in found:
        for level in one.levels:
            assert set(label_set(level)) <= set(one.nodes)


def test_every_dialect_lies_within_a_label_of_did_and_a_country_has_an_iso_code() -> None:
    dialects = read_taxonomy("dialect")
    for code, node in dialects.nodes.items():
        assert dialects.within(code, TASKS["did"].labels) is not None
        assert node.level != "country" or re.fullmatch("[A-Z]{2}", code)


@pytest.mark.parametrize("name", TAXONOMIES)
def test_labels_go_there_and_back(name: str) -> None:
    found = read_taxonomy(name)
    for scheme, known in found.schemes.items():
        for label, code in known.items():
            if code is not None:
                assert label in found.labels(code, scheme)


def test_label_sets_have_the_sizes_of_their_corpora() -> None:
    schemes = read_taxonomy("dialect").schemes
    sizes = {name: len(schemes[name]) for name in ("adi17", "adi20", "nadi2025", "madar26")}
    assert sizes == {"adi17": 17, "adi20": 20, "nadi2025": 8, "madar26": 26}


def test_the_same_letters_are_a_country_in_one_set_and_a_city_in_another() -> None:
    dialects = read_taxonomy("dialect")
    (country,), (city,) = (dialects.codes(["ALG"], name) for name in ("adi17", "madar26"))
    assert (country, city) == ("DZ", "DZ-ALG")


def test_a_country_is_named_by_the_cities_of_a_set_that_has_no_countries() -> None:
    assert read_taxonomy("dialect").labels("SA", "madar26") == ("JED", "RIY")


def test_excitement_counts_as_happiness_and_disgust_as_nothing_of_the_task() -> None:
    emotions = read_taxonomy("emotion")
    exc, dis, other = emotions.codes(["exc", "dis", "xxx"], "iemocap")
    assert exc is not None
    assert emotions.within(exc, TASKS["ser"].labels) == "happy"
    assert dis is not None
    assert emotions.within(dis, TASKS["ser"].labels) is None
    assert other is None


def test_all_labels_without_a_place_are_listed_in_one_error() -> None:
    labels = ["EGY", *(f"x{index}" for index in range(12)), "x0"]
    with pytest.raises(ManifestError, match="12 labels have no dialect in adi17") as caught:
        read_taxonomy("dialect").codes(labels, "adi17")
    assert all(f"'x{index}'" in str(caught.value) for index in range(12))
    assert "'x0' (2)" in str(caught.value)


def test_unknown_names_are_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no taxonomy 'food'") as caught:
        read_taxonomy("food")
    assert "dialect, emotion" in caught.value.hint
    with pytest.raises(ConfigError, match="no scheme 'adi99'"):
        read_taxonomy("dialect").codes(["EGY"], "adi99")
    with pytest.raises(ConfigError, match="no dialect 'XX'"):
        read_taxonomy("dialect").ancestors("XX")
    with pytest.raises(ConfigError, match="no label set 'adi71'") as caught:
        taxonomy_with("adi71")
    assert caught.value.hint == "did you mean 'adi17'?"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not YAML"),
        ("- a", "not a table of settings"),
        ("title: 1\nlevel: city\ncolour: red", "colour: Extra inputs"),
    ],
)
def test_a_broken_file_is_one_error_that_names_it(text: str, words: str) -> None:
    node = type(read_taxonomy("emotion").nodes["happy"])
    with pytest.raises(ConfigError, match=rf"own\.yaml.*: .*{words}"):
        parsed(text, node, where="own.yaml")
