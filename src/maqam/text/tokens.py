"""Words of any script as xl-sum's multilingual ROUGE sees them.

Its `rouge_score` original deletes everything but a-z and 0-9, which gives 0 to two equal Arabic
sentences. Steps: lower case, control and format characters deleted, cut at spaces and punctuation,
letters apart from digits, marks with their letter, other symbols alone, Snowball's Arabic stemmer
on words longer than three characters.
"""

import unicodedata
from functools import cache
from typing import Any

from maqam import extras

_LONGEST_UNSTEMMED = 3


def summary_tokens(text: str) -> list[str]:
    """Cut a text into stemmed words.

    Without NLTK's stop-word list, which is a download: a few function words longer than three
    characters are stemmed that xl-sum would leave whole, in reference and hypothesis alike.

    Examples:
        >>> summary_tokens("سافر عمر، 2025م")
        ['سافر', 'عمر', '2025', 'م']
    """
    words: list[str] = []
    kind_before = ""
    for character in text.lower():
        kind = _kind(character)
        if kind == "deleted":
            continue
        continues = kind == kind_before and kind in "LN"
        if kind == "M" and kind_before in ("L", "N"):
            continues, kind = True, kind_before
        if kind == " ":
            kind_before = " "
            continue
        if continues:
            words[-1] += character
        else:
            words.append(character)
        kind_before = kind
    return [_stem(word) if len(word) > _LONGEST_UNSTEMMED else word for word in words]


@cache
def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Cf") and not character.isspace():
        return "deleted"
    if category[0] in "ZPC" or (character.isascii() and not character.isalnum()):
        return " "
    return category[0]


@cache
def _stem(word: str) -> str:
    stemmed: str = _stemmer().stem(word)
    return stemmed


@cache
def _stemmer() -> Any:  # noqa: ANN401  NLTK's, which only the extra `score` brings
    return extras.load("nltk.stem.snowball").ArabicStemmer()
