import re
import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.errors import ConfigError
from maqam.text.profiles import DEFAULT_PROFILE, PROFILES, normalize, steps_of

FATHATAN, DAMMATAN, KASRATAN, FATHA, DAMMA, KASRA, SHADDA, SUKUN = map(chr, range(0x064B, 0x0653))
LEADERBOARD = ("leaderboard-v3", "leaderboard-v2")
ALEF, ALEF_MADDA, ALEF_HAMZA_ABOVE, ALEF_HAMZA_BELOW = "\u0627", "\u0622", "\u0623", "\u0625"
ALEF_WASLA, SUPERSCRIPT_ALEF, TATWEEL, HAMZA = "\u0671", "\u0670", "\u0640", "\u0621"
WAW_HAMZA, YEH_HAMZA, TA_MARBUTA, HEH = "\u0624", "\u0626", "\u0629", "\u0647"
ALEF_MAKSURA, YEH, PEH, VEH = "\u0649", "\u064a", "\u067e", "\u06a4"
ARABIC_DIGITS, PERSIAN_DIGITS = "٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹"
DELETED_BY_LEADERBOARD = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u060c\u061b\u061f"

arabic_text = st.text(
    st.one_of(
        st.sampled_from("ابتةهىيءآأؤإئوپڤـ \t\n"),
        st.characters(min_codepoint=0x0600, max_codepoint=0x06FF),
        st.sampled_from(DELETED_BY_LEADERBOARD + "«»…٪aBcİ09"),
    ),
    max_size=30,
)


