"""Arabic word forms by variety: conjugated verbs, feminine adjectives, articles, spelled numbers.

Everything is written with its vowels and in pausal form (no case endings), which is how the
varieties are spoken and what the synthesizer reads best. The varieties differ where their
speakers do: the prefix of the present and of the future, the frame of negation, short vowels.
"""

FATHA, DAMMA, KASRA, SHADDA, SUKUN = "\u064e", "\u064f", "\u0650", "\u0651", "\u0652"
_MARKS = dict.fromkeys(range(0x064B, 0x0653))
_PRESENT = {"msa": "", "egyptian": "بِ", "levantine": "بِ", "gulf": "", "maghrebi": "كَ"}
_FUTURE = {
    "msa": "سَ",
    "egyptian": "هَ",
    "levantine": "رَح ",
    "gulf": "رَاح ",
    "maghrebi": "غَادِي ",
}


def plain(text: str) -> str:
    """Drop the vowel marks: the ordinary spelling, which is what ASR must write.

    Examples:
        >>> plain("كِتَاب جَدِيد")
        'كتاب جديد'
    """
    return text.translate(_MARKS)


def definite(form: str) -> str:
    """Put the article before a noun or adjective.

    Examples:
        >>> definite("بَيْت")
        'البَيْت'
    """
    return form if form.startswith("ال") else "ال" + form


def feminine(form: str) -> str:
    """Return the regular feminine of an adjective.

    Examples:
        >>> plain(feminine("جَدِيد"))
        'جديدة'
    """
    if form.endswith("ة"):
        return form
    if form.endswith("ى"):
        return form[:-1] + "اة"
    if form.endswith("ِي"):
        return form + FATHA + "ة"
    return form + FATHA + "ة"


def perfect(form: str, person: str, variety: str) -> str:
    """Conjugate a past verb, given as the third person masculine with its final vowel.

    Args:
        form: Such as "كَتَبَ".
        person: "3m" or "3f".
        variety: One of `maqam.synth.settings.VARIETIES`.

    Examples:
        >>> plain(perfect("كَتَبَ", "3f", "egyptian")), perfect("كَتَبَ", "3m", "gulf")
        ('كتبت', 'كَتَب')
    """
    weak = form[-1] in "اى"
    stem = form.removesuffix(FATHA)
    if person == "3m":
        return form if weak or variety == "msa" else stem
    if weak:
        return form[:-1].removesuffix(FATHA) + FATHA + "ت"
    vowel = KASRA if variety in ("egyptian", "levantine") else FATHA
    return stem + vowel + "ت"


def present(form: str, person: str, variety: str, *, prefix: str | None = None) -> str:
    """Conjugate a present verb, given as the third person masculine without its mood vowel.

    Args:
        form: Such as "يَكْتُب".
        person: "3m", "3f" or "1" (I).
        variety: One of `maqam.synth.settings.VARIETIES`.
        prefix: What stands before the verb; None gives the variety's own present.

    Examples:
        >>> plain(present("يَكْتُب", "3m", "egyptian")), plain(present("يَكْتُب", "1", "maghrebi"))
        ('بيكتب', 'كنكتب')
    """
    prefix = _PRESENT[variety] if prefix is None else prefix
    vowel, stem = (
        (form[1], form[2:]) if form[1] in FATHA + DAMMA + KASRA + SUKUN else ("", form[1:])
    )
    if variety in ("egyptian", "levantine"):
        vowel = KASRA
    elif variety == "maghrebi":
        vowel = SUKUN if vowel else ""
    if person == "1" and variety != "maghrebi":
        if prefix in ("بِ", "هَ"):
            return prefix[0] + FATHA + stem
        return prefix + "أ" + (vowel if variety == "msa" else FATHA) + stem
    letter = {"3m": "ي", "3f": "ت", "1": "ن"}[person]
    return prefix + letter + vowel + stem


def verb(forms: tuple[str, str], tense: str, person: str, variety: str) -> str:
    """Conjugate a verb.

    Args:
        forms: The past and the present of the third person masculine.
        tense: "past", "present", "future", "bare" (after "must" or "want"), "not" (negated
            present) or "never" (negated past).
        person: "3m", "3f" or "1"; "1" has no past here.
        variety: One of `maqam.synth.settings.VARIETIES`.

    Examples:
        >>> plain(verb(("كَتَبَ", "يَكْتُب"), "not", "3m", "egyptian"))
        'ما بيكتبش'
    """
    if tense == "past":
        return perfect(forms[0], person, variety)
    if tense == "present":
        return present(forms[1], person, variety)
    if tense == "future":
        return present(forms[1], person, variety, prefix=_FUTURE[variety])
    if tense == "bare":
        return present(forms[1], person, variety, prefix="")
    if tense == "not":
        body = present(forms[1], person, variety)
    else:
        body = perfect(forms[0], person, variety)
    if variety in ("egyptian", "maghrebi"):
        body = body[:-1] + "ا" if body[-1] == "ى" else body
        return "مَا " + body.removesuffix(FATHA) + "ش"
    return ("لَا " if variety == "msa" and tense == "not" else "مَا ") + body


def number_words(number: int, names: dict[int, str]) -> str:
    """Spell a number from 1 to 9,999 out.

    Args:
        number: What to spell.
        names: Words of 1 to 10, of the tens, of 100 and of 1000.

    Examples:
        >>> number_words(25, {5: "خَمْسَة", 20: "عِشْرِين"})
        'خَمْسَة وَعِشْرِين'
    """
    parts = []
    thousands, hundreds, rest = number // 1000, number // 100 % 10, number % 100
    if thousands:
        few = "آلَاف" if thousands > 2 else "أَلْفِين" if thousands == 2 else names[1000]
        parts.append(f"{_bare(names[thousands])} {few}" if thousands > 2 else few)
    if hundreds:
        few = names[100]
        if hundreds == 2:
            few = few.removesuffix("ة").removesuffix(FATHA) + "تِين"
        parts.append(f"{_bare(names[hundreds])} {few}" if hundreds > 2 else few)
    if 10 < rest < 20:
        parts.append(f"{names[rest - 10]} {_bare(names[10])}")
    elif rest:
        parts += [names[part] for part in (rest % 10, rest - rest % 10) if part in names]
        if rest == 10:
            parts = [*parts[: len(parts) - 1], names[10]]
    return " وَ".join(parts)


def _bare(form: str) -> str:
    return form.removesuffix("ة").removesuffix(FATHA)
