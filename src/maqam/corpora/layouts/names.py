"""Corpora whose file names, or lines of text beside the audio, say what an utterance is."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from maqam.corpora.cards.card import LinesPart, NamesPart
from maqam.corpora.layouts.raw import Raw, from_root, raw_row
from maqam.corpora.lines import Lines, numbered
from maqam.corpora.utterance import Place, Unfit, UnfitRowError, shown


def named_rows(part: NamesPart, root: Path, files: Sequence[Path]) -> Iterator[Raw | Unfit]:
    """Read the names of audio files; one that the pattern does not fit is no row.

    Args:
        part: The part.
        root: Folder of the corpus.
        files: The files of the part.
    """
    pattern = re.compile(part.pattern)
    for file in files:
        name = from_root(file, root)
        found = pattern.search(name)
        if found is None:
            yield Unfit(
                Place(name, 1), None, "unknown file name", f"{shown(name)} is not as others"
            )
        else:
            yield raw_row(name, 1, found.groupdict())


def line_rows(part: LinesPart, root: Path, files: Sequence[Path]) -> Iterator[Raw | Unfit]:
    """Read the lines that the pattern fits; others but headings and blank lines are no row.

    Args:
        part: The part.
        root: Folder of the corpus.
        files: The files of the part.

    Raises:
        ManifestError: If a file cannot be opened.
    """
    pattern, heading = re.compile(part.pattern), re.compile(part.skip or r"(?!)")
    for file in files:
        name = from_root(file, root)
        with Lines(file) as lines:
            for line, text in numbered(lines):
                if isinstance(text, UnfitRowError):
                    yield Unfit(Place(name, line), None, text.kind, text.text)
                elif found := pattern.match(text):
                    yield raw_row(name, line, found.groupdict())
                elif not heading.match(text):
                    words = f"{shown(text)} is not as others"
                    yield Unfit(Place(name, line), None, "unknown line", words)
