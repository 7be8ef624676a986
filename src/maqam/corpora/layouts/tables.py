"""Text tables: CSV, TSV without quotes, JSON lines; with audio in files or in one tar."""

import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from maqam.corpora.cards.card import TablePart
from maqam.corpora.cards.templates import filled
from maqam.corpora.cells import named, quoted, tabbed
from maqam.corpora.encodings import encoding_of
from maqam.corpora.layouts.raw import Raw, from_root, place_columns, raw_row
from maqam.corpora.lines import Lines, json_rows
from maqam.corpora.utterance import Place, Unfit, UnfitRowError

LARGEST_MEMBER = 1 << 30  # bytes of one clip in a tar
_UNREADABLE = (tarfile.TarError, EOFError, zlib.error, OSError)


def table_rows(part: TablePart, root: Path, files: Sequence[Path]) -> Iterator[Raw | Unfit]:
    """Read the rows of a table, without the audio of its tar where it has one.

    Args:
        part: The part.
        root: Folder of the corpus.
        files: The files of the part.

    Raises:
        ManifestError: If a file cannot be opened.
    """
    for file in files:
        yield from _rows(part, file, from_root(file, root))


def packed_rows(
    part: TablePart, root: Path, files: Sequence[Path], member: Callable[[Raw], str]
) -> Iterator[Raw | Unfit]:
    """Read the rows of tables whose audio is in a tar each, or unpacked.

    Args:
        part: A part with an archive.
        root: Folder of the corpus.
        files: The files of the part.
        member: Gives the name of a row's audio; it raises UnfitRowError for a row without one.

    Raises:
        ManifestError: If a file cannot be opened.
    """
    for file in files:
        name = from_root(file, root)
        archive = root / (filled(part.archive or "", place_columns(name, 1)) or "")
        rows = _rows(part, file, name)
        yield from archive_rows(rows, archive, root, member) if archive.is_file() else rows


def archive_rows(
    rows: Iterator[Raw | Unfit], archive: Path, root: Path, member: Callable[[Raw], str]
) -> Iterator[Raw | Unfit]:
    """Yield the rows of a table in the order in which its tar holds their audio.

    Members are found by the last part of their name, and nothing is unpacked by its name. Rows
    without a member come last.

    Args:
        rows: Rows of the table.
        archive: The tar.
        root: Folder of the corpus.
        member: Gives the name of a row's audio; it raises UnfitRowError for a row without one.
    """
    waiting: dict[str, list[Raw]] = {}
    for found in rows:
        if isinstance(found, Unfit):
            yield found
            continue
        try:
            waiting.setdefault(PurePosixPath(member(found)).name, []).append(found)
        except UnfitRowError as error:
            yield Unfit(found.place, None, error.kind, error.text)
    try:
        with tarfile.open(archive, "r|*") as tar:
            for info in tar:
                if info.isfile() and info.size <= LARGEST_MEMBER:
                    asking = waiting.pop(PurePosixPath(info.name).name, [])
                    stream = tar.extractfile(info) if asking else None
                    data = stream.read() if stream else b""
                    for row in asking:
                        yield Raw(row.place, row.values, data, info.name)
    except _UNREADABLE as error:
        yield Unfit(Place(from_root(archive, root), 1), None, "unreadable archive", str(error))
    for name, lacking in waiting.items():
        for row in lacking:
            yield Unfit(row.place, None, "no audio", f"{archive.name} has no {name!r}")


def _rows(part: TablePart, file: Path, name: str) -> Iterator[Raw | Unfit]:
    with Lines(file, encoding=encoding_of(file)) as lines:
        rows: Iterator[tuple[int, Mapping[str, object] | UnfitRowError]]
        if part.format == "jsonl":
            rows = json_rows(lines)
        else:
            rows = named(tabbed(lines) if part.format == "tsv" else quoted(lines), part.header)
        for line, row in rows:
            if isinstance(row, UnfitRowError):
                yield Unfit(Place(name, line), None, row.kind, row.text)
            else:
                yield raw_row(name, line, row)
