"""The lenient profile, held against numbers that num2words writes, letters that Unicode names."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from num2words import num2words

from maqam.text.lenient import equal_looking
from maqam.text.profiles import normalize


def lenient(text: str) -> str:
    return normalize(text, "lenient-v1")


@given(number=st.integers(0, 9_999_999) | st.integers(0, 2000))
def test_a_number_in_words_is_the_number_in_digits(number: int) -> None:
    words = num2words(number, lang="ar")
    assume("ألف ألف" not in words)  # num2words writes 401,000 so
    assume(not words.endswith(("ألفا", "مليونا")))  # 2,000 without what is counted
    assert lenient(words) == str(number)
    assert lenient(f"عندي {words} كتاب") == f"عندي {number} كتاب"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("خمسطعش", "15"),
        ("تلتمية وخمسين", "350"),
        ("خمس مئة", "500"),
        ("ميتين وخمسة", "205"),
        ("إحدى عشرة", "11"),
        ("سنة ألف وتسعمائة وثمانين", "سنة 1980"),
        ("٢٥ ألف", "25000"),
        ("مية ألف وواحد", "100001"),
        ("مليونين وثلاثة آلاف", "2003000"),
        ("۱۲ کتاب", "12 كتاب"),
    ],
)
def test_numbers_of_dialects_and_years_are_read(said: str, written: str) -> None:
    assert lenient(said) == lenient(written)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("واحد اثنين ثلاثة", "1 2 3"),
        ("خمسة وثلاثة", "5 و3"),
        ("007", "007"),
        ("1000 و5", "1000 و5"),
        ("ألف وألف", "1000 و1000"),
    ],
)
def test_numbers_that_are_counted_off_stay_apart(text: str, kept: str) -> None:
    assert lenient(text) == kept


@pytest.mark.parametrize("code", ["06CC", "06A9", "06C1", "06BE", "0671", "FEFB", "06F3", "FEEB"])
def test_a_letter_that_looks_alike_becomes_an_arabic_one(code: str) -> None:
    (letter,) = {chr(int(code, 16))}
    written = equal_looking(letter)
    assert written != letter
    for one in written:
        name = unicodedata.name(one)
        assert name.startswith(("ARABIC LETTER", "DIGIT"))
        assert "FARSI" not in name


words = st.text("ابتيىکكهةہ ۱۲٣45و\u200c\u0640 ", max_size=20) | st.sampled_from(
    ["خمسة", "و", "ألف", "مية", "عشر", "ثلاث", "25", "100", "مليون", "واحد"]
)


@given(text=st.lists(words, max_size=6).map(" ".join))
def test_what_is_lenient_already_stays(text: str) -> None:
    assert lenient(lenient(text)) == lenient(text)
