"""Steps of text normalisation, one small function each; profiles put them in order.

Code points follow `eval.py` of the Open Universal Arabic ASR Leaderboard where a step is its.
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
