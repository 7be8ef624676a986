"""What a corpus card holds: where a corpus is, under what licence, and how its files are laid out.

A card states what was seen documented and nothing else: what nobody documents is null or "unknown",
and `layout_seen` names where the layout was read.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from maqam.corpora.cards.labels import Labels
from maqam.corpora.cards.templates import only, places
from maqam.data.schema import SPLITS
from maqam.tasks import default_tasks
from maqam.taxonomy.tree import TAXONOMIES

Basis = Literal["seen", "secondary", "unchecked", "unknown"]


def _inside(pattern: str) -> str:
    path = PurePosixPath(pattern)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{pattern!r} leaves the folder of the corpus")
    return pattern


def _expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return pattern


Patterns = tuple[Annotated[str, AfterValidator(_inside)], ...]
Expression = Annotated[str, AfterValidator(_expression)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Licence(_Settings):
    """Under what terms a corpus is given.

    Attributes:
        name: Its name, or "unknown".
        basis: How it is known: seen at the source, told by others, not checked, or not at all.
        note: What to heed.
    """

    name: str
    basis: Basis
    note: str = ""


class Hours(_Settings):
    """How much audio a corpus has.

    Attributes:
        total: Hours of all of it; null where that is not documented.
        note: Where the number is from, and what is known of its parts.
    """

    total: float | None
    note: str


class Obtain(_Settings):
    """Where a corpus is to be had.

    Attributes:
        access: What it takes.
        where: Address, or who gives it.
    """

    access: Literal["open", "form", "request", "paid", "ids only", "unknown"]
    where: str


class Overlap(_Settings):
    """What a corpus shares with another, or with itself.

    Attributes:
        corpus: Name of the other corpus.
        text: What is shared.
    """

    corpus: str
    text: str


class Fields(_Settings):
    """What a row's values become; each is a text in which `{column}` stands for a column's value.

    `{column?}` may be missing. Beside the row's own columns there are `{path}` of its file from the
    source on, `{file}` (the same without suffix), `{parent}` (the path of its folder), `{folder}`
    (its name), `{top}` (the first folder of the path), `{stem}` and `{line}`.

    Attributes:
        id: Name of the utterance.
        audio: Its file, from the source on; of several, which may hold `*`, the first that exists.
        text: What is said, or the text to summarize.
        summary: Its summary.
        label: Its class, which `labels` of the card maps.
        dialect: Its dialect; the country of the label where the card maps dialects.
        speaker: Who speaks.
        start: Where the segment begins.
        end: Where it ends.
        times_per_second: Units of start and end in a second: 1 for seconds, 16000 for samples.
        columns: More columns of the manifest, such as gender; the source's others keep their names.
    """

    id: str = "{file}"
    audio: Patterns = ()
    text: str | None = None
    summary: str | None = None
    label: str | None = None
    dialect: str | None = None
    speaker: str | None = None
    start: str | None = None
    end: str | None = None
    times_per_second: Annotated[float, Field(gt=0)] = 1.0
    columns: Mapping[str, str] = {}

    @property
    def read(self) -> frozenset[str]:
        """Columns of the source that come out as they are, under a name of the manifest."""
        own = (self.id, self.text, self.summary, self.speaker, self.start, self.end)
        whole = {one for text in (*own, *self.columns.values()) if text and (one := only(text))}
        mapped = [name for text in (self.label, self.dialect) if text for name in places(text)]
        return frozenset(whole.union(*map(places, self.audio)).difference(mapped))


class _Part(_Settings):
    name: str
    split: Literal["train", "dev", "test"] | None = None
    fields: Fields | None = None


class TablePart(_Part):
    """Rows of text tables.

    Attributes:
        name: Name of the part.
        split: Our split of it; null where the corpus has none.
        fields: Its fields, if they are not those of the card.
        files: Patterns of its files from the source on; the first that matches any is taken.
        format: CSV (commas, quoted), TSV (tabs, never quoted) or JSON lines.
        header: Names of the columns, for a table without a line of them.
        archive: The tar that holds the audio of a file, if it is there; `audio` of the fields then
            names its members, of which the last part of the name counts.
    """

    kind: Literal["table"]
    files: Patterns
    format: Literal["csv", "tsv", "jsonl"]
    header: tuple[str, ...] | None = None
    archive: Annotated[str, AfterValidator(_inside)] | None = None


class ParquetPart(_Part):
    """Rows of Parquet files, with the encoded audio in a column.

    Attributes:
        name: Name of the part.
        split: Our split of it; null where the corpus has none.
        fields: Its fields, if they are not those of the card.
        files: Patterns of its files from the source on; the first that matches any is taken.
        audio_column: Column of bytes and path.
        patterns: Regular expressions by the column they are found in; their groups are columns.
    """

    kind: Literal["parquet"]
    files: Patterns
    audio_column: str = "audio"
    patterns: Mapping[str, Expression] = {}


class NamesPart(_Part):
    """Audio files whose names say all there is.

    Attributes:
        name: Name of the part.
        split: Our split of it; null where the corpus has none.
        fields: Its fields, if they are not those of the card.
        files: Patterns of the audio files.
        pattern: Regular expression found in the path from the source on; its groups are columns.
    """

    kind: Literal["names"]
    files: Patterns
    pattern: Expression


class LinesPart(_Part):
    """Lines of text files that each describe an utterance.

    Attributes:
        name: Name of the part.
        split: Our split of it; null where the corpus has none.
        fields: Its fields, if they are not those of the card.
        files: Patterns of the text files.
        pattern: Regular expression that a line begins with; its groups are columns.
        skip: Regular expression that headings and comments begin with; any other line is a reject.
    """

    kind: Literal["lines"]
    files: Patterns
    pattern: Expression
    skip: Expression | None = None


class KaldiPart(_Part):
    """A Kaldi data directory, with the columns utterance, recording, wav, start, end, text, label.

    Attributes:
        name: Name of the part.
        split: Our split of it; null where the corpus has none.
        fields: Its fields, if they are not those of the card.
        folders: Patterns of the directory; the first that matches is taken.
        text: Name of the file of texts; null for none.
        segments: Name of the file of segments, if it is there.
        labels: Name of the file of labels, by utterance or by recording; null for none.
        buckwalter: Whether the texts are in Buckwalter's transliteration.
        pattern: Regular expression found in an utterance's name; its groups are columns.
    """

    kind: Literal["kaldi"]
    folders: Patterns
    text: str | None = None
    segments: str = "segments"
    labels: str | None = None
    buckwalter: bool = False
    pattern: Expression | None = None


class StmPart(_Part):
    """Lines of STM, with the columns recording, channel, speaker, start, end, category and text.

    Attributes:
        name: Name of the part.
        split: Our split of it; null where the corpus has none.
        fields: Its fields, if they are not those of the card.
        files: Patterns of its files from the source on; the first that matches any is taken.
    """

    kind: Literal["stm"]
    files: Patterns


class SegmentsXmlPart(_Part):
    """XML of MGB-2, with the columns id, recording, start, end, text, who and wmer.

    Attributes:
        name: Name of the part.
        split: Our split of it; null where the corpus has none.
        fields: Its fields, if they are not those of the card.
        files: Patterns of the XML files.
        most_wmer: Segments of a higher matched word error rate, in percent, are left out.
    """

    kind: Literal["segments_xml"]
    files: Patterns
    most_wmer: float


class SubtitlesPart(_Part):
    """A CSV of recordings with subtitles each: columns of the row, and start, end and cue.

    Attributes:
        name: Name of the part.
        split: Our split of it; null where the corpus has none.
        fields: Its fields, if they are not those of the card.
        files: Patterns of the CSV.
        subtitles: The WebVTT or SubRip file of a row.
    """

    kind: Literal["subtitles"]
    files: Patterns
    subtitles: str


Part = Annotated[
    TablePart
    | ParquetPart
    | NamesPart
    | LinesPart
    | KaldiPart
    | StmPart
    | SegmentsXmlPart
    | SubtitlesPart,
    Field(discriminator="kind"),
]


class Card(_Settings):
    """One corpus.

    Attributes:
        name: Short name, by which commands know it.
        configs: Parts that are corpora of their own, such as languages: `<config>` in the card
            stands for one of them, and for any if none is asked for.
        title: Name for people.
        language: Language of its prompts, "ar" or "en".
        tasks: Tasks that its rows can serve, the usual one first.
        no_task: Why it can serve none, where it cannot.
        about: What it is, in a sentence.
        licence: Its terms.
        hours: How much audio it has.
        obtain: Where it is to be had.
        citation: How to cite it, or "unknown".
        overlaps: What it is known to share with other corpora.
        layout_seen: Where its layout was read.
        notes: What a user should know.
        labels: How its labels become shared names; null if it has none.
        fields: What the values of a row become.
        parts: Its files, by part.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    configs: tuple[str, ...] = ()
    title: str
    language: Literal["ar", "en"]
    tasks: tuple[str, ...] = ()
    no_task: str | None = None
    about: str
    licence: Licence
    hours: Hours
    obtain: Obtain
    citation: str
    overlaps: tuple[Overlap, ...] = ()
    layout_seen: str
    notes: tuple[str, ...] = ()
    labels: Labels | None = None
    fields: Fields
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]

    @field_validator("tasks")
    @classmethod
    def _tasks_exist(cls, tasks: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [task for task in tasks if task not in default_tasks()]
        if unknown:
            raise ValueError(f"no task {', '.join(unknown)}; use {', '.join(default_tasks())}")
        return tasks

    @model_validator(mode="after")
    def _says_why_it_has_no_task(self) -> "Card":
        if bool(self.tasks) == bool(self.no_task):
            raise ValueError("give tasks, or say in no_task why there are none")
        return self

    @model_validator(mode="after")
    def _maps_its_labels(self) -> "Card":
        own = self.labels.taxonomy if self.labels else None
        for task in self.tasks:
            needed = default_tasks()[task].target
            if needed in TAXONOMIES and needed != own:
                raise ValueError(f"task {task} needs labels of the taxonomy {needed}")
        return self

    @property
    def has_audio(self) -> bool:
        """Whether its rows have audio."""
        return any(
            self.part_fields(part).audio or not isinstance(part, TablePart) for part in self.parts
        )

    @property
    def splits(self) -> tuple[str, ...]:
        """Our splits that its parts fill, in order; empty where the corpus has none."""
        present = {part.split for part in self.parts}
        return tuple(split for split in SPLITS if split in present)

    def part_fields(self, part: _Part) -> Fields:
        """Return the fields of a part: its own, else the card's."""
        return part.fields or self.fields