def published_leaderboard(text: str, version: int) -> str:
    """The leaderboard's own code, regular expression by regular expression."""
    text = re.sub(r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~،؛؟]""", "", text)
    text = re.sub(r"[\u064B-\u0652]", "", text)
    for old, new in (("پ", "ب"), ("ڤ", "ف"), ("[آ]", "ا"), ("[أإ]", "ا"), ("ؤ", "و"), ("ئ", "ي")):
        text = re.sub(old, new, text)
    text = re.sub("ء", "", text)
    for value, digit in enumerate(ARABIC_DIGITS):
        text = text.replace(digit, str(value))
    if version == 3:
        text = re.sub(r"(^|\s)و\s+", r"\1و", text)
        text = re.sub(r"\s+", " ", text).strip()
    return text


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=50, deadline=None)
@given(text=arabic_text)
def test_normalising_twice_changes_nothing_more(profile, text):
    once = normalize(text, profile)
    assert normalize(once, profile) == once


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=100, deadline=None)
@given(text=st.one_of(arabic_text, st.text(max_size=20)))
def test_steps_taken_at_once_write_what_they_write_one_by_one(profile, text):
    expected = text
    for change in steps_of(profile):
        expected = change(expected)
    assert normalize(text, profile) == expected


@settings(max_examples=50, deadline=None)
@given(text=arabic_text)
def test_the_leaderboard_profiles_do_what_the_leaderboard_does(text):
    assert normalize(text, "leaderboard-v2") == published_leaderboard(text, 2)
    assert normalize(text, "leaderboard-v3") == published_leaderboard(text, 3)


@settings(max_examples=50, deadline=None)
@given(text=arabic_text)
def test_the_profile_none_changes_nothing(text):
    assert normalize(text, "none") == text


def test_the_default_profile_is_the_newest_of_the_leaderboard():
    assert DEFAULT_PROFILE == "leaderboard-v3"
    assert normalize("أنا و أنت") == normalize("أنا و أنت", "leaderboard-v3")


@pytest.mark.parametrize("profile", LEADERBOARD)
class TestLeaderboard:
    @pytest.mark.parametrize(
        "mark", [FATHATAN, DAMMATAN, KASRATAN, FATHA, DAMMA, KASRA, SHADDA, SUKUN]
    )
    def test_tanwin_vowels_shadda_and_sukun_are_deleted(self, profile, mark):
        assert normalize(f"كتاب{mark}", profile) == "كتاب"

    @pytest.mark.parametrize(
        "mark", ["\u064a", "\u0653", "\u0654", "\u0655", SUPERSCRIPT_ALEF, TATWEEL]
    )
    def test_marks_next_to_that_range_stay(self, profile, mark):
        assert normalize(f"كتاب{mark}", profile) == f"كتاب{mark}"

    @pytest.mark.parametrize(
        ("letter", "plain"),
        [
            (ALEF_MADDA, ALEF),
            (ALEF_HAMZA_ABOVE, ALEF),
            (ALEF_HAMZA_BELOW, ALEF),
            (WAW_HAMZA, "\u0648"),
            (YEH_HAMZA, YEH),
            (HAMZA, ""),
            (PEH, "\u0628"),
            (VEH, "\u0641"),
        ],
    )
    def test_hamza_carriers_and_foreign_letters_become_plain(self, profile, letter, plain):
        assert normalize(f"س{letter}ر", profile) == f"س{plain}ر"

    @pytest.mark.parametrize(
        "letter", [ALEF, ALEF_WASLA, TA_MARBUTA, HEH, ALEF_MAKSURA, YEH, TATWEEL, "گ", "چ", "B"]
    )
    def test_ta_marbuta_alef_maksura_tatweel_and_latin_stay(self, profile, letter):
        assert normalize(f"س{letter}ر", profile) == f"س{letter}ر"

    def test_arabic_indic_digits_become_western_and_persian_ones_stay(self, profile):
        assert normalize(ARABIC_DIGITS, profile) == "0123456789"
        assert normalize(PERSIAN_DIGITS, profile) == PERSIAN_DIGITS

    @pytest.mark.parametrize("mark", DELETED_BY_LEADERBOARD)
    def test_punctuation_is_deleted_and_joins_what_stood_around_it(self, profile, mark):
        assert normalize(f"من{mark}هنا", profile) == "منهنا"

    @pytest.mark.parametrize("mark", "«»…–٪٫٬۔\u200c\u200d\u200f")
    def test_other_symbols_stay(self, profile, mark):
        assert normalize(f"من{mark}هنا", profile) == f"من{mark}هنا"


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("أنا و أنت", "انا وانت"),
        ("و أنت", "وانت"),
        ("و و أنت", "وو انت"),
        ("أنا و", "انا و"),
        ("أنا  \n و\t أنت ", "انا وانت"),
        ("هو أنت", "هو انت"),
    ],
)
def test_version_3_joins_a_standalone_waw_and_collapses_space(text, joined):
    assert normalize(text, "leaderboard-v3") == joined


def test_version_2_leaves_waw_and_space_alone():
    assert normalize(" أنا  و أنت ", "leaderboard-v2") == " انا  و انت "


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("مدرسة", "مدرسه"),
        ("على", "علي"),
        ("أحمد إلى آدم", "احمد الي ادم"),
        ("سؤال شيء سائل", "سؤال شيء سائل"),
        ("كتاب\u064b", "كتاب"),
        ("كتــاب", "كتاب"),
        ("hello 12 ٣", " 12 "),
        ("من، هنا؟", "من هنا"),
        ("ٱلكتاب", "لكتاب"),
    ],
)
def test_iwslt22_keeps_arabic_letters_western_digits_and_spaces(text, kept):
    assert normalize(text, "iwslt22") == kept


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("مُحَمَّدٌ", "محمد"),
        ("أحمد إلى آدم سؤال", "احمد الى ادم سوال"),
        ("مدرسة شيء", "مدرسة شيء"),
        ("سائل", "سايل"),
        ("من، هنا؟ «نعم»", "من هنا نعم"),
        ("[music] مرحبا (ضحك) <noise>", "مرحبا"),
        ("Hello WORLD", "hello world"),
        ("٣ ۳", "٣ ۳"),
        ("كتــاب", "كتــاب"),
        ("ﻻ", "لا"),
    ],
)
def test_whisper_without_diacritics_keeps_vowelled_words_whole(text, plain):
    assert normalize(text, "whisper-basic-nodiac") == plain


def test_whisper_without_diacritics_leaves_no_mark_symbol_or_punctuation():
    every_character = "".join(map(chr, range(0x20, 0x700)))
    left = normalize(every_character, "whisper-basic-nodiac")
    assert {unicodedata.category(character)[0] for character in left} <= {"L", "N", "Z", "C"}


def test_whispers_default_normalizer_is_refused_with_the_reason():
    with pytest.raises(ConfigError, match="cuts vowelled Arabic words into letters") as caught:
        normalize("نعم", "whisper-basic")
    assert caught.value.where == "score.profile"
    assert "whisper-basic-nodiac" in caught.value.hint


def test_an_unknown_profile_is_named_and_the_known_ones_listed():
    with pytest.raises(ConfigError, match="no normalizer profile 'leaderboard'") as caught:
        steps_of("leaderboard")
    assert all(profile in caught.value.hint for profile in PROFILES)


def published_mgb2(text: str) -> str:
    """The rules of `cleaning` in Lhotse's mgb2.py, one expression each."""
    arabic = "\u0060\u00f7\u00d7\u061b\u0640\u060c\u061f\u00a6\u201d\u2026\u201c\u2013"
    for mark in set(arabic + string.punctuation):
        text = text.replace(mark, " ")
    for value, digit in enumerate(ARABIC_DIGITS):
        text = text.replace(digit, str(value))
    text = text.replace("\u066a", "%").replace(VEH, "\u0641")
    text = re.sub("[\u064b-\u0652\u06d4\u0670\u0674\u06d5-\u06ed]+", "", text)
    text = re.sub(r"[^\u0600-\u06ff\s\da-z]+", "", text.lower())
    return " ".join(word for word in text.split() if len(word) > 1 or word.isnumeric())


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(arabic_text, st.text(max_size=30)))
def test_mgb2_does_what_lhotse_does(text):
    assert normalize(text, "mgb2") == published_mgb2(text)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("مرحبا، كيف؟", "مرحبا كيف"),
        ("نعم،لا", "نعم لا"),
        ("كتــاب", "كت اب"),
        ("٣ أصدقاء", "3 أصدقاء"),
        ("أنا و أنت", "أنا أنت"),
        ("٥٠٪ Hello", "50 hello"),
        (f"{VEH}يلم", "فيلم"),
        (f"كتاب{SUPERSCRIPT_ALEF}{FATHA}", "كتاب"),
        ("مدرسة على", "مدرسة على"),
    ],
)
def test_mgb2_cleans_as_the_recipe_of_the_corpus(text, cleaned):
    assert normalize(text, "mgb2") == cleaned


