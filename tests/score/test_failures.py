import pytest

from maqam.score.failures import is_blank, is_loop, length_ratio


def test_white_space_alone_is_blank():
    assert is_blank(["", " \n\t", "نعم", "؟"]).tolist() == [True, True, False, False]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_group_of_words_said_four_times_loops_and_three_times_does_not(size):
    group = " ".join(["أ", "ب", "ج", "د"][:size])
    assert is_loop([" ".join([group] * 4), " ".join([group] * 3)]).tolist() == [True, False]


def test_a_loop_in_the_middle_of_an_answer_is_found():
    assert is_loop(["قال لا لا لا لا ثم ذهب"]).tolist() == [True]


def test_a_group_longer_than_looked_for_is_no_loop():
    group = "أ ب ج د ه "
    assert is_loop([group * 6]).tolist() == [False]
    assert is_loop([group * 6], longest=5).tolist() == [True]


def test_the_repeats_allowed_can_be_set():
    assert is_loop(["لا لا"], most_repeats=1).tolist() == [True]


def test_a_word_that_comes_back_apart_is_no_loop():
    assert is_loop(["لا أ لا ب لا ج لا د لا", ""]).tolist() == [False, False]


def test_no_answer_gives_no_flag():
    assert is_blank([]).tolist() == []
    assert is_loop([]).tolist() == []


def test_the_length_ratio_is_of_all_words_together():
    assert length_ratio(["كلمة كلمة", "كلمة كلمة"], ["كلمة", "كلمة كلمة كلمة كلمة كلمة"]) == 1.5


def test_the_length_ratio_of_empty_references_is_none():
    assert length_ratio([" "], ["كلمة"]) is None
