"""Steps of text normalisation, one small function each; profiles put them in order.

Code points follow `eval.py` of the Open Universal Arabic ASR Leaderboard where a step is its, and
`cleaning` of Lhotse's `recipes/mgb2.py` where its name says mgb2.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import reduce

Step = Callable[[str], str]
Table = Mapping[int, int | str | None]

LEADERBOARD_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~،؛؟"
_DELETE_PUNCTUATION = str.maketrans("", "", LEADERBOARD_PUNCTUATION)
_DELETE_DIACRITICS = dict.fromkeys(range(0x064B, 0x0653))
_LETTERS = str.maketrans(
    {"پ": "ب", "ڤ": "ف", "آ": "ا", "أ": "ا", "إ": "ا", "ؤ": "و", "ئ": "ي", "ء": None}
)
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩", "0123456789")
_WAW_ALONE = re.compile(r"(?<!\S)و\s")
_STANDALONE_WAW = re.compile(r"(^|\s)و\s+")
_IWSLT_KEPT = re.compile(r"[^اأإآبتثجحخدذرزسشصضطظعغفقكلمنهويىئءؤة0-9 ]")
MGB2_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + (
    "\u060c\u061b\u061f\u0640\u00a6\u00d7\u00f7\u2013\u201c\u201d\u2026"
)
_MGB2_SPACES = str.maketrans(dict.fromkeys(MGB2_PUNCTUATION, " "))
_DELETE_MGB2_MARKS = dict.fromkeys((*range(0x064B, 0x0653), 0x0670, 0x0674, *range(0x06D4, 0x06EE)))
_MGB2_DELETED = re.compile(r"[^\u0600-\u06ff\s\da-z]")
_MGB2_LETTERS = str.maketrans({"\u06a4": "\u0641", "\u066a": "%"})
_IN_BRACKETS = re.compile(r"[<\[][^>\]]*[>\]]")
_IN_PARENTHESES = re.compile(r"\(([^)]+?)\)")
_IWSLT_LETTERS = str.maketrans({"ة": "ه", "ى": "ي", "أ": "ا", "إ": "ا", "آ": "ا"})


def delete_punctuation(text: str) -> str:
    """Delete ASCII and Arabic punctuation, joining what stood around it.

    Examples:
        >>> delete_punctuation("مرحبا، كيف؟")
        'مرحبا كيف'
    """
    return text.translate(_DELETE_PUNCTUATION)


def delete_diacritics(text: str) -> str:
    """Delete U+064B to U+0652: tanween, short vowels, shadda, sukun."""
    return text.translate(_DELETE_DIACRITICS)


def unify_letters(text: str) -> str:
    """Write hamza carriers bare, delete lone hamza, and write پ ڤ as ب ف.

    Examples:
        >>> unify_letters("أسئلة شيء")
        'اسيلة شي'
    """
    return text.translate(_LETTERS)


def western_digits(text: str) -> str:
    """Write Arabic-Indic digits U+0660 to U+0669 as 0 to 9; Persian ones stay."""
    return text.translate(_DIGITS)


def join_waw(text: str) -> str:
    """Glue a standalone و to the next word.

    Examples:
        >>> join_waw("أنا و أنت")
        'أنا وأنت'
    """
    if not _WAW_ALONE.search(text):
        return text
    before = None
    while text != before:
        before, text = text, _STANDALONE_WAW.sub(r"\1و", text)
    return text


def collapse_space(text: str) -> str:
    """Make every run of white space one space and strip the ends."""
    return " ".join(text.split())


def keep_iwslt_letters(text: str) -> str:
    """Delete everything but Arabic letters, digits 0 to 9 and spaces (IWSLT 2022 wer_cer.py)."""
    return _IWSLT_KEPT.sub("", text)


def unify_iwslt_letters(text: str) -> str:
    """Write ة as ه, ى as ي and alef forms bare (IWSLT 2022 wer_cer.py)."""
    return text.translate(_IWSLT_LETTERS)


def whisper_basic_without_diacritics(text: str) -> str:
    """Do what Whisper's basic normalizer does with `remove_diacritics=True`.

    Lower case, bracketed text deleted, NFKD, marks deleted, symbols and punctuation to spaces.
    """
    text = text.lower()
    if "[" in text or "<" in text:
        text = _IN_BRACKETS.sub("", text)
    if "(" in text:
        text = _IN_PARENTHESES.sub("", text)
    return unicodedata.normalize("NFKD", text).translate(_WHISPER_CHARACTERS).lower()


class _WhisperCharacters(dict[int, str | None]):
    """What Whisper's normalizer writes for a character, found when it first comes."""

    def __missing__(self, code: int) -> str | None:
        category = unicodedata.category(chr(code))
        written = " " if category[0] in "MSP" else chr(code)
        self[code] = None if category == "Mn" else written
        return self[code]


