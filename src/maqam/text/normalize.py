"""Steps of text normalisation, one small function each; profiles put them in order.

Code points follow `eval.py` of the Open Universal Arabic ASR Leaderboard where a step is its, and
`cleaning` of Lhotse's `recipes/mgb2.py` where its name says mgb2.
"""

import re
import unicodedata

LEADERBOARD_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~،؛؟"
_DELETE_PUNCTUATION = str.maketrans("", "", LEADERBOARD_PUNCTUATION)
_DELETE_DIACRITICS = dict.fromkeys(range(0x064B, 0x0653))
_LETTERS = str.maketrans(
    {"پ": "ب", "ڤ": "ف", "آ": "ا", "أ": "ا", "إ": "ا", "ؤ": "و", "ئ": "ي", "ء": None}
)
_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩", "0123456789")
_STANDALONE_WAW = re.compile(r"(^|\s)و\s+")
_SPACE = re.compile(r"\s+")
_IWSLT_KEPT = re.compile(r"[^اأإآبتثجحخدذرزسشصضطظعغفقكلمنهويىئءؤة0-9 ]")
MGB2_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" + (
    "\u060c\u061b\u061f\u0640\u00a6\u00d7\u00f7\u2013\u201c\u201d\u2026"
)
_MGB2_SPACES = str.maketrans(dict.fromkeys(MGB2_PUNCTUATION, " "))
_MGB2_MARKS = re.compile("[\u064b-\u0652\u0670\u0674\u06d4-\u06ed]")
_MGB2_DELETED = re.compile(r"[^\u0600-\u06ff\s\da-z]")
_MGB2_LETTERS = str.maketrans({"\u06a4": "\u0641", "\u066a": "%"})
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
    before = None
    while text != before:
        before, text = text, _STANDALONE_WAW.sub(r"\1و", text)
    return text


def collapse_space(text: str) -> str:
    """Make every run of white space one space and strip the ends."""
    return _SPACE.sub(" ", text).strip()


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
    text = re.sub(r"\(([^)]+?)\)", "", re.sub(r"[<\[][^>\]]*[>\]]", "", text.lower()))
    kept = []
    for character in unicodedata.normalize("NFKD", text):
        category = unicodedata.category(character)
        if category != "Mn":
            kept.append(" " if category[0] in "MSP" else character)
    return "".join(kept).lower()


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
    return _MGB2_MARKS.sub("", text)


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
