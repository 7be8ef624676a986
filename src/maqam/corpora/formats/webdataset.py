"""WebDataset: tars whose files of one key, the name up to the first dot, are a sample."""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from maqam.corpora.formats.columns import Columns
from maqam.corpora.formats.tars import Member, members
from maqam.corpora.importing.sounds import AUDIO_SUFFIXES
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import Found, Place, Unfit, UnfitRowError, Unmatched, shown
from maqam.errors import ManifestError

_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_TEXTS = {
    "txt": "text",
    "text": "text",
    "transcript": "text",
    "summary": "summary",
    "cls": "label",
    "label": "label",
    "dialect": "dialect",
    "speaker": "speaker",
}
_MOST_PARTS = 64


def webdataset_rows(source: Path, settings: ImportSettings) -> Iterator[Found | Unmatched]:
    """Read the samples of tars.

    Args:
        source: A tar, gzipped or not, or a folder of them.
        settings: Columns of a sample's json.

    Raises:
        ManifestError: If there is no tar.
    """
    files = [source]
    if source.is_dir():
        named = sorted(file for file in source.rglob("*") if file.name.endswith(_SUFFIXES))
        files = [file for file in named if file.is_file()]  # a pipe would be waited for
    if not files or not files[0].is_file():
        raise ManifestError("there is no tar here", where=str(source), hint="give a .tar or .tgz")
    columns = Columns(settings)
    for file in files:
        name = file.relative_to(source).as_posix() if source.is_dir() else file.name
        for (key, is_sound), parts in groupby(members(file), _key):
            if is_sound:
                yield _sample(name, key, list(_few(parts)), columns)
            else:
                yield from (_unfit(name, part) for part in parts)
    yield from columns.unmatched()


def _key(member: Member) -> tuple[str, bool]:
    folder, _, base = member.name.rpartition("/")
    stem = base.split(".", 1)[0]
    return (f"{folder}/{stem}" if folder else stem), member.fault is None


def _few(parts: Iterator[Member]) -> Iterator[Member]:
    """Yield no more parts than a sample may have, and one more to tell that there are."""
    for number, part in enumerate(parts):
        if number <= _MOST_PARTS:
            yield part


def _unfit(file: str, member: Member) -> Unfit:
    kind, text = ("", "") if member.fault is None else (member.fault.kind, member.fault.text)
    return Unfit(Place(file, member.number), member.name or None, kind, text)


def _sample(file: str, key: str, parts: list[Member], columns: Columns) -> Found:
    place = Place(file, parts[0].number)
    try:
        if len(parts) > _MOST_PARTS:
            raise UnfitRowError("too many parts", f"it has more than {_MOST_PARTS}")
        row: dict[str, object] = {}
        sound = None
        for part in parts:
            extension = part.name.rpartition("/")[2].partition(".")[2].lower()
            kind = f".{extension.rpartition('.')[2]}"
            if kind in AUDIO_SUFFIXES:
                if sound is not None:
                    raise UnfitRowError("several audios", f"{shown(part.name)} is one more")
                sound = part
            elif extension == "json":
                row = {**_table(part), **row}
            elif extension in _TEXTS:
                row[_TEXTS[extension]] = part.text().strip()
        row = {"id": key, **row}
        held = None if sound is None else columns.sound(row, sound.name, sound.held)
        return columns.utterance(place, row, held)
    except UnfitRowError as error:
        return Unfit(place, key, error.kind, error.text)


def _table(part: Member) -> dict[str, object]:
    try:
        found = json.loads(part.text())
    except (ValueError, RecursionError) as error:
        raise UnfitRowError("not JSON", f"{shown(part.name)}: {error}") from error
    if not isinstance(found, dict):
        raise UnfitRowError("not JSON", f"{shown(part.name)} holds no table")
    return found
