"""Sentences and stories from patterns over the lexicon, in any of the five varieties.

A pattern is a line of marks:

* `n.thing`, `city`, `vt=sell`: a word of a class, or the one with that gloss;
* `S:n.person` chooses a word and names it, `$S` says it again, `name@S` is a name of its gender;
* nouns are definite; `/i` makes one indefinite, `/p` a definite plural, `/pi` an indefinite one,
  `/c` the first noun of a possession ("the book of");
* `vt.past@S`: a verb agreeing with S (`@I` is the speaker, `@M3` a man unnamed);
* `adjthing@O` agrees with O, also in being definite; `/i` keeps it indefinite; `/m`, `/f`, `/md`
  and `/fd` state gender and article where nothing is named;
* `f=why`: the variety's own function word; `#3-10`: a number, spelled out; `wa+`, `bi+`: "and",
  "for"; `msa:` only in that variety; Arabic letters stand for themselves.

What is grammatical is kept, what is likely is not: a language model must not be able to guess
the words, or a recogniser could score without listening.
"""

import functools
from dataclasses import dataclass
from importlib import resources

import numpy as np

from maqam.synth import morphology
from maqam.synth.lexicon import Lexicon, Word, read_lexicon

_ATTACHED = ("لِ", "لْ", "لَ", "بِ")


@dataclass(frozen=True, slots=True)
class Token:
    """One written word: its ordinary spelling and what the synthesizer reads.

    Attributes:
        text: Spelling without vowel marks; Latin letters for an English word.
        spoken: Diacritised Arabic.
        foreign: Whether it is an English word.
    """

    text: str
    spoken: str
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """Words of one sentence in one variety."""

    tokens: tuple[Token, ...]
    question: bool = False

    @property
    def text(self) -> str:
        """Its words as one line of ordinary spelling, without punctuation."""
        return " ".join(token.text for token in self.tokens)


@dataclass(frozen=True, slots=True)
class Story:
    """Sentences on one event, and the sentence that sums them up."""

    topic: str
    sentences: tuple[Sentence, ...]
    summary: Sentence


@dataclass
class _Slot:
    word: Word
    gender: str
    definite: bool = True


class Speaker:
    """Realises patterns in one variety; one object a sentence or story.

    Args:
        variety: One of `maqam.synth.settings.VARIETIES`.
        rng: Chooses the words.
    """

    def __init__(self, variety: str, rng: np.random.Generator) -> None:
        self.variety, self._rng = variety, rng
        self._lexicon: Lexicon = read_lexicon()
        self._slots: dict[str, _Slot] = {}

    def bind(self, pattern: str) -> None:
        """Choose the named words of a pattern, in order, keeping those already chosen."""
        for mark in pattern.split():
            mark = mark.removeprefix("wa+").removeprefix("bi+")
            name, colon, key = mark.partition(":")
            if colon and name != "msa" and name not in self._slots:
                key, _, flags = key.partition("/")
                word = self._choose(key)
                gender = "f" if "p" in flags else word.gender_in(self.variety)
                if word.group in ("male", "female"):
                    gender = word.group[0]
                self._slots[name] = _Slot(word, gender or "m", "i" not in flags)

    def say(self, pattern: str) -> Sentence:
        """Turn a pattern into a sentence."""
        self.bind(pattern)
        tokens: list[Token] = []
        waiting = ""
        for mark in pattern.split():
            if mark.startswith("msa:"):
                if self.variety != "msa":
                    continue
                mark = mark.removeprefix("msa:")
            before = waiting
            for prefix, letters in (("wa+", "وَ"), ("bi+", "بِ")):
                if mark.startswith(prefix):
                    mark, before = mark.removeprefix(prefix), before + letters
            words = self._realise(mark)
            waiting = ""
            if words and words[-1].spoken in _ATTACHED:
                waiting = words.pop().spoken
            tokens += _attach(before, words)
        return Sentence(tuple(tokens), question=pattern.startswith(_QUESTIONS))

    def _choose(self, key: str) -> Word:
        if key.startswith("name"):
            _, _, other = key.partition("@")
            gender = self._slots[other].gender if other else "mf"[self._rng.integers(2)]
            key = "male" if gender == "m" else "female"
        if key.endswith(("_m", "_f")):
            words = tuple(w for w in self._lexicon.words(key[:-2]) if w.gender == key[-1])
        else:
            words = self._lexicon.words(key)
        return words[int(self._rng.integers(len(words)))]

    def _realise(self, mark: str) -> list[Token]:
        mark, _, flags = mark.partition("/")
        if mark[0] == "#":
            low, high = map(int, mark[1:].split("-"))
            number = int(self._rng.integers(low, high + 1))
            names = self._lexicon.number_names(self.variety)
            return _tokens(morphology.number_words(number, names))
        if mark[0] not in "$#" and not mark[0].isascii():
            return _tokens(mark)
        name, colon, _ = mark.partition(":")
        if colon or mark[0] == "$":
            slot = self._slots[name.removeprefix("$")]
            return self._noun(slot.word, flags)
        key, _, other = mark.partition("@")
        if key.startswith("f="):
            return self._function(key, other)
        if key[0] == "v":
            return self._verb(key, other)
        if key.startswith(("adj", "colour")):
            return self._adjective(self._choose(key), other, flags)
        return self._noun(self._choose(key), flags)

    def _function(self, key: str, other: str) -> list[Token]:
        key = key.removeprefix("f=")
        if key == "this":
            key = f"this_{self._slots[other].gender}"
        elif other:
            key = key.replace("he_", "she_") if self._slots[other].gender == "f" else key
        return _tokens(self._lexicon.function_word(key, self.variety))

    def _verb(self, key: str, other: str) -> list[Token]:
        key, _, tense = key.rpartition(".")
        person = "1" if other == "I" else "3m"
        if other in self._slots and self._slots[other].gender == "f":
            person = "3f"
        forms = self._choose(key).verb_in(self.variety)
        return _tokens(morphology.verb(forms, tense, person, self.variety))

    def _adjective(self, word: Word, other: str, flags: str) -> list[Token]:
        slot = self._slots.get(other, _Slot(word, "f" if "f" in flags else "m", "d" in flags))
        form = word.form_in(self.variety)
        if slot.gender == "f":
            form = word.second or morphology.feminine(form)
        if slot.definite and "i" not in flags:
            form = morphology.definite(form)
        return _tokens(form)

    def _noun(self, word: Word, flags: str) -> list[Token]:
        if word.group == "english":
            return [Token(word.form, word.second, foreign=True)]
        if not word.group.startswith("n."):
            return _tokens(word.form_in(self.variety))
        form = word.second if "p" in flags else word.form_in(self.variety)
        if "c" in flags:
            spoken = form.removesuffix("ة") + "ت" if form.endswith("ة") else form
            return [Token(morphology.plain(form), spoken)]
        return _tokens(form if "i" in flags else morphology.definite(form))


