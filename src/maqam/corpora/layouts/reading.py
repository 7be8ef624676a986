"""A corpus in its own layout, read as its card says."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from maqam.corpora.cards.card import (
    Card,
    Fields,
    KaldiPart,
    LinesPart,
    NamesPart,
    ParquetPart,
    Part,
    SegmentsXmlPart,
    StmPart,
    SubtitlesPart,
    TablePart,
)
from maqam.corpora.cards.catalog import read_card
from maqam.corpora.cards.templates import filled
from maqam.corpora.extra import Scalar, Untyped, extra_columns
from maqam.corpora.layouts.kaldi import kaldi_part_rows
from maqam.corpora.layouts.mgb import xml_rows
from maqam.corpora.layouts.names import line_rows, named_rows
from maqam.corpora.layouts.parquet import parquet_rows
from maqam.corpora.layouts.raw import Raw, inside, place_columns
from maqam.corpora.layouts.stm import stm_part_rows
from maqam.corpora.layouts.subtitles import subtitle_rows
from maqam.corpora.layouts.tables import packed_rows, table_rows
from maqam.corpora.layouts.unread import check_parts_apart, left_files, part_files
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import (
    Found,
    Place,
    Sound,
    Unfit,
    UnfitRowError,
    Unread,
    Utterance,
    number,
)
from maqam.errors import ConfigError, ManifestError
from maqam.tasks import Task, Tasks, default_tasks
from maqam.taxonomy.tree import TAXONOMIES


def card_rows(source: Path, settings: ImportSettings) -> Iterator[Found | Unread]:
    """Read a corpus by the card that the settings name as their kind; each file is looked for once.

    Args:
        source: Folder of the corpus.
        settings: Card, task, labels of the user's own, and where audio is looked for.

    Raises:
        ConfigError: If there is no such card, or it cannot serve the task.
        ManifestError: If no file of the card is there, or a file cannot be opened.
    """
    card = read_card(settings.kind)
    task = settings.tasks[card_task(card, settings.task, settings.tasks)]
    files = part_files(card, source)
    present = [(part, own) for part, own in zip(card.parts, files, strict=True) if own]
    check_parts_apart(card, source, files)
    if not present:
        patterns = [pattern for part in card.parts for pattern in part_patterns(part)]
        raise ManifestError(
            f"there are no files of {card.title} here",
            where=str(source),
            hint=f"its card expects {', '.join(dict.fromkeys(patterns))}",
        )
    for part, own in present:
        media = settings.media_dir
        fields = card.part_fields(part)
        is_typed = isinstance(part, ParquetPart) or getattr(part, "format", None) == "jsonl"
        held = {part.audio_column} if isinstance(part, ParquetPart) else set()
        read = fields.read | held
        reader = _Reader(card, part, media or source, media, task, read, is_typed)
        for row in _raw_rows(part, source, own, reader.member, with_audio=task.has_audio):
            yield row if isinstance(row, Unfit) else reader.utterance(row)
    left = left_files(card, source, files)
    for name in left.clips:
        yield Unfit(Place(name, 1), None, "unknown file name", "the card has no pattern for it")
    yield Unread(left.tables)


def card_settings(settings: ImportSettings) -> ImportSettings:
    """Fill in what a card knows: task, language of the prompts, and name of the source.

    Args:
        settings: Settings whose kind is a card.

    Raises:
        ConfigError: If there is no such card, or it cannot serve the task.

    Examples:
        >>> filled_in = card_settings(ImportSettings(kind="librispeech"))
        >>> filled_in.task, filled_in.language, filled_in.corpus
        ('asr', 'en', 'librispeech')
    """
    card = read_card(settings.kind)
    return replace(
        settings,
        task=card_task(card, settings.task, settings.tasks),
        language=settings.language or card.language,
        corpus=settings.corpus or card.name,
    )


def card_task(card: Card, asked: str | None, tasks: Tasks) -> str:
    """Return the task that a card's rows are imported for.

    Args:
        card: The card.
        asked: The task the user wants; the card's first when absent.
        tasks: The tasks that there are: one of the user's own, with labels, is served by any card
            whose corpus has labels.

    Raises:
        ConfigError: If the corpus cannot serve it.

    Examples:
        >>> card, tasks = read_card("casablanca"), default_tasks()
        >>> card_task(card, None, tasks), card_task(card, "did", tasks)
        ('asr', 'did')
    """
    if not card.tasks and (asked is None or not _serves(card, tasks[asked])):
        raise ConfigError(
            f"{card.title} serves no task: {card.no_task}",
            where=f"card {card.name}",
            hint="maqam data catalog lists the tasks of all cards",
        )
    if asked is None or asked in card.tasks:
        return card.tasks[0] if asked is None else asked
    if not _serves(card, tasks[asked]):
        raise ConfigError(
            f"{card.title} does not serve task {asked!r}",
            where=f"card {card.name}",
            hint=f"use {', '.join(card.tasks)}",
        )
    return asked


def _serves(card: Card, task: Task) -> bool:
    """Tell whether a corpus has what a task asks for: its labels, or what a task alike asks for."""
    known = [default_tasks()[name] for name in card.tasks]
    if any((one.target, one.has_audio) == (task.target, task.has_audio) for one in known):
        return True
    if card.labels is None or not task.labels:
        return False
    return task.target in (card.labels.taxonomy, "label") and (card.has_audio or not task.has_audio)


def found_parts(card: Card, source: Path) -> tuple[list[str], list[str]]:
    """Return the names of a card's parts that a folder holds, and of those that it lacks."""
    files = part_files(card, source)
    there = [part.name for part, own in zip(card.parts, files, strict=True) if own]
    return there, [part.name for part in card.parts if part.name not in there]


