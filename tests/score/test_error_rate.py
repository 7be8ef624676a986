import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.score.error_rate import edits_by_utterance

words = st.lists(st.sampled_from(["نعم", "لا", "ذهب", "الولد", "بيت", "في"]), max_size=8)
texts = st.lists(st.tuples(words.map(" ".join), words.map(" ".join)), min_size=1, max_size=6)


def total(values):
    return int(values.sum())


@settings(max_examples=50, deadline=None)
@given(pairs=texts)
def test_word_errors_equal_those_of_jiwer(pairs):
    references, hypotheses = map(list, zip(*pairs, strict=True))
    edits = edits_by_utterance(references, hypotheses, profile="none")
    expected = jiwer.process_words(references, hypotheses)
    kinds = expected.substitutions + expected.deletions + expected.insertions
    assert total(edits.errors) == kinds
    assert total(edits.num_units) == sum(len(text.split()) for text in references)
    if edits.rate is not None:
        assert edits.rate == pytest.approx(expected.wer)


@settings(max_examples=50, deadline=None)
@given(pairs=texts)
def test_character_errors_count_spaces_and_equal_those_of_jiwer(pairs):
    references, hypotheses = map(list, zip(*pairs, strict=True))
    edits = edits_by_utterance(references, hypotheses, profile="none", unit="character")
    assert total(edits.num_units) == sum(len(text) for text in references)
    if edits.rate is not None:
        assert edits.rate == pytest.approx(jiwer.cer(references, hypotheses))


def plain_distance(first, second):
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        corner, row[0] = row[0], i
        for j, b in enumerate(second, start=1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]


@settings(max_examples=50, deadline=None)
@given(first=words, second=words)
def test_errors_of_an_utterance_are_its_edit_distance(first, second):
    edits = edits_by_utterance([" ".join(first)], [" ".join(second)], profile="none")
    assert edits.errors.tolist() == [plain_distance(first, second)]


def test_kinds_of_errors_are_told_apart_by_utterance():
    edits = edits_by_utterance(
        ["ذهب الولد", "ذهب الولد", "ذهب"], ["ذهب البيت", "ذهب", "ذهب الولد هنا"]
    )
    assert edits.substitutions.tolist() == [1, 0, 0]
    assert edits.deletions.tolist() == [0, 1, 0]
    assert edits.insertions.tolist() == [0, 0, 2]
    assert edits.num_units.tolist() == [2, 2, 1]
    assert edits.rate == 4 / 5


def test_an_empty_hypothesis_is_all_deletions():
    edits = edits_by_utterance(["ذهب الولد"], [""])
    assert (edits.deletions.tolist(), edits.rate) == ([2], 1.0)


@pytest.mark.parametrize("reference", ["", "  ", "؟"])
def test_an_empty_reference_counts_insertions_and_has_no_rate(reference):
    edits = edits_by_utterance([reference], ["ذهب الولد"])
    assert (edits.insertions.tolist(), edits.num_units.tolist()) == ([2], [0])
    assert edits.rate is None


def test_insertions_against_an_empty_reference_count_in_the_corpus():
    assert edits_by_utterance(["", "ذهب الولد"], ["نعم", "ذهب الولد"]).rate == 1 / 2


def test_no_utterance_has_no_rate():
    assert edits_by_utterance([], []).rate is None


def test_the_profile_is_applied_to_both_sides():
    references, hypotheses = ["أنا و أنتَ، ٣"], ["انا وانت 3"]
    assert edits_by_utterance(references, hypotheses).rate == 0.0
    assert edits_by_utterance(hypotheses, references).rate == 0.0
    assert edits_by_utterance(references, hypotheses, profile="none").rate > 0


def test_spaces_at_the_ends_are_no_characters():
    edits = edits_by_utterance([" نعم "], ["نعم"], profile="none", unit="character")
    assert (edits.errors.tolist(), edits.num_units.tolist()) == ([0], [3])


def test_as_many_hypotheses_as_references_are_needed():
    with pytest.raises(ValueError, match="2 references and 1 hypotheses"):
        edits_by_utterance(["نعم", "لا"], ["نعم"])