_QUESTIONS = ("f=why", "f=where", "f=when", "f=how", "f=what", "f=who")


def _tokens(spoken: str) -> list[Token]:
    return [Token(morphology.plain(word), word) for word in spoken.split()]


def _attach(prefix: str, words: list[Token]) -> list[Token]:
    """Write a one-letter word together with the next, as Arabic does."""
    if not prefix or not words:
        return words
    first = words[0]
    spoken = prefix + first.spoken
    if prefix[-2:-1] == "ل" and first.spoken.startswith("ال"):
        text = morphology.plain(prefix) + first.text[1:]
    else:
        text = morphology.plain(prefix) + first.text
    return [Token(text, spoken, first.foreign), *words[1:]]


@functools.cache
def _patterns() -> tuple[str, ...]:
    return tuple(_lines("sentences.txt"))


@functools.cache
def _stories() -> dict[str, dict[str, tuple[str, ...]]]:
    topics: dict[str, dict[str, tuple[str, ...]]] = {}
    for line in _lines("stories.txt"):
        topic, part, pattern = (field.strip() for field in line.split("|"))
        parts = topics.setdefault(topic, {})
        parts[part] = (*parts.get(part, ()), pattern)
    return topics


def _lines(name: str) -> list[str]:
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def make_sentence(variety: str, rng: np.random.Generator) -> Sentence:
    """Make one sentence of a variety.

    Examples:
        >>> 2 <= len(make_sentence("gulf", np.random.default_rng(0)).tokens) <= 10
        True
    """
    patterns = _patterns()
    return Speaker(variety, rng).say(patterns[int(rng.integers(len(patterns)))])


def make_story(variety: str, rng: np.random.Generator) -> Story:
    """Make one story of three to five sentences with its one-sentence summary.

    Examples:
        >>> story = make_story("msa", np.random.default_rng(0))
        >>> story.summary.text in [sentence.text for sentence in story.sentences]
        False
    """
    topics = _stories()
    topic = list(topics)[int(rng.integers(len(topics)))]
    parts = topics[topic]
    speaker = Speaker(variety, rng)
    speaker.bind(parts["bind"][0])
    num_details = int(rng.integers(3))
    details = rng.permutation(len(parts["detail"]))[:num_details]
    chosen = [
        parts["open"][int(rng.integers(len(parts["open"])))],
        parts["event"][int(rng.integers(len(parts["event"])))],
        *(parts["detail"][int(index)] for index in details),
        parts["end"][int(rng.integers(len(parts["end"])))],
    ]
    sentences = tuple(speaker.say(pattern) for pattern in chosen)
    return Story(topic, sentences, speaker.say(parts["summary"][0]))
