"""The words of the embedded corpus, from `lexicon.tsv`.

One line a word: class, diacritised form, second form (plural of a noun, present of a verb,
pronunciation of an English word, feminine of a colour), gender, English gloss, and the word of
each variety where it differs from Modern Standard Arabic.
"""

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

VARIETIES = ("egyptian", "levantine", "gulf", "maghrebi")


@dataclass(frozen=True, slots=True)
class Word:
    """One entry of the lexicon.

    Attributes:
        group: Class such as "n.person", "vt" (verb with a thing as object) or "f" (function word).
        form: Diacritised form in Modern Standard Arabic, or Latin letters for an English word.
        second: Plural, present tense, feminine or pronunciation; empty where there is none.
        gender: "m" or "f" for nouns, else empty.
        gloss: Its meaning in English; the key of a function word; the value of a number.
        variants: Form (a verb: past and present) in the varieties that use another word.
    """

    group: str
    form: str
    second: str
    gender: str
    gloss: str
    variants: Mapping[str, str]

    def form_in(self, variety: str) -> str:
        """Return the form that a variety uses."""
        return self.variants.get(variety, self.form)

    def gender_in(self, variety: str) -> str:
        """Return the gender of a noun in a variety, which may use another noun."""
        if variety in self.variants:
            return "f" if self.variants[variety].endswith("ة") else "m"
        return self.gender

    def verb_in(self, variety: str) -> tuple[str, str]:
        """Return the past and the present of a verb in a variety."""
        if variety in self.variants:
            past, _, now = self.variants[variety].partition(" ")
            return past, now
        return self.form, self.second


@dataclass(frozen=True)
class Lexicon:
    """All words, by class and by gloss."""

    groups: Mapping[str, tuple[Word, ...]]

    def words(self, key: str) -> tuple[Word, ...]:
        """Return the words of a class, or those of a class with one gloss, as in "vt=sell".

        Examples:
            >>> [word.gloss for word in read_lexicon().words("vt=sell")]
            ['sell']
        """
        group, _, gloss = key.partition("=")
        if not gloss:
            return self.groups[group]
        return tuple(word for word in self.groups[group] if word.gloss == gloss)[:1]

    def function_word(self, key: str, variety: str) -> str:
        """Return the function word that a variety uses for a meaning.

        Examples:
            >>> read_lexicon().function_word("what", "levantine")
            'شُو'
        """
        return self.words(f"f={key}")[0].form_in(variety)

    def number_names(self, variety: str) -> dict[int, str]:
        """Return the number words of a variety by value."""
        return {int(word.gloss): word.form_in(variety) for word in self.groups["number"]}


@functools.cache
def read_lexicon() -> Lexicon:
    """Read the lexicon that ships in the package.

    Examples:
        >>> sum(map(len, read_lexicon().groups.values())) > 1500
        True
    """
    text = resources.files(__package__).joinpath("lexicon.tsv").read_text("utf-8")
    groups: dict[str, list[Word]] = {}
    for line in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        word = Word(
            group=line["class"],
            form=line["form"],
            second=line["second"],
            gender=line["gender"],
            gloss=line["gloss"],
            variants={name: line[name] for name in VARIETIES if line[name]},
        )
        groups.setdefault(word.group, []).append(word)
    return Lexicon({name: tuple(words) for name, words in groups.items()})
