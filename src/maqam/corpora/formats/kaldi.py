"""Kaldi data folders: wav.scp, segments, text, utt2spk, and utt2lang or utt2dialect.

A wav.scp may hold shell commands that end in a pipe. They are never run: their rows are rejected,
and so are offsets into archives.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from maqam.corpora.extra import Scalar, Untyped, extra_columns
from maqam.corpora.lines import Lines, numbered
from maqam.corpora.lookup import Lookup
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import (
    Found,
    Place,
    Sound,
    Unfit,
    UnfitRowError,
    Utterance,
    located,
    number,
    shown,
)
from maqam.errors import ManifestError

_COLUMNS = {
    "text": ("text",),
    "speaker": ("utt2spk",),
    "dialect": ("utt2dialect", "utt2lang"),
    "emotion": ("utt2emotion", "utt2emo"),
}  # of all other columns of tasks the files are called utt2gender and so on
_OTHER = re.compile(r"(utt|spk)2(?!utt$|spk$|dur$|num_frames$|uniq$)\w+")


def kaldi_rows(source: Path, settings: ImportSettings) -> Iterator[Found]:
    """Read a data folder of Kaldi.

    Each utterance of `segments`, or of wav.scp where there is none, is a row; so is every line of
    `text` whose utterance they lack, which is rejected.

    Args:
        source: The folder.
        settings: Where relative audio paths start; the current folder when absent, as in Kaldi.

    Raises:
        ManifestError: If there is no wav.scp, or a file cannot be read.
    """
    if not (source / "wav.scp").is_file():
        raise ManifestError(
            "there is no wav.scp here", where=str(source), hint="give a data folder of Kaldi"
        )
    media = (settings.media_dir or Path()).absolute()
    listed = "segments" if (source / "segments").is_file() else "wav.scp"
    with Lookup() as lookup:
        classes = {name: (f"utt2{name}",) for name in settings.class_columns}
        for column, names in {**classes, **_COLUMNS}.items():
            file = next((source / name for name in names if (source / name).is_file()), None)
            if file is not None:
                yield from _fill(lookup, column, file)
        others = _others(source)
        for name in others:
            yield from _fill(lookup, name, source / name)
        if listed == "segments":
            yield from _fill(lookup, "recording", source / "wav.scp")
        yield from _listed(lookup, source / listed, media, settings.class_columns, others)
        if (source / "text").is_file():
            yield from _without_audio(lookup, source / "text")


def _fill(lookup: Lookup, column: str, file: Path) -> Iterator[Unfit]:
    """Read a file into the lookup, and give its bad lines."""
    bad: list[Unfit] = []

    def pairs() -> Iterator[tuple[str, str]]:
        with Lines(file) as lines:
            for line, text in numbered(lines):
                if isinstance(text, UnfitRowError):
                    bad.append(Unfit(Place(file.name, line), None, text.kind, text.text))
                else:
                    yield _split(text)

    lookup.fill(column, pairs())
    yield from bad


def _split(text: str) -> tuple[str, str]:
    key, *rest = text.split(maxsplit=1)
    return key, rest[0].strip() if rest else ""


def _others(folder: Path) -> list[str]:
    """Return the files that say more of utterances or speakers, such as spk2gender."""
    found = (file.name for file in sorted(folder.iterdir()) if file.is_file())
    return [name for name in found if _OTHER.fullmatch(name)]


def _listed(
    lookup: Lookup, file: Path, media: Path, classes: Sequence[str], others: Sequence[str]
) -> Iterator[Found]:
    has_segments = file.name == "segments"
    with Lines(file) as lines:
        for line, text in numbered(lines):
            place, name = Place(file.name, line), None
            try:
                if isinstance(text, UnfitRowError):
                    raise text
                name, rest = _split(text)
                lookup.fill("listed", [(name, "")])
                sound = _segment(lookup, rest, media) if has_segments else _sound(rest, media)
                found = _utterance(lookup, place, name, sound, classes)
                yield replace(found, extra=_extra(lookup, found, others)) if others else found
            except UnfitRowError as error:
                yield Unfit(place, name, error.kind, error.text)


def _segment(lookup: Lookup, text: str, media: Path) -> Sound:
    parts = text.split()
    if len(parts) not in (3, 4):  # the fourth is a channel
        raise UnfitRowError("no segment", f"the line holds {shown(text)}")
    found = lookup.get("recording", parts[0])
    if found is None:
        raise UnfitRowError("no audio", f"wav.scp has no recording {shown(parts[0])}")
    start, end = number(parts[1], "start") or 0.0, number(parts[2], "end") or 0.0
    return _sound(found, media, start, None if end == -1 else end - start)


def _sound(text: str, media: Path, start: float = 0.0, seconds: float | None = None) -> Sound:
    if text.rstrip().endswith("|"):
        raise UnfitRowError("shell command", f"{shown(text)} would have to be run")
    if not text:
        raise UnfitRowError("no audio path", "the line holds no path")
    if text == "-" or ".ark:" in text:
        raise UnfitRowError("no audio file", f"{shown(text)} is no file of its own")
    return Sound(located(media, text), start, seconds)


def _utterance(
    lookup: Lookup, place: Place, name: str, sound: Sound, classes: Sequence[str]
) -> Utterance:
    return Utterance(
        place=place,
        id=name,
        sound=sound,
        text=lookup.get("text", name),
        answers={column: word for column in classes if (word := lookup.get(column, name))},
        speaker=lookup.get("speaker", name),
    )


def _extra(lookup: Lookup, found: Utterance, others: Sequence[str]) -> dict[str, Scalar]:
    """Return what the other files say of an utterance, or of its speaker."""
    row: dict[str, object] = {}
    for name in others:
        key = found.id if name.startswith("utt2") else found.speaker
        value = lookup.get(name, key) if key else None
        if value:
            row[name[4:]] = Untyped(value)
    return extra_columns(row, ())


def _without_audio(lookup: Lookup, file: Path) -> Iterator[Unfit]:
    with Lines(file) as lines:
        for line, text in numbered(lines):
            if isinstance(text, str):
                name = _split(text)[0]
                if lookup.get("listed", name) is None:
                    yield Unfit(Place(file.name, line), name, "no audio", "no audio is listed")
