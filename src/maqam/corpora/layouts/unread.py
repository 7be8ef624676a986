"""Files of a corpus that its card does not read, or would read twice."""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from maqam.corpora.cards.card import Card, KaldiPart, NamesPart, Part
from maqam.corpora.importing.sounds import AUDIO_SUFFIXES
from maqam.corpora.layouts.kaldi import kaldi_folder
from maqam.corpora.layouts.raw import from_root, matching
from maqam.errors import ConfigError

PartFiles = Sequence[Sequence[Path]]  # of each part of a card


@dataclass(frozen=True, slots=True)
class Left:
    """Files that no part of a card reads.

    Attributes:
        clips: Audio files, of a card that goes by the names of audio.
        tables: Files whose suffix is that of a part's tables or texts.
    """

    clips: tuple[str, ...]
    tables: tuple[str, ...]


def part_files(card: Card, source: Path) -> list[list[Path]]:
    """Look for the files of each part of a card, or for the folder of a part of Kaldi."""
    return [
        kaldi_folder(part, source) if isinstance(part, KaldiPart) else matching(source, part.files)
        for part in card.parts
    ]


def check_parts_apart(card: Card, source: Path, files: PartFiles | None = None) -> None:
    """Refuse a file that two parts of a card read: test utterances could be in train, too.

    Args:
        card: The card.
        source: Folder of the corpus.
        files: The files of its parts; they are looked for when absent.

    Raises:
        ConfigError: If there is one.
    """
    reader: dict[Path, Part] = {}
    found = part_files(card, source) if files is None else files
    for part, own in zip(card.parts, found, strict=True):
        for file in () if isinstance(part, KaldiPart) else own:
            other = reader.setdefault(file, part)
            if other is not part:
                raise ConfigError(
                    f"parts {other.name} and {part.name} both read {from_root(file, source)}",
                    where=f"card {card.name}",
                    hint="give their `files` patterns that no file shares",
                )


def left_files(card: Card, source: Path, files: PartFiles | None = None) -> Left:
    """Return the files that no part reads, though they look like those of one.

    Args:
        card: The card.
        source: Folder of the corpus.
        files: The files of its parts; they are looked for when absent.
    """
    found = part_files(card, source) if files is None else files
    read = {from_root(file, source) for own in found for file in own}
    by_name = any(isinstance(part, NamesPart) for part in card.parts)
    tables = frozenset(
        PurePosixPath(pattern).suffix
        for part in card.parts
        if not isinstance(part, KaldiPart | NamesPart)
        for pattern in part.files
    )
    clips = AUDIO_SUFFIXES if by_name else frozenset[str]()
    names = [from_root(file, source) for file in _files(source, {*tables, *clips})]
    left = sorted(name for name in names if name not in read)
    return Left(
        tuple(name for name in left if _suffix(name) in clips),
        tuple(name for name in left if _suffix(name) in tables),
    )


def _files(source: Path, suffixes: Collection[str]) -> Iterator[Path]:
    for folder, _, names in os.walk(source):
        for name in names:
            if _suffix(name) in suffixes:
                yield Path(folder, name)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