_WHISPER_CHARACTERS = _WhisperCharacters()


def mgb2_punctuation_to_spaces(text: str) -> str:
    """Write ASCII punctuation, ، ؛ ؟ ÷ × ¦ “ ” … – and tatweel as spaces (Lhotse's mgb2.py).

    Examples:
        >>> mgb2_punctuation_to_spaces("نعم،لا")
        'نعم لا'
    """
    return text.translate(_MGB2_SPACES)


def unify_mgb2_letters(text: str) -> str:
    """Write ڤ as ف and ٪ as % (Lhotse's mgb2.py); hamza, ى and ة stay."""
    return text.translate(_MGB2_LETTERS)


def delete_mgb2_marks(text: str) -> str:
    """Delete U+064B to U+0652, U+0670, U+0674 and U+06D4 to U+06ED (Lhotse's mgb2.py)."""
    return text.translate(_DELETE_MGB2_MARKS)


def keep_mgb2_letters(text: str) -> str:
    """Lower the case, then delete all but U+0600 to U+06FF, white space, digits, a to z.

    Source: `remove_non_alphanumeric` of Lhotse's mgb2.py. A per-cent sign goes here too.
    """
    return _MGB2_DELETED.sub("", text.lower())


def drop_single_letters(text: str) -> str:
    """Drop words of one character that is no number, and collapse white space (Lhotse's mgb2.py).

    Examples:
        >>> drop_single_letters("أنا و أنت 3")
        'أنا أنت 3'
    """
    return " ".join(word for word in text.split() if len(word) > 1 or word.isnumeric())


_TABLES: Mapping[Step, Table] = {
    delete_punctuation: _DELETE_PUNCTUATION,
    delete_diacritics: _DELETE_DIACRITICS,
    unify_letters: _LETTERS,
    western_digits: _DIGITS,
    unify_iwslt_letters: _IWSLT_LETTERS,
    mgb2_punctuation_to_spaces: _MGB2_SPACES,
    unify_mgb2_letters: _MGB2_LETTERS,
    delete_mgb2_marks: _DELETE_MGB2_MARKS,
}


def in_one(steps: Iterable[Step]) -> Step:
    """Make one step of several; neighbours that only exchange characters pass the text once.

    Args:
        steps: Steps in the order in which they are taken.

    Examples:
        >>> in_one((delete_punctuation, unify_letters, collapse_space))(" أين ،  هو؟")
        'اين هو'
    """
    merged: list[Step] = []
    table: Table = {}
    for step in steps:
        if step in _TABLES:
            table = _then(table, _TABLES[step])
            continue
        if table:
            merged.append(_translation(table))
        merged.append(step)
        table = {}
    if table:
        merged.append(_translation(table))
    return lambda text: reduce(lambda value, change: change(value), merged, text)


def _then(first: Table, second: Table) -> Table:
    """Return the table that does what two tables do one after the other."""
    return {code: chr(code).translate(first).translate(second) for code in (*first, *second)}


def _translation(table: Table) -> Step:
    return lambda text: text.translate(table)
