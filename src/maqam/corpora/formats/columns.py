"""Which column of a table is which of ours, and the utterance that a row makes."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from maqam.corpora.extra import extra_columns
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import (
    Place,
    Slice,
    Sound,
    UnfitRowError,
    Unmatched,
    Utterance,
    located,
    number,
    shown,
    words,
)
from maqam.errors import ManifestError
from maqam.settings_file import nearest
from maqam.taxonomy.tree import TAXONOMIES

KNOWN: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "utterance_id", "utt_id"),
    "audio": ("audio", "path", "audio_path", "audio_filepath", "file_name", "filename", "file"),
    "start": ("start", "offset"),
    "end": ("end",),
    "seconds": ("seconds", "duration"),
    "text": ("text", "sentence", "transcription", "transcript"),
    "summary": ("summary",),
    "target": ("target",),
    "label": ("label",),
    **{name: (name,) for name in TAXONOMIES},
    "speaker": ("speaker", "speaker_id", "client_id"),
    "source": ("source",),
    "split": ("split",),
    "task": ("task",),
}

_MOST_NAMES = 1000  # of columns that are remembered for a suggestion
_MOST_LAYOUTS = 64
_TOLD = ("id", "text", "summary", "speaker", "source", "split", "task")
_READ = frozenset(name for name in KNOWN if name not in ("target", "label", *TAXONOMIES))


class Columns:
    """The columns of a source by our names.

    Args:
        settings: Columns that are given by name.
        present: The source's columns, where it has a header: then a column that is given must be
            there.
        where: The source, for errors.
        usual: Names that the format has for our columns, where the user gives none.

    Raises:
        ManifestError: If a column that is given is not there.

    Examples:
        >>> columns = Columns(ImportSettings(kind="table", columns={"text": "words"}))
        >>> columns.value({"words": "نعم", "text": "لا"}, "text")
        'نعم'
    """

    def __init__(
        self,
        settings: ImportSettings,
        present: Collection[str] | None = None,
        where: str = "",
        usual: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._given = {**usual, **settings.columns}
        self._classes = settings.class_columns
        given = settings.columns
        absent = [name for name in given.values() if present and name not in present]
        if absent:
            raise ManifestError(
                f"it has no column {', '.join(map(repr, absent))}",
                where=where,
                hint=f"it has {', '.join(map(str, present or ()))}",
            )
        self._names = {**KNOWN, **{ours: (name,) for ours, name in self._given.items()}}
        self._unmatched = {} if present else dict(given)
        self._seen: set[str] = set()
        self._layouts: dict[tuple[str, ...], list[tuple[str, list[str]]]] = {}

    def name(self, ours: str, row: Mapping[str, object]) -> str | None:
        """Return the source's name of one of our columns in a row, None where it has none."""
        if self._unmatched:
            self._look_for(row)
        for name in self._names[ours]:
            if row.get(name) is not None:
                return name
        return None

    def _in_row(self, row: Mapping[str, object]) -> dict[str, str]:
        """Return the source's names of all of our columns that a row has.

        Rows have the same keys mostly, so what may be where is worked out once for them: a row of
        a million takes a fifth less time.
        """
        if self._unmatched:
            self._look_for(row)
        keys = tuple(row)
        layout = self._layouts.get(keys)
        if layout is None:
            if len(self._layouts) == _MOST_LAYOUTS:
                self._layouts.clear()
            there = {
                ours: [one for one in names if one in row] for ours, names in self._names.items()
            }
            layout = self._layouts[keys] = [(ours, names) for ours, names in there.items() if names]
        found = {}
        for ours, names in layout:
            for name in names:
                if row[name] is not None:
                    found[ours] = name
                    break
        return found

    def _look_for(self, row: Mapping[str, object]) -> None:
        """Note which columns that the user names a row has, or else what it has."""
        self._unmatched = {o: name for o, name in self._unmatched.items() if name not in row}
        if len(self._seen) < _MOST_NAMES:
            self._seen.update(map(str, row))

    def unmatched(self) -> Iterator[Unmatched]:
        """Yield the columns that the user names and no row had."""
        for ours, given in self._unmatched.items():
            yield Unmatched(f"{ours}={given}", nearest(given, sorted(self._seen)))

    def value(self, row: Mapping[str, object], ours: str) -> object:
        """Return what a row holds in one of our columns, None for nothing."""
        name = self.name(ours, row)
        return None if name is None else row[name]

    def sound(
        self, row: Mapping[str, object], path: str, held: bytes | Slice | None = None
    ) -> Sound:
        """Return the audio of a row; a length counts only with a start, or if its column was given.

        Raises:
            UnfitRowError: If a time is no number.
        """
        names = self._in_row(row)
        start, end, seconds = (
            number(row[names[ours]], names[ours]) if ours in names else None
            for ours in ("start", "end", "seconds")
        )
        if start is None and "seconds" not in self._given:
            seconds = None
        if end is not None:
            seconds = end - (start or 0.0)
        return Sound(path, start or 0.0, seconds, held)

    def utterance(self, place: Place, row: Mapping[str, object], sound: Sound | None) -> Utterance:
        """Return the utterance of a row.

        Raises:
            UnfitRowError: If a value is neither text nor a number.
        """
        names = self._in_row(row)
        told = {ours: words(row[names[ours]], ours) for ours in _TOLD if ours in names}
        read = {name for ours, name in names.items() if ours in _READ}
        if "seconds" in names and (sound is None or sound.seconds is None):
            read.discard(names["seconds"])
        return Utterance(
            place=place,
            id=told.get("id"),
            sound=sound,
            text=told.get("text"),
            summary=told.get("summary"),
            answers=self._answers(row, names),
            speaker=told.get("speaker"),
            source=told.get("source"),
            split=told.get("split"),
            task=told.get("task"),
            extra=extra_columns(row, read),
        )

    def _answers(self, row: Mapping[str, object], names: Mapping[str, str]) -> dict[str, str]:
        """Return what a row holds in the columns that tasks ask for."""
        answers = {}
        for name in self._classes:
            own = names.get(name, "") if name in KNOWN else name
            if own in row and (word := words(row[own], name)):
                answers[name] = word
        return answers

    def path(self, row: Mapping[str, object], media: Path) -> str | None:
        """Return the path in a row's audio column, None where it has none.

        Raises:
            UnfitRowError: If it is no path.
        """
        found = self.value(row, "audio")
        if found is None or found == "":
            return None
        if not isinstance(found, str):
            raise UnfitRowError("no audio path", f"audio is {shown(found)}")
        return located(media, found)
