"""Files of a corpus that its card does not read, or would read twice."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from maqam.corpora.cards.card import Card, KaldiPart, NamesPart, Part
from maqam.corpora.importing.sounds import AUDIO_SUFFIXES
from maqam.corpora.layouts.raw import from_root, matching
from maqam.errors import ConfigError


def check_parts_apart(card: Card, source: Path) -> None:
    """Refuse a file that two parts of a card read: test utterances could be in train, too.

    Raises:
        ConfigError: If there is one.
    """
    reader: dict[Path, Part] = {}
    for part in card.parts:
        for file in () if isinstance(part, KaldiPart) else matching(source, part.files):
            other = reader.setdefault(file, part)
            if other is not part:
                raise ConfigError(
                    f"parts {other.name} and {part.name} both read {from_root(file, source)}",
                    where=f"card {card.name}",
                    hint="give their `files` patterns that no file shares",
                )


def unread_clips(card: Card, source: Path) -> list[str]:
    """Return the audio files that no part reads, of a card that goes by the names of audio."""
    if not any(isinstance(part, NamesPart) for part in card.parts):
        return []
    return _unread(card, source, AUDIO_SUFFIXES)


def unread_tables(card: Card, source: Path) -> list[str]:
    """Return the files that no part reads, but whose suffix is that of a part's tables or texts."""
    patterns = [
        pattern
        for part in card.parts
        if not isinstance(part, KaldiPart | NamesPart)
        for pattern in part.files
    ]
    return _unread(card, source, frozenset(PurePosixPath(one).suffix for one in patterns))


def _unread(card: Card, source: Path, suffixes: Collection[str]) -> list[str]:
    read = {
        from_root(file, source)
        for part in card.parts
        if not isinstance(part, KaldiPart)
        for file in matching(source, part.files)
    }
    names = (from_root(file, source) for file in _files(source, suffixes))
    return sorted(name for name in names if name not in read)


def _files(source: Path, suffixes: Collection[str]) -> Iterator[Path]:
    for folder, _, names in os.walk(source):
        for name in names:
            if PurePosixPath(name).suffix.lower() in suffixes:
                yield Path(folder, name)
