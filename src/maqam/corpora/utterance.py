"""What a format gives for each row of a source: an utterance, or the reason why it is none."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class UnfitRowError(Exception):
    """One row that cannot be a manifest row.

    Args:
        kind: The rule it breaks, such as "no messages".
        text: What was found.
        label: The word of a class that no label was found for, if that is the reason.
    """

    def __init__(self, kind: str, text: str, *, label: str | None = None) -> None:
        self.kind, self.text, self.label = kind, text, label
        super().__init__(f"{kind}: {text}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands.

    Attributes:
        file: Name of the file, from the source on.
        line: Line or row in it, counted from 1.
    """

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes inside a file.

    Attributes:
        file: The file.
        offset: First byte.
        num_bytes: How many.
    """

    file: str
    offset: int
    num_bytes: int


@dataclass(frozen=True, slots=True)
class Sound:
    """The audio of an utterance.

    Attributes:
        path: Its file; for audio held inside another file its name there.
        start: Where the segment begins, in seconds.
        seconds: Length of the segment; to the end of the file when absent.
        held: The encoded audio, or where it stands, if it has no file of its own.
    """

    path: str
    start: float = 0.0
    seconds: float | None = None
    held: bytes | Slice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What a source says of one utterance; None for what it does not say.

    Attributes:
        place: Where it stands.
        id: Its name.
        sound: Its audio.
        text: What is said, or the text to summarize.
        summary: Its summary.
        answers: Its answers and classes by column, in the source's words, such as
            {"dialect": "EGY"}; `label` is the class of whichever task is asked.
        speaker: Who speaks.
        source: Corpus it belongs to.
        split: Split, in the source's words.
        task: Task that the row itself names.
        messages: A dialogue that is complete already; its last message is the target.
        num_sounds: Audios that the row names; more than one is a fault.
        num_added_tags: Audio tags put in front that its trainer leaves out.
        synthetic: Whether the row says that the speech is synthetic.
        extra: Its other columns, as `extra_columns` returns them.
        kept: Columns of the manifest that stay as they stand in a row that is one already.
    """

    place: Place
    id: str | None = None
    sound: Sound | None = None
    text: str | None = None
    summary: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    speaker: str | None = None
    source: str | None = None
    split: str | None = None
    task: str | None = None
    messages: Sequence[Mapping[str, str]] | None = None
    num_sounds: int = 1
    num_added_tags: int = 0
    synthetic: bool = False
    extra: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unfit:
    """A row that cannot be an utterance.

    Attributes:
        place: Where it stands.
        id: Its name, as far as it has one.
        kind: The rule it breaks.
        text: What was found.
    """

    place: Place
    id: str | None
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A column that the user names and no row had; it stands behind all rows.

    Attributes:
        column: Our name of it and the user's, such as "text=sentence".
        hint: What may be meant.
    """

    column: str
    hint: str


@dataclass(frozen=True, slots=True)
class Unread:
    """Files of the source that no row comes from; it stands behind all rows.

    Attributes:
        files: Their names, from the source on.
    """

    files: tuple[str, ...]


Found = Utterance | Unfit
Note = Unmatched | Unread


def located(folder: Path, path: str) -> str:
    """Return a path that starts at a folder unless it is absolute, without making objects of it.

    Examples:
        >>> located(Path("/corpus"), "./a.wav"), located(Path("/corpus"), "/b.wav")
        ('/corpus/a.wav', '/b.wav')
    """
    return os.path.join(folder, path.removeprefix("./"))  # noqa: PTH118  one for each row


def shown(value: object, most: int = 60) -> str:
    """Return a value as it is written in a reason, cut where it is long.

    Examples:
        >>> shown("a" * 100, most=5)
        "'aaaa..."
    """
    text = repr(value[: most + 1] if isinstance(value, str) else value)
    return text if len(text) <= most else f"{text[:most]}..."


def number(value: object, name: str) -> float | None:
    """Read a time in seconds; None and an empty text are none.

    Raises:
        UnfitRowError: If it is no number.

    Examples:
        >>> number("1.5", "start"), number("", "start")
        (1.5, None)
    """
    if value is None or value == "":
        return None
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise UnfitRowError("no number", f"{name} is {shown(value)}")


def words(value: object, name: str) -> str | None:
    """Read a text or a number as text; None and an empty text are none.

    Raises:
        UnfitRowError: If it is neither.

    Examples:
        >>> words(7, "id"), words("", "id")
        ('7', None)
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnfitRowError("no text", f"{name} is {shown(value)}")
    try:
        return str(value)
    except ValueError as error:  # an integer of thousands of digits
        raise UnfitRowError("no text", f"{name} is a number too long to be written") from error
