"""What the lenient profile takes for equal: numbers in words and digits, letters that look alike.

A recogniser that writes "25" for خمسة وعشرين has understood; one whose keyboard writes ی for ي has,
too. The profiles that published scores use count both as errors, so this stands beside them.
"""

import unicodedata
from collections.abc import Sequence

from maqam.text.normalize import delete_diacritics, unify_letters

# Arabic letter: code points of Persian, Urdu, Kurdish and Quranic writing that look like it
_ALIKE = {
    "ي": "\u06cc\u06d2\u06d0\u0649\u0626",
    "ك": "\u06a9\u06aa\u06ab",
    "ه": "\u06c1\u06be\u06d5\u06c0\u06c2\u06c3\u0629",
    "و": "\u06c4\u06c5\u06c6\u06c7\u06c8\u06cb",
    "ا": "\u0671\u0672\u0673",
    "ن": "\u06ba",
}
_TABLE: dict[int, str | None] = {
    **{ord(one): letter for letter, alike in _ALIKE.items() for one in alike},
    **{0x06F0 + digit: str(digit) for digit in range(10)},
    **dict.fromkeys((0x0640, *range(0x0653, 0x0660), 0x0670, *range(0x06D6, 0x06EE))),
}
_UNITS = """
0 صفر
1 واحد واحدة احدى
2 اثنان اثنين اثنتان اثنتين اتنين ثنتين ثنين اثنا اثني اثنتا اثنتي جوج
3 ثلاثة ثلاث تلاتة تلات
4 أربعة أربع
5 خمسة خمس
6 ستة ست
7 سبعة سبع
8 ثمانية ثمان ثماني تمانية تمنية ثمنية تماني
9 تسعة تسع
10 عشرة عشر
11 حداشر احداشر حدعش احدعش حداش
12 اتناشر اثناشر طناشر اثنعش تنعش طناش
13 تلتاشر ثلطعش تلطعش تلاتاشر ثلاثطعش تلطاش
14 أربعتاشر أربعطعش أربعطاش
15 خمستاشر خمسطعش خمسطاش
16 ستاشر سطعش ستطعش سطاش
17 سبعتاشر سبعطعش سبعطاش
18 تمنتاشر تمنطعش ثمنطعش تمنطاش
19 تسعتاشر تسعطعش تسعطاش
20 عشرون عشرين
30 ثلاثون ثلاثين تلاتين
40 أربعون أربعين
50 خمسون خمسين
60 ستون ستين
70 سبعون سبعين
80 ثمانون ثمانين تمانين
90 تسعون تسعين
100 مئة مائة مية
200 مئتان مئتين مئتا مئتي مائتان مائتين مائتا مائتي ميتين
"""
_HUNDREDS = {
    3: "ثلاث تلت ثلث تلات",
    4: "أربع ربع",
    5: "خمس",
    6: "ست",
    7: "سبع",
    8: "ثمان ثماني تمن ثمن تمان",
    9: "تسع",
}
_SCALES = """
1000 ألف ألفا آلاف تلاف
1000000 مليون مليونا ملايين
1000000000 مليار مليارا مليارات بليون
"""
_DUALS = """
1000 ألفان ألفين ألفا ألفي
1000000 مليونان مليونين
1000000000 ملياران مليارين
"""


def equal_looking(text: str) -> str:
    r"""Write letters and digits that look alike with one code point, ة as ه and ى as ي.

    Compatibility forms (NFKC), Persian, Urdu and Quranic letters and digits; tatweel, Quranic marks
    and invisible characters go.

    Examples:
        >>> equal_looking("کتاب\u200cهای ۱۲") == "كتابهاي 12"
        True
        >>> equal_looking("ﻻ مدرسة") == "لا مدرسه"
        True
    """
    plain = unicodedata.normalize("NFKC", text)
    visible = "".join(one for one in plain if unicodedata.category(one) != "Cf")
    return visible.translate(_TABLE)


def _spelled(word: str) -> str:
    return equal_looking(unify_letters(delete_diacritics(word)))


def _numbers(table: str) -> dict[str, int]:
    lines = [line.split() for line in table.strip().splitlines()]
    return {_spelled(word): int(value) for value, *words in lines for word in words}


_VALUES = {
    **_numbers(_UNITS),
    **{
        _spelled(f"{short}{hundred}"): 100 * unit
        for unit, shorts in _HUNDREDS.items()
        for short in shorts.split()
        for hundred in ("مئة", "مائة", "مية", "ميت")
    },
}
_SCALE_OF = _numbers(_SCALES)
_DUAL_OF = {word: value for word, value in _numbers(_DUALS).items() if word not in _SCALE_OF}
_HUNDRED = {word for word, value in _VALUES.items() if value == 100}
_TEN = {_spelled(word) for word in ("عشر", "عشرة")}
_ELEVEN = {_spelled(word): 1 for word in ("أحد", "إحدى")}