def part_patterns(part: Part) -> tuple[str, ...]:
    """Return the patterns of files or folders that a part is found by."""
    return part.folders if isinstance(part, KaldiPart) else part.files


def _raw_rows(
    part: Part, root: Path, files: Sequence[Path], member: Callable[[Raw], str], *, with_audio: bool
) -> Iterator[Raw | Unfit]:
    match part:
        case TablePart() if part.archive and with_audio:
            return packed_rows(part, root, files, member)
        case TablePart():
            return table_rows(part, root, files)
        case ParquetPart():
            return parquet_rows(part, root, files, with_audio=with_audio)
        case NamesPart():
            return named_rows(part, root, files)
        case LinesPart():
            return line_rows(part, root, files)
        case KaldiPart():
            return kaldi_part_rows(part, root, files)
        case StmPart():
            return stm_part_rows(part, root, files)
        case SegmentsXmlPart():
            return xml_rows(part, root, files)
        case SubtitlesPart():
            return subtitle_rows(part, root, files)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Rows of one part as utterances."""

    card: Card
    part: Part
    root: Path
    media: Path | None
    task: Task
    read: frozenset[str]
    is_typed: bool
    folders: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def fields(self) -> Fields:
        return self.card.part_fields(self.part)

    def utterance(self, row: Raw) -> Found:
        """Make an utterance of a row, or say why it is none."""
        name = None
        try:
            name = self._name(row)
            return Utterance(
                place=row.place,
                id=name,
                sound=self._sound(row) if self.task.has_audio else None,
                text=self._value(self.fields.text, row),
                summary=self._value(self.fields.summary, row),
                answers=self._classes(row),
                speaker=self._value(self.fields.speaker, row),
                split=self.part.split,
                task=self.task.name,
                extra=self._extra(row),
            )
        except UnfitRowError as error:
            return Unfit(row.place, name, error.kind, error.text)

    def _extra(self, row: Raw) -> dict[str, Scalar]:
        """Return a row's columns that the card does not read, and those that it gives a name."""
        place = place_columns(row.place.file, row.place.line)
        named = self.fields.columns.items()
        own: dict[str, object] = {name: self._value(template, row) for name, template in named}
        own |= {
            name: value
            for name, value in row.values.items()
            if name not in self.read and value != place.get(name)
        }
        if not self.is_typed:
            own = {name: Untyped(value) if value else None for name, value in own.items()}
        return extra_columns(own, ())

    def _classes(self, row: Raw) -> dict[str, str]:
        """Return a row's label in the column of its taxonomy, and its dialect."""
        label = self._value(self.fields.label, row)
        column = self.card.labels.taxonomy if self.card.labels else "label"
        found = {"dialect": self._value(self.fields.dialect, row), column: label}
        if self.task.target not in TAXONOMIES:  # any labels may be its own
            found["label"] = label
        return {name: word for name, word in found.items() if word is not None}

    def _name(self, row: Raw) -> str | None:
        """Return a row's id; it ends in the task where that is not the usual one of the card.

        So one corpus can stand in one manifest for several tasks.
        """
        name = self._value(self.fields.id, row)
        is_usual = self.task.name in self.card.tasks[:1]
        return f"{name}-{self.task.name}" if name and not is_usual else name

    def member(self, row: Raw) -> str:
        """Return the name of a row's audio in its archive."""
        for template in self.fields.audio:
            found = self._value(template, row)
            if found is not None:
                return found
        raise UnfitRowError("no audio path", "it names no audio")

    def _value(self, template: str | None, row: Raw) -> str | None:
        if template is None:
            return None
        try:
            return filled(template, row.values)
        except KeyError as error:
            raise UnfitRowError("missing column", f"it has no column {error}") from error

    def _sound(self, row: Raw) -> Sound | None:
        start, seconds = self._times(row)
        if row.held is not None:
            return Sound(row.held_name, start, seconds, row.held)
        path = row.values.get("audio") if not self.fields.audio else self._path(row)
        if not path:
            return None
        name = inside(str(path))
        file = None if self.media is None else self._located(name)
        return Sound(str(file or self.root / name), start, seconds)

    def _path(self, row: Raw) -> str:
        """Return the first file that is there; if none is, the first one named."""
        named = [self._candidate(template, row) for template in self.fields.audio]
        known = [name for name in named if name is not None]
        there = (name for name in known if len(known) == 1 or self._located(name))
        found = next(there, None) or next(iter(known), None)
        if found is None:
            raise UnfitRowError("no audio path", "it names no audio")
        return found

    def _located(self, name: str) -> Path | None:
        """Return the file of a name, if it is there.

        Lists hold folders of whoever made them. So in a folder of the user's, a file is looked for
        under the whole path, then under its end, the longest first.
        """
        if self.media is None:
            file = self.root / name
            return file if file.is_file() else None
        parts = PurePosixPath(inside(name).lstrip("/")).parts
        below = (self.media.joinpath(*parts[at:]) for at in range(len(parts)))
        return next((file for file in below if file.is_file()), None)

    def _candidate(self, template: str, row: Raw) -> str | None:
        """Fill in a template; folders with `*` are looked for before values are put in."""
        folders, star, rest = template.rpartition("*")
        if not star:
            name = self._value(template, row)
            return None if name is None else inside(name)
        tail, _, rest = rest.partition("/")
        name = self._value(rest, row)
        for folder in self._folders(f"{folders}*{tail}"):
            if name and not name.startswith("/") and (folder / inside(name)).is_file():
                return (folder / name).relative_to(self.root).as_posix()
        return None

    def _times(self, row: Raw) -> tuple[float, float | None]:
        unit = self.fields.times_per_second
        start = number(self._value(self.fields.start, row), "start") or 0.0
        end = number(self._value(self.fields.end, row), "end")
        return start / unit, None if end is None else (end - start) / unit

    def _folders(self, pattern: str) -> list[Path]:
        """Return the folders of a pattern, looked for once."""
        if pattern not in self.folders:
            there = (path for path in self.root.glob(pattern) if path.is_dir())
            self.folders[pattern] = sorted(there)
        return self.folders[pattern]
