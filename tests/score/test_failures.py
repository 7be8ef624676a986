import pytest

from maqam.score.failures import (
    PREFACES,
    REFUSALS,
    is_blank,
    is_explosion,
    is_loop,
    is_preface,
    is_refusal,
    is_wrong_script,
)


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


@pytest.mark.parametrize("opening", PREFACES)
def test_an_answer_about_the_answer_is_a_preface(opening):
    answers = [f"{opening}: ذهب الولد", f"{opening.upper()}، ذهب", "ذهب الولد", opening + "ة"]
    assert is_preface(["ذهب الولد"] * 4, answers).tolist() == [True, True, False, False]


@pytest.mark.parametrize("opening", REFUSALS)
def test_declining_is_a_refusal_unless_the_speaker_declined(opening):
    answers = [f"{opening.capitalize()}, ..."] * 2
    assert is_refusal(["ذهب الولد", f"{opening} ذهب"], answers).tolist() == [True, False]


def test_a_curly_apostrophe_is_an_apostrophe():
    assert is_refusal(["نعم"], ["I\u2019m sorry, but"]).tolist() == [True]


@pytest.mark.parametrize(
    ("reference", "answer", "is_wrong"),
    [
        ("ذهب الولد", "the boy went", True),
        ("ذهب الولد", "ذهب الولد", False),
        ("ذهب الولد", "男孩走了", True),
        ("عندي meeting اليوم", "meeting", False),
        ("ذهب", "ذهب OK", False),  # half of the letters or less
        ("٣ ٤", "three", False),  # no letters to compare with
        ("ذهب", "", False),
        ("ذهب الولد", "یک پسر می‌روید", True),
        ("ذهب الولد", "لڑکا چلا گیا ہے", True),
        ("شلونك", "چان گلت پاسبان", False),  # Iraqi is written so
        ("کتاب", "کتاب", False),
    ],
)
def test_a_script_that_the_reference_does_not_use_is_wrong(reference, answer, is_wrong):
    assert is_wrong_script([reference], [answer]).tolist() == [is_wrong]


def test_far_too_long_is_beyond_three_times_and_five_words():
    assert is_explosion(["أ ب"] * 2, ["ج " * 11, "ج " * 12]).tolist() == [False, True]
    assert is_explosion([""], ["ج " * 6]).tolist() == [True]