def test_the_first_leaderboard_removes_no_punctuation_and_is_version_2_otherwise():
    text = f"مرحبا، كيف؟ hello! (x) [y] ^{DELETED_BY_LEADERBOARD}"
    assert normalize(text, "leaderboard-v1") == text
    assert normalize("أسئلةٌ ٣!", "leaderboard-v1") == "اسيلة 3!"


@settings(max_examples=50, deadline=None)
@given(text=arabic_text)
def test_the_first_leaderboard_is_the_second_without_its_punctuation_rule(text):
    bare = text.translate(str.maketrans("", "", DELETED_BY_LEADERBOARD))
    assert normalize(bare, "leaderboard-v1") == normalize(text, "leaderboard-v2")


def own_profile(folder, body):
    file = folder / "own.py"
    file.write_text(f"def clean(text):\n    {body}\n", encoding="utf-8")
    return f"{file}:clean"


def test_a_function_of_the_users_own_is_a_profile(tmp_path):
    own = own_profile(tmp_path, "return ' '.join(text.replace('ى', 'ي').split())")
    assert normalize(" مشى  ", own) == "مشي"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return text.replace('--', '-') + '-'", "and '.*--' for that"),
        ("return text.split()", "gives list for"),
        ("return text[0]", "fails on '': IndexError"),
    ],
)
def test_a_function_that_is_no_normaliser_is_refused(tmp_path, body, words):
    with pytest.raises(ConfigError, match=words):
        normalize("نعم", own_profile(tmp_path, body))


def test_a_function_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="there is no file"):
        normalize("نعم", f"{tmp_path}/none.py:clean")