def numbers_as_digits(text: str) -> str:
    """Write Arabic numbers in words, standard or dialectal, in digits.

    Words must stand as the lenient profile leaves them: bare letters, و joined to what follows.
    Numbers that are counted off one by one stay apart.

    Examples:
        >>> numbers_as_digits("خمسه وعشرين الف كتاب")
        '25000 كتاب'
        >>> numbers_as_digits("واحد اثنين ثلاثه")
        '1 2 3'
        >>> numbers_as_digits("25 الف وميه")
        '25100'
    """
    words = text.split()
    written = []
    at = 0
    while at < len(words):
        is_joined = words[at].startswith("و") and words[at] not in _VALUES
        value, end = _number(words, at, is_joined=is_joined)
        if value is None:
            written.append(words[at])
            at += 1
            continue
        written.append(f"و{value}" if is_joined else str(value))
        at = end
    return " ".join(written)


def _number(words: Sequence[str], at: int, *, is_joined: bool) -> tuple[int | None, int]:
    """Return the number that begins at a word and where it ends; None where there is none."""
    total, limit = None, 10**12
    while True:
        value, end = _group(words, at, is_joined=is_joined)
        if value is None or value >= limit:
            return total, at
        total = value + (total or 0)
        limit = _scale(words[end - 1])
        at, is_joined = end, True
        if limit == 1:
            return total, at


def _scale(last: str) -> int:
    """Return what later parts of a number must lie below."""
    word = last.removeprefix("و")
    return _SCALE_OF.get(word) or _DUAL_OF.get(word) or 1


def _group(words: Sequence[str], at: int, *, is_joined: bool) -> tuple[int | None, int]:
    """Return a number below a thousand with its scale: thousands, millions, milliards."""
    first = _bare(words, at, is_joined=is_joined)
    if first in _DUAL_OF:
        return 2 * _DUAL_OF[first], at + 1
    if first in _SCALE_OF:
        return _SCALE_OF[first], at + 1
    value, end = _below_thousand(words, at, is_joined=is_joined)
    if value is not None and end < len(words) and words[end] in _SCALE_OF:
        return value * _SCALE_OF[words[end]], end + 1
    return value, end


def _below_thousand(words: Sequence[str], at: int, *, is_joined: bool) -> tuple[int | None, int]:
    value = _value(words, at, is_joined=is_joined)
    if value is None:
        return _teen(words, at, is_joined=is_joined)
    end = at + 1
    following = words[end] if end < len(words) else ""
    if 3 <= value <= 9 and following in _HUNDRED:
        value, end = 100 * value, end + 1
    elif value < 10:
        return _below_hundred(words, at, is_joined=is_joined)
    if value < 100 or value % 100:
        return value, end
    rest, after = _below_hundred(words, end, is_joined=True)
    return (value, end) if rest is None or rest >= 100 else (value + rest, after)


def _below_hundred(words: Sequence[str], at: int, *, is_joined: bool) -> tuple[int | None, int]:
    """Return a number of ones, ten and ones, or ones and tens, as Arabic says them."""
    teen, end = _teen(words, at, is_joined=is_joined)
    if teen is not None:
        return teen, end
    value = _value(words, at, is_joined=is_joined)
    if value is None:
        return None, at
    tens = _value(words, at + 1, is_joined=True)
    if 1 <= value <= 9 and tens is not None and 20 <= tens <= 90 and tens % 10 == 0:
        return value + tens, at + 2
    return value, at + 1


def _teen(words: Sequence[str], at: int, *, is_joined: bool) -> tuple[int | None, int]:
    """Return a number of two words from eleven to nineteen."""
    if at + 1 >= len(words) or words[at + 1] not in _TEN:
        return None, at
    word = _bare(words, at, is_joined=is_joined)
    unit = _ELEVEN.get(word, _VALUES.get(word, 0))
    return (10 + unit, at + 2) if 1 <= unit <= 9 else (None, at)


def _value(words: Sequence[str], at: int, *, is_joined: bool) -> int | None:
    """Return the number that one word is, in words or digits, below a thousand."""
    word = _bare(words, at, is_joined=is_joined)
    if word.isascii() and word.isdigit() and len(word) <= 3 and str(int(word)) == word:
        return int(word)
    return _VALUES.get(word)


def _bare(words: Sequence[str], at: int, *, is_joined: bool) -> str:
    """Return a word without the و that joins it; nothing where it is not joined."""
    if at >= len(words):
        return ""
    if not is_joined:
        return words[at]
    return words[at].removeprefix("و") if words[at].startswith("و") else ""
