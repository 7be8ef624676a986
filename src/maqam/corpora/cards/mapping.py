"""From a corpus's labels to the labels of our tasks, and to countries."""

from collections.abc import Mapping

from maqam.corpora.cards.card import Card
from maqam.corpora.utterance import UnfitRowError
from maqam.errors import ConfigError, ManifestError
from maqam.tasks import Task, default_tasks
from maqam.taxonomy.tree import TAXONOMIES, Taxonomy, read_taxonomy


def labels_of_set(scheme: str, task: Task | None = None) -> dict[str, str]:
    """Return what the labels of a label set are in a task, for any import.

    Args:
        scheme: The label set, such as "adi17".
        task: The task; that of the taxonomy, did or ser, when absent.

    Returns:
        Our label by theirs; a label that the task has none for is left out.

    Raises:
        ConfigError: If there is no such label set.

    Examples:
        >>> labels_of_set("adi17")["KSA"], labels_of_set("ravdess")["05"]
        ('gulf', 'angry')
    """
    taxonomies = [read_taxonomy(name) for name in TAXONOMIES]
    known = [name for taxonomy in taxonomies for name in taxonomy.schemes]
    if scheme not in known:
        hint = f"use {', '.join(known)}"
        raise ConfigError(f"no label set {scheme!r}", where="label set", hint=hint)
    taxonomy = next(one for one in taxonomies if scheme in one.schemes)
    allowed = (task or default_tasks()[taxonomy.task]).labels
    found = {
        label: taxonomy.label_within(code, allowed)
        for label, code in taxonomy.scheme(scheme).items()
        if code is not None
    }
    return {label: ours for label, ours in found.items() if ours is not None}


class LabelMap:
    """What the labels of a card become.

    Args:
        card: The card.
        task: The task that rows are imported for; with labels of its own they are looked for
            among the label sets, so that a city becomes a country that a task asks for.
        own: Labels that the user maps: theirs to a label of the task.

    Examples:
        >>> from maqam.corpora.cards.catalog import read_card
        >>> LabelMap(read_card("adi-17"), default_tasks()["did"], {}).shared("KSA")
        ({'did': 'gulf'}, 'SA')
    """

    def __init__(self, card: Card, task: Task, own: Mapping[str, str]) -> None:
        self._own = own
        self._task = task
        self._taxonomy: Taxonomy | None = None
        self._codes: dict[str, str | None] = {}
        self._card = card
        self._ignores_case = card.labels is not None and card.labels.ignore_case
        if card.labels is not None:
            self._taxonomy = read_taxonomy(card.labels.taxonomy)
            scheme = card.labels.scheme
            known = {} if scheme is None else self._taxonomy.scheme(scheme)
            self._codes = {**known, **card.labels.map}

    def check(self, counts: Mapping[str, int]) -> None:
        """Refuse labels that have no shared name.

        Args:
            counts: How often each label of the corpus occurs.

        Raises:
            ManifestError: If some have none; all of them are listed with their counts.
        """
        if self._taxonomy is None:
            return
        missing = sorted(
            name for name in counts if name not in self._own and self._key(name) not in self._codes
        )
        if missing:
            listed = ", ".join(f"{name!r} ({counts[name]})" for name in missing)
            raise ManifestError(
                f"{len(missing)} labels have no shared {self._taxonomy.name}: {listed}",
                where=f"card {self._card.name}",
                hint=f"map them: --label {missing[0]}=..., a label of {self._taxonomy.task}; or "
                "`labels.map` of a card of your own",
            )

    def shared(self, label: str | None) -> tuple[dict[str, str], str | None]:
        """Return a row's labels by task, and its dialect.

        Args:
            label: Its label, in the corpus's words.

        Returns:
            The answers by task, none without a label; and the country, or what stands above it.

        Raises:
            UnfitRowError: If the rows are imported for the label, and it names none of the task's.
        """
        if label is None or self._taxonomy is None:
            return {}, None
        is_dialect = self._taxonomy.name == "dialect"
        is_own = bool(self._task.labels)
        task = self._task if is_own else default_tasks()[self._taxonomy.task]
        if label in self._own:
            return {task.name: self._own[label]}, self._own[label] if is_dialect else None
        code = self._codes[self._key(label)]
        found = None if code is None else self._taxonomy.label_within(code, task.labels)
        if found is None and is_own:
            if code is None:
                raise UnfitRowError("label left out", f"{label!r} names no {self._taxonomy.name}")
            raise UnfitRowError(
                f"no label of {task.name}",
                f"{label!r} is {code}, which {task.name} has no label for",
            )
        country = self._taxonomy.at_level(code, "country") if code and is_dialect else None
        return {task.name: found} if found else {}, country or (code if is_dialect else None)

    def _key(self, label: str) -> str:
        return label.lower() if self._ignores_case else label
