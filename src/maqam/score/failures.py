"""How generation fails: blank, looping, chatty, refusing, endless or foreign answers."""

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np

from maqam.text.profiles import normalize

# how assistants open an answer about the answer; compared without case, marks and punctuation
PREFACES = (
    *("sure", "certainly", "of course", "okay here", "here is", "here's", "the transcription is"),
    *("the transcript is", "the text is", "the summary is", "the audio says", "transcription"),
    *("summary", "بالتأكيد", "بالطبع", "حسنا إليك", "إليك", "إليكم", "النص هو", "النص المفرغ"),
    *("الملخص هو", "ملخص النص", "التفريغ"),
)
REFUSALS = (
    *("i'm sorry", "i am sorry", "sorry i", "i cannot", "i can't", "i am unable", "i'm unable"),
    *("as an ai", "as a language model", "unfortunately i", "عذرا", "آسف", "أعتذر", "لا أستطيع"),
    *("لا يمكنني", "أنا آسف", "للأسف لا", "بصفتي نموذج"),
)

# letters of Persian and Urdu; پ چ گ ژ are not among them, for Arabic dialects are written with them
_OF_NEIGHBOURS = frozenset("ٹڈڑںےۓہھۀۂیک")


def is_blank(hypotheses: Sequence[str]) -> np.ndarray:
    """Tell which answers hold nothing.

    Examples:
        >>> is_blank(["نعم", " "]).tolist()
        [False, True]
    """
    return np.array([not text.strip() for text in hypotheses], dtype=bool)


def is_loop(hypotheses: Sequence[str], *, most_repeats: int = 3, longest: int = 4) -> np.ndarray:
    """Tell which answers repeat a group of words over and over.

    Args:
        hypotheses: Answers.
        most_repeats: Times a group of words may follow itself.
        longest: Words of the longest group looked for.

    Examples:
        >>> is_loop(["نعم نعم نعم نعم", "لا لا لا أعرف"]).tolist()
        [True, False]
    """
    return np.array([_loops(text.split(), most_repeats, longest) for text in hypotheses], bool)


def is_explosion(
    references: Sequence[str], hypotheses: Sequence[str], *, factor: float = 3.0, slack: int = 5
) -> np.ndarray:
    """Tell which answers have more words than `factor` times the reference's, and `slack` more.

    Examples:
        >>> is_explosion(["نعم"], ["نعم نعم نعم نعم نعم نعم نعم نعم نعم"]).tolist()
        [True]
    """
    wanted = np.array([len(text.split()) for text in references])
    found = np.array([len(text.split()) for text in hypotheses])
    result: np.ndarray = found > factor * wanted + slack
    return result


def is_preface(references: Sequence[str], hypotheses: Sequence[str]) -> np.ndarray:
    """Tell which answers begin by talking about the answer, as "Here is the transcription:".

    An answer whose reference begins with the same words is none.

    Examples:
        >>> is_preface(["ذهب"], ["بالتأكيد، النص هو: ذهب"]).tolist()
        [True]
    """
    return _begins(references, hypotheses, PREFACES)


def is_refusal(references: Sequence[str], hypotheses: Sequence[str]) -> np.ndarray:
    """Tell which answers begin by declining, as "I'm sorry, I cannot hear".

    An answer whose reference begins with the same words is none: people say them too.

    Examples:
        >>> is_refusal(["نعم", "آسف"], ["I'm sorry, I cannot.", "آسف"]).tolist()
        [True, False]
    """
    return _begins(references, hypotheses, REFUSALS)


def is_wrong_script(references: Sequence[str], hypotheses: Sequence[str]) -> np.ndarray:
    """Tell which answers have most letters in scripts that their reference does not use.

    A word with letters of Persian or Urdu alone is not Arabic. Where reference or answer have no
    letters there is nothing to compare.

    Examples:
        >>> is_wrong_script(["نعم", "iPhone جديد"], ["yes", "iPhone"]).tolist()
        [True, False]
    """
    wrong = []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        used = set(_scripts(reference))
        found = _scripts(hypothesis)
        foreign = sum(script not in used for script in found)
        wrong.append(bool(used) and 2 * foreign > len(found))
    return np.array(wrong, dtype=bool)


def _begins(
    references: Sequence[str], hypotheses: Sequence[str], beginnings: Sequence[str]
) -> np.ndarray:
    known = tuple(f"{_plain(words)} " for words in beginnings)
    found = []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        begun = [one for one in known if f"{_plain(hypothesis)} ".startswith(one)]
        found.append(any(not f"{_plain(reference)} ".startswith(one) for one in begun))
    return np.array(found, dtype=bool)


def _plain(text: str) -> str:
    return normalize(text.replace("\u2019", "'").lower())


def _scripts(text: str) -> list[str]:
    """Return the script of every letter; a word that Arabic does not spell so is no Arabic."""
    found = []
    for word in text.split():
        is_foreign = not _OF_NEIGHBOURS.isdisjoint(word)
        scripts = [_script(letter) for letter in word if letter.isalpha()]
        found += ["NOT ARABIC" if is_foreign and one == "ARABIC" else one for one in scripts]
    return found


@cache
def _script(letter: str) -> str:
    """Return the script of a letter: the first word of its Unicode name."""
    return unicodedata.name(letter, "UNKNOWN").partition(" ")[0]


def _loops(words: list[str], most_repeats: int, longest: int) -> bool:
    for size in range(1, longest + 1):
        run = 0
        for index in range(size, len(words)):
            run = run + 1 if words[index] == words[index - size] else 0
            if run >= size * most_repeats:
                return True
    return False
