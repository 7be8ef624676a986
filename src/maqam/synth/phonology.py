"""From diacritised Arabic to eSpeak phonemes, in the sounds of each variety.

The letters are read by rule here and handed to eSpeak as `[[phonemes]]`, because its own reading
drops vowels under shadda and knows one variety only. What makes the varieties differ follows
Watson, *The Phonology and Morphology of Arabic* (2002) and Holes, *Modern Arabic* (2004):

| | qaf | jim | tha, dhal | ay, aw | short vowels | stress |
|---|---|---|---|---|---|---|
| msa | q | dZ | T D | kept | kept | heavy of the last three |
| egyptian | glottal stop | g | t d | e: o: | kept | the last but one |
| levantine | glottal stop | ʒ | t d | e: o: | final a to e, long a raised | as msa |
| gulf | g | j | kept | e: o: | long a backed, k to tʃ beside i | as msa |
| maghrebi | q | ʒ | t (affricated) d | i: u: | dropped or centralised | the last |

`Z;` is eSpeak's /ʒ/ in the Arabic table: a bare `Z` there is the sound of za.
"""

import re

_LETTERS = "ءأؤإئبتثجحخدذرزسشصضطظعغفقكلمنهوي"
_SOUNDS = "? ? ? ? ? b t T dZ H X d D R z s S s[ dH t[ Z A Q f q k l m n h w j"
_CONSONANTS = dict(zip(_LETTERS, _SOUNDS.split(), strict=True))
_SHORT = {"\u064e": "a", "\u064f": "u", "\u0650": "i"}
_SHADDA, _SUKUN, _TANWIN = "\u0651", "\u0652", "\u064b"
_SUN = "تثدذرزسشصضطظلن"
_ARTICLE = re.compile(
    r"^([وفبكل][\u064e\u0650\u0652]?)?ا[\u064e\u0650]?ل\u0652?(?=[^\u064e-\u0652])"
)
_DARK = {"s[", "dH", "t[", "Z", "q"}
_BACK = _DARK | {"H", "A", "Q", "X", "R"}
_LONG = {"a:", "i:", "u:", "a.:", "i.:", "u.:", "e:", "o:", "ai", "au"}
_VOWELS = _LONG | {"a", "i", "u", "a.", "i.", "u.", "e", "@"}
_CHANGES = {
    "msa": {},
    "egyptian": {"q": "?", "dZ": "g", "T": "t", "D": "d", "Z": "dH", "ai": "e:", "au": "o:"},
    "levantine": {"q": "?", "dZ": "Z;", "T": "t", "D": "d", "Z": "dH", "ai": "e:", "au": "o:"},
    "gulf": {"q": "g", "dZ": "j", "dH": "Z", "ai": "e:", "au": "o:"},
    "maghrebi": {"dZ": "Z;", "T": "t", "D": "d", "Z": "dH", "ai": "i:", "au": "u:"},
}
_ARTICLE_VOWEL = {"msa": "a", "egyptian": "i", "levantine": "i", "gulf": "i", "maghrebi": ""}


def letters_to_phones(word: str, *, article_vowel: str = "a", foreign: bool = False) -> list[str]:
    """Read one diacritised word.

    Args:
        word: Arabic letters with vowel marks.
        article_vowel: Vowel of the article, "" where it has none.
        foreign: Whether the word is a loan, in which ghayn stands for /g/.

    Examples:
        >>> " ".join(letters_to_phones("الشَّمْس"))
        'a S S a m s'
    """
    word = re.sub(f"([\u064e-\u0650]){_SHADDA}", rf"{_SHADDA}\1", word)
    phones: list[str] = []
    article = _ARTICLE.match(word)
    if article:
        phones += _prefix(article[1] or "", article_vowel)
        word = word[article.end() :]
        if word[0] in _SUN:
            word = word.replace(_SHADDA, "", 1) if word[1:2] == _SHADDA else word
            phones.append(_CONSONANTS[word[0]])
        else:
            phones.append("l")
    for index, letter in enumerate(word):
        after = word[index + 1 : index + 2]
        phones += _read(letter, after, phones)
    if foreign:
        return _loan(phones)
    return phones


def _prefix(prefix: str, article_vowel: str) -> list[str]:
    if not prefix:
        return [article_vowel] if article_vowel else []
    vowel = _SHORT.get(prefix[1:], "")
    return [_CONSONANTS[prefix[0]], *([vowel] if vowel else [])]


def _read(letter: str, after: str, phones: list[str]) -> list[str]:
    """Return the phones a letter adds; a long vowel rewrites the last phone in place."""
    last = phones[-1] if phones else ""
    if letter in _SHORT:
        return [_SHORT[letter]]
    if letter == _TANWIN:
        return ["a", "n"]
    if letter == _SHADDA:
        return [last]
    if letter == "آ":
        return ["?", "a:"]
    if letter in "اى":
        if not phones:
            return ["?"]
        if last == "a":
            phones[-1] = "a:"
        return []
    vowelled = after != "" and after in "\u064e\u064f\u0650\u0651\u064bا"
    if letter in "وي" and not vowelled:
        long = {("و", "u"): "u:", ("ي", "i"): "i:", ("و", "a"): "au", ("ي", "a"): "ai"}
        if (letter, last) in long:
            phones[-1] = long[letter, last]
            return []
    return [_CONSONANTS[letter]] if letter in _CONSONANTS else []


