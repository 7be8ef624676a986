from pathlib import Path

import pytest

from maqam.tasks import default_tasks
from maqam.taxonomy.tree import TAXONOMIES, read_taxonomy
from maqam.text.labels import code_named, parse_label

ANSWERS = [  # as models and people write them; an empty label where none is named
    line.split("\t")
    for line in Path(__file__).with_name("answers.tsv").read_text("utf-8").splitlines()[1:]
]
DIALECTS = default_tasks()["did"].labels
EMOTIONS = default_tasks()["ser"].labels

ALL_LABELS = (*DIALECTS, *EMOTIONS)


@pytest.mark.parametrize(("answer", "label"), ANSWERS)
def test_an_answer_is_read_as_a_person_would_read_it(answer, label):
    read = {parse_label(answer, labels) for labels in (DIALECTS, EMOTIONS)} - {None}
    assert read == ({label} if label else set())


@pytest.mark.parametrize("lenient", [True, False])
@pytest.mark.parametrize("label", ALL_LABELS)
def test_a_label_alone_is_read_whatever_its_case_and_punctuation(label, lenient):
    for answer in (label, f" {label.upper()}. ", f'"{label}"!'):
        assert parse_label(answer, ALL_LABELS, lenient=lenient) == label


NAMES = [
    (taxonomy, code, name)
    for taxonomy in TAXONOMIES
    for code, node in read_taxonomy(taxonomy).nodes.items()
    for name in node.names
]


@pytest.mark.parametrize("taxonomy", TAXONOMIES)
def test_every_name_is_read_as_the_label_it_lies_within_but_only_leniently(taxonomy):
    tree = read_taxonomy(taxonomy)
    labels = tree.at(tree.levels[0])
    for kind, code, name in NAMES:
        if kind == taxonomy:
            wanted = tree.within(code, labels)
            assert parse_label(f"أظن {name} طبعا", labels) == wanted, name
            assert name in labels or parse_label(name, labels, lenient=False) is None, name
            assert code_named(name, taxonomy) in (code, *tree.ancestors(code)), name


def test_no_name_is_that_of_two_nodes_unless_one_lies_within_the_other():
    for taxonomy in TAXONOMIES:
        tree = read_taxonomy(taxonomy)
        for kind, code, name in NAMES:
            found = code_named(name, taxonomy) if kind == taxonomy else None
            assert found is None or found in tree.ancestors(code), name


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("مغربي", "maghrebi"),
        ("من المغرب", "maghrebi"),
        ("المغرب العربي", "maghrebi"),
        ("مصرى", "egyptian"),
        ("اللهجة المصرية", "egyptian"),
        ("سعودي", "gulf"),
        ("The speaker is from Saudi Arabia.", "gulf"),
        ("حزينة", "sad"),
        ("مبسوطة", "happy"),
        ("غضبانة", "angry"),
        ("مصر والسودان", "egyptian"),
        ("not gulf", None),
        ("غير سعيد", None),
        ("ليست لهجة خليجية", None),
        ("neither gulf nor msa", None),
        ("not gulf or msa", None),
        ("it isn't sad", None),
        ("not gulf but msa", "msa"),
        ("gulf, not msa", "gulf"),
        ("I'm not sure, gulf", "gulf"),
        ("calm", None),
    ],
)
def test_inflected_countries_and_denied_names_are_read_as_people_mean_them(answer, label):
    assert parse_label(answer, ALL_LABELS) == label


def test_a_country_is_a_label_of_its_own_where_the_task_has_it():
    assert parse_label("سعودية", ("KSA", "UAE")) == "KSA"
    assert parse_label("Egyptian", ("EG", "SA")) == "EG"
    assert parse_label("سعودي", ("SA", "gulf")) == "SA"


def test_a_sentence_around_the_label_counts_only_leniently():
    answer = "The dialect is gulf, I believe."
    assert parse_label(answer, DIALECTS) == "gulf"
    assert parse_label(answer, DIALECTS, lenient=False) is None


@pytest.mark.parametrize("answer", ["", " ", "؟", "لا أعرف", "gulfs", "egyptians", "ser"])
@pytest.mark.parametrize("lenient", [True, False])
def test_an_answer_that_names_no_label_gives_none(answer, lenient):
    assert parse_label(answer, DIALECTS, lenient=lenient) is None


def test_an_answer_that_names_two_labels_gives_none():
    assert parse_label("gulf or msa", DIALECTS) is None
    assert parse_label("مصري أو شامي", DIALECTS) is None


def test_one_label_under_two_names_is_still_one_label():
    assert parse_label("egyptian، يعني مصري", DIALECTS) == "egyptian"


def test_labels_of_other_tasks_are_not_read():
    assert parse_label("angry", DIALECTS) is None
    assert parse_label("غاضب", ("happy", "sad")) is None


def test_diacritics_and_alef_forms_do_not_hide_a_label():
    assert parse_label("فُصْحَى", DIALECTS) == "msa"
    assert parse_label("حَزينٌ", EMOTIONS) == "sad"


def test_a_label_without_aliases_may_stand_in_a_sentence():
    assert parse_label("it is jazz", ["jazz", "rock"]) == "jazz"
