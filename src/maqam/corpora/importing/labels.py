"""What a source's words for classes become: a label of the task, and codes of the taxonomies.

All readers and cards hand over the words of the source, and here alone they are looked up: in
what the user maps, in the label set of the card or of the user, and among the names of the
taxonomy. A manifest keeps the finest code that is known; the label of the task is read off it.
"""

import difflib
import functools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import pyarrow.parquet as pq

from maqam.corpora.cards.labels import Labels
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import UnfitRowError, shown
from maqam.settings_file import nearest
from maqam.tasks import Task, label_of
from maqam.taxonomy.tree import TAXONOMIES, read_taxonomy, taxonomy_with
from maqam.text.labels import code_named

_LEFT_OUT, _UNKNOWN = "label left out", "unknown label"
_MOST_WORDS = 1 << 14  # remembered; a source may have any number of wrong ones


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word means.

    Attributes:
        label: The label of the task that was asked.
        code: Its code of a taxonomy, None where none is known.
        taxonomy: That taxonomy.
    """

    label: str
    code: str | None = None
    taxonomy: str | None = None


class SourceLabels:
    """What the words of a source become.

    Args:
        settings: Labels and label set of the user.
        card: Labels of the corpus card, where the source has one.

    Examples:
        >>> names = SourceLabels(ImportSettings(kind="table", label_set="adi17"))
        >>> names.answer({"dialect": "KSA"}, names.tasks["did"]).label, names.code("KSA", "dialect")
        ('gulf', 'SA')
    """

    def __init__(self, settings: ImportSettings, card: Labels | None = None) -> None:
        self.tasks = settings.tasks
        self._own = settings.labels
        self._sets: dict[str, Mapping[str, str | None]] = {}
        self._ignores_case = card is not None and card.ignore_case
        if card is not None:
            self._sets[card.taxonomy] = card.codes
        if settings.label_set is not None:
            given = taxonomy_with(settings.label_set)
            known = self._sets.get(given.name, {})
            self._sets[given.name] = {**known, **given.scheme(settings.label_set)}
        self._words: set[str] = set()
        self._known = functools.lru_cache(_MOST_WORDS)(self._look_up)
        self._meant = functools.lru_cache(_MOST_WORDS)(self._meaning)

    def answer(self, words: Mapping[str, str], task: Task) -> Meaning:
        """Return what a row answers to a task with labels.

        Args:
            words: The row's words by column; those of `label` count before those of the task's
                own column.
            task: The task.

        Raises:
            UnfitRowError: If it has no word, or none that the task has a label for.
        """
        first: UnfitRowError | None = None
        for column in dict.fromkeys(("label", task.target)):
            if column not in words:
                continue
            try:
                return self._meant(words[column], task.name, column)
            except UnfitRowError as error:
                first = first or error
        raise first or UnfitRowError("no label", f"it has no label of task {task.name!r}")

    def unmatched(self) -> dict[str, str]:
        """Return the words that the user maps and no row had, each with a suggestion."""
        words = sorted(self._words)
        return {word: nearest(word, words) for word in self._own if word not in self._words}

    def codes(
        self, words: Mapping[str, str], task: Task, meaning: Meaning | None
    ) -> dict[str, str | None]:
        """Return a row's dialect, emotion and intensity, the finest that are known.

        Args:
            words: The row's words by column.
            task: Its task.
            meaning: Its answer, where the task has labels.

        Returns:
            By taxonomy a code; a word that names none stays as it stands.
        """
        found: dict[str, str | None] = dict.fromkeys(TAXONOMIES)
        for name in TAXONOMIES if words or meaning else ():  # most rows say nothing of either
            if name in words:
                found[name] = self.code(words[name], name, task.labels)
            elif meaning is not None and name == (meaning.taxonomy or task.target):
                found[name] = meaning.code or meaning.label
        return found

    def code(self, word: str, taxonomy: str, labels: Sequence[str] = ()) -> str | None:
        """Return the code of a word; the word where it has none, None where it is left out.

        Args:
            word: The word.
            taxonomy: The taxonomy it is of.
            labels: Labels of the task, whose label set the word may be of.
        """
        code, is_known = self._known(word, taxonomy, tuple(labels))
        return code if is_known else word

    def _heard(self, word: str) -> None:
        if word in self._own or len(self._words) < _MOST_WORDS:
            self._words.add(word)

    def _look_up(
        self, word: str, taxonomy: str, labels: tuple[str, ...]
    ) -> tuple[str | None, bool]:
        """Return the code of a word, None for one that is left out; and whether it is known."""
        self._heard(word)
        tree = read_taxonomy(taxonomy)
        own = tree.scheme_of(labels)
        if word in self._own:
            given = self._own[word]
            return (given, True) if given in tree.nodes else (own.get(given or "", given), True)
        known = self._sets.get(taxonomy, {})
        key = word.lower() if self._ignores_case and word not in known else word
        for names in (known, own):
            if key in names:
                return names[key], True
        code = code_named(word, taxonomy)
        return code, code is not None

    def _meaning(self, word: str, name: str, column: str) -> Meaning:
        """Return what a word of a column answers to a task.

        Raises:
            UnfitRowError: If it answers nothing.
        """
        self._heard(word)
        task = self.tasks[name]
        if self._own.get(word, "") is None:
            raise UnfitRowError(_LEFT_OUT, f"{shown(word)} was to be left out", label=word)
        asked = next((one for one in (column, task.target) if one in TAXONOMIES), None)
        unlabelled: str | None = None
        for taxonomy in [asked] if asked else list(self._sets):
            code, is_known = self._known(word, taxonomy, task.labels)
            if is_known and code is None:
                text = f"{shown(word)} names no {taxonomy}"
                raise UnfitRowError(_LEFT_OUT, text, label=word)
            label = label_of(code, task) if code is not None else None
            if code is not None and label is not None:
                is_code = code in read_taxonomy(taxonomy).nodes
                return Meaning(label, code if is_code else None, taxonomy)
            unlabelled = unlabelled or code
        given = self._own.get(word) or word
        if given in task.labels:
            return Meaning(given)
        if unlabelled is not None:
            text = f"{shown(word)} is {unlabelled}, which {name} has no label for"
            raise UnfitRowError(f"no label of {name}", text, label=word)
        text = f"label is {shown(word)}, which task {name!r} does not have"
        raise UnfitRowError(_UNKNOWN, text, label=word)


@dataclass(frozen=True, slots=True)
class LabelWay:
    """A word for a class that has no label or no code, and what can be done.

    Attributes:
        word: The word.
        num_rows: Rows that have it.
        column: The column it stands in as it was; None where its rows are rejects.
        maps: The option that maps it; with LABEL to fill in where none is near.
        drops: The option that leaves it out.
    """

    word: str
    num_rows: int
    column: str | None
    maps: str
    drops: str

    @property
    def text(self) -> str:
        """A line that says it all."""
        rows = f"{self.num_rows} row{'s' if self.num_rows > 1 else ''}"
        became = f"kept in column {self.column}" if self.column else "rejected"
        return f"{rows} of {self.word!r} {became}: {self.maps} maps it, {self.drops} leaves it out"


def label_ways(
    manifest: Path | None, rejects: Path, settings: ImportSettings
) -> tuple[LabelWay, ...]:
    """Return what can be done with the words of an import that had no label, or no code.

    Args:
        manifest: The manifest, if there is one.
        rejects: The rejects.
        settings: What the import was asked for.
    """
    tasks = [one for name, one in settings.tasks.items() if settings.task in (None, name)]
    labels = tuple(label for task in tasks for label in task.labels)
    found = []
    for (word, is_known), number in _rejected(rejects).most_common():
        held = next((task.target for task in tasks if task.target in TAXONOMIES), None)
        maps = f"--label {quote(f'{word}=LABEL')}" if is_known else _option(word, labels, held)
        found.append(LabelWay(word, number, None, maps, f"--label {quote(f'{word}=')}"))
    for name, counts in _kept(manifest).items():
        known = {*read_taxonomy(name).nodes, *labels}
        for word, number in counts.most_common():
            if word not in known:
                maps = _option(word, (), name)
                found.append(LabelWay(word, number, name, maps, f"--label {quote(f'{word}=')}"))
    return tuple(found)


def _rejected(rejects: Path) -> Counter[tuple[str, bool]]:
    """Count the words of rejects, and whether each names something that the task has not."""
    found: Counter[tuple[str, bool]] = Counter()
    with rejects.open(encoding="utf-8") as lines:
        for line in lines:
            reject = json.loads(line) if '"label": ' in line else {}
            if "label" in reject and reject["reason"] != _LEFT_OUT:
                found[reject["label"], reject["reason"] != _UNKNOWN] += 1
    return found


def _kept(manifest: Path | None) -> dict[str, Counter[str]]:
    """Count the words in the columns of the taxonomies."""
    if manifest is None:
        return {}
    names = list(TAXONOMIES)
    table = pq.read_table(manifest, columns=names, read_dictionary=names)
    counts = {name: table[name].drop_null().value_counts().to_pylist() for name in names}
    return {
        name: Counter({one["values"]: one["counts"] for one in found})
        for name, found in counts.items()
    }


def _option(word: str, labels: Sequence[str], taxonomy: str | None) -> str:
    """Return the option that gives an unknown word a label or a code.

    Examples:
        >>> _option("hapy", ("happy", "sad"), "emotion"), _option("KSA", (), "dialect")
        ('--label hapy=happy', '--label-set adi17 (or adi20)')
    """
    tree = read_taxonomy(taxonomy) if taxonomy is not None else None
    holding = [name for name, known in tree.schemes.items() if word in known] if tree else []
    if holding:
        others = f" (or {', '.join(holding[1:])})" if holding[1:] else ""
        return f"--label-set {holding[0]}{others}"
    known = {label.lower(): label for label in (*labels, *(tree.nodes if tree else ()))}
    near = difflib.get_close_matches(word.lower(), known, n=1)
    option = quote(f"{word}={known[near[0]] if near else 'LABEL'}")
    return f"--label {option}"