def _loan(phones: list[str]) -> list[str]:
    text = " ".join("g" if phone == "Q" else phone for phone in phones)
    return text.replace("d dZ", "dZ").replace("t S", "tS").split()


def to_variety(phones: list[str], variety: str) -> list[str]:
    """Turn the sounds of Modern Standard Arabic into those of a variety.

    Examples:
        >>> " ".join(to_variety(["q", "a", "dZ", "a", "b"], "egyptian"))
        '? a g a b'
    """
    changes = _CHANGES[variety]
    dark = any(phone in _BACK for phone in phones)
    phones = [changes.get(phone, phone) for phone in phones]
    if variety == "levantine" and not dark:
        phones = _raise_a(phones)
    elif variety == "gulf":
        phones = ["a.:" if phone == "a:" else phone for phone in _front_k(phones)]
    elif variety == "maghrebi":
        phones = ["ts" if phone == "t" else phone for phone in _reduce(phones)]
    return phones


def _raise_a(phones: list[str]) -> list[str]:
    phones = ["e:" if phone == "a:" else phone for phone in phones]
    if len(phones) > 3 and phones[-1] == "a":
        phones[-1] = "e"
    return phones


def _front_k(phones: list[str]) -> list[str]:
    return [
        "tS" if phone == "k" and {"i", "i:"} & set(phones[max(0, at - 1) : at + 2]) else phone
        for at, phone in enumerate(phones)
    ]


def _reduce(phones: list[str]) -> list[str]:
    """Drop short vowels of open syllables and centralise the others, but keep the last one."""
    reduced: list[str] = []
    for at, phone in enumerate(phones):
        if phone in ("a", "i", "u") and 0 < at < len(phones) - 1:
            open_syllable = at + 2 < len(phones) and phones[at + 2] in _VOWELS
            crowded = len(reduced) > 1 and reduced[-2] not in _VOWELS
            if open_syllable and not crowded:
                continue
            reduced.append("@" if phone != "a" or not open_syllable else "a")
        else:
            reduced.append(phone)
    return reduced


def stressed(phones: list[str], variety: str, *, after: int = 0) -> list[str]:
    """Mark the stressed vowel of a word with eSpeak's `'`.

    Args:
        phones: Sounds of one word.
        variety: One of `maqam.synth.settings.VARIETIES`.
        after: Sounds at the start that never take it: the article's.

    Examples:
        >>> "".join(stressed(["k", "i", "t", "a:", "b"], "msa"))
        "kit'a:b"
    """
    nuclei = [at for at, phone in enumerate(phones) if phone in _VOWELS and at >= after]
    if not nuclei:
        return phones
    tail = phones[nuclei[-1] + 1 :]
    superheavy = len(tail) > 1 or (bool(tail) and phones[nuclei[-1]] in _LONG)
    if len(nuclei) == 1 or superheavy or variety == "maghrebi":
        chosen = nuclei[-1]
    elif variety == "egyptian" or len(nuclei) == 2 or _is_heavy(phones, nuclei[-2], nuclei[-1]):
        chosen = nuclei[-2]
    else:
        chosen = nuclei[-3]
    return [*phones[:chosen], "'" + phones[chosen], *phones[chosen + 1 :]]


def _is_heavy(phones: list[str], nucleus: int, following: int) -> bool:
    return phones[nucleus] in _LONG or following - nucleus > 2


def _darken(phones: list[str]) -> list[str]:
    """Use the back vowels beside emphatic consonants."""
    return [
        phone + "."
        if phone in ("a", "i", "u") and _DARK & set(phones[max(0, at - 1) : at + 2])
        else re.sub("^([aiu]):$", r"\1.:", phone)
        if phone in ("a:", "i:", "u:") and at and phones[at - 1] in _DARK
        else phone
        for at, phone in enumerate(phones)
    ]


def pronounce(words: list[tuple[str, bool]], variety: str) -> str:
    """Return the phonemes of one sentence, to be put between `[[` and `]]`.

    Args:
        words: Diacritised words, each with whether it is a loan.
        variety: One of `maqam.synth.settings.VARIETIES`.

    Examples:
        >>> pronounce([("القَلْب", False), ("جَدِيد", False)], "msa")
        "?alq'a.lb dZad'i:d"
        >>> pronounce([("القَلْب", False), ("جَدِيد", False)], "egyptian")
        "?il?'alb gad'i:d"
    """
    spoken: list[str] = []
    ends_in_vowel = False
    for word, foreign in words:
        phones = letters_to_phones(word, article_vowel=_ARTICLE_VOWEL[variety], foreign=foreign)
        if not phones:
            continue
        if not foreign:
            phones = to_variety(phones, variety)
        if phones[0] in _VOWELS:
            phones = phones[1:] if ends_in_vowel else [*([] if spoken else ["?"]), *phones]
        ends_in_vowel = phones[-1] in _VOWELS
        after = 2 if _ARTICLE.match(word) and phones[0] in ("?", *_SHORT.values()) else 0
        spoken.append("".join(stressed(_darken(phones), variety, after=after)))
    return " ".join(spoken)
