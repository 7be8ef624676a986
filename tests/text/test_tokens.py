import pytest
from nltk.stem.snowball import ArabicStemmer

from maqam.text.tokens import summary_tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" ؟ ، . ", []),
        ("سافر عمر", ["سافر", "عمر"]),
        ("عمر،من.هنا", ["عمر", "من", "هنا"]),
        ("عمر_من-هنا", ["عمر", "من", "هنا"]),
        ("ب2025م", ["ب", "2025", "م"]),
        ("٢٠٢٥م", ["٢٠٢٥", "م"]),
        ("AbC", ["abc"]),
        ("5€و", ["5", "€", "و"]),
        ("€€", ["€", "€"]),
        ("عم\u200cر", ["عمر"]),
        ("عمر\u200f.", ["عمر"]),
        ("عمر\u00a0من\nهنا", ["عمر", "من", "هنا"]),
    ],
)
def test_text_is_cut_at_spaces_punctuation_and_digits(text, words):
    assert summary_tokens(text) == words


def test_a_mark_stays_with_its_letter():
    assert summary_tokens("شد\u0651ة") == ArabicStemmer().stem("شد\u0651ة").split()
    assert summary_tokens("عُد") == ["عُد"]


def test_only_words_longer_than_three_characters_are_stemmed():
    stem = ArabicStemmer().stem
    assert summary_tokens("والكتاب") == [stem("والكتاب")]
    assert stem("والكتاب") != "والكتاب"
    assert summary_tokens("سنة") == ["سنة"]
    assert stem("سنة") != "سنة"


def test_words_of_one_stem_become_equal():
    assert summary_tokens("المدرسة") == summary_tokens("مدرسة")
