import pytest

from maqam.tasks import default_tasks
from maqam.text.labels import ALIASES, parse_label

DIALECTS = default_tasks()["did"].labels
EMOTIONS = default_tasks()["ser"].labels

ALL_LABELS = (*DIALECTS, *EMOTIONS)


@pytest.mark.parametrize("lenient", [True, False])
@pytest.mark.parametrize("label", ALL_LABELS)
def test_a_label_alone_is_read_whatever_its_case_and_punctuation(label, lenient):
    for answer in (label, f" {label.upper()}. ", f'"{label}"!'):
        assert parse_label(answer, ALL_LABELS, lenient=lenient) == label


@pytest.mark.parametrize(("label", "name"), [(a, name) for a in ALIASES for name in ALIASES[a]])
def test_another_name_of_a_label_counts_only_leniently(label, name):
    labels = DIALECTS if label in DIALECTS else EMOTIONS
    assert parse_label(f"أظن {name} طبعا", labels) == label
    assert parse_label(name, labels, lenient=False) is None


def test_every_alias_belongs_to_a_label_of_a_task():
    assert set(ALIASES) == set(ALL_LABELS)


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
