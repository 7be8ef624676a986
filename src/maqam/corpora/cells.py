"""Cells of text tables, where each line of the file is in one record or has a reason of its own.

A quoted cell may hold several lines. One whose lines look like rows was begun by a quotation mark
that is text: its line is a fault, and the lines after it are read on their own.
"""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from maqam.corpora.lines import Lines, every, numbered
from maqam.corpora.utterance import UnfitRowError, shown

TAB, COMMA = "\t", ","
DELIMITERS = (COMMA, ";", TAB, "|")
_MOST_LINES = 200  # of one quoted cell
_IS_OPEN = "unexpected end of data"  # how the csv module names a quoted cell without its end

Line = tuple[int, str | UnfitRowError]
Record = tuple[int, list[str] | UnfitRowError]


def delimiter_of(header: str) -> str:
    """Guess what stands between the cells of a table from its first line: what it has most of.

    Examples:
        >>> delimiter_of("audio;text"), delimiter_of("audio")
        (';', ',')
    """
    return max(DELIMITERS, key=header.count)


def tabbed(lines: Lines) -> Iterator[Record]:
    """Yield the cells of a table that is never quoted, by line."""
    for line, text in numbered(lines):
        yield line, text if isinstance(text, UnfitRowError) else text.split(TAB)


def quoted(lines: Lines, delimiter: str = COMMA) -> Iterator[Record]:
    r"""Yield the records of a table whose cells may be quoted, with the line that each begins on.

    Args:
        lines: Lines of the table.
        delimiter: What stands between cells.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "t.csv")
        ...     _ = file.write_text('a.wav,"b\nc"\nd.wav,"e\nf.wav,g\n')
        ...     with Lines(file) as lines:
        ...         [(line, str(cells)) for line, cells in quoted(lines)]
        [(1, "['a.wav', 'b\\nc']"),
         (3, 'lone quotation mark: the cell \'"e\' has no end before line 4, which is like a row'),
         (4, "['f.wav', 'g']")]
    """
    source = every(lines)
    waiting: deque[Line] = deque()
    num_cells = 0
    while (first := _next(waiting, source)) is not None:
        line, text = first
        if isinstance(text, UnfitRowError):
            yield line, text
            continue
        if not text.strip():
            continue
        taken = [first]
        found = _record(taken, waiting, source, delimiter, num_cells)
        waiting.extendleft(reversed(taken[1:]))
        num_cells = num_cells or (0 if isinstance(found, UnfitRowError) else len(found))
        yield line, found


def named(
    records: Iterator[Record], header: Sequence[str] | None = None
) -> Iterator[tuple[int, dict[str, str] | UnfitRowError]]:
    """Yield the cells of records by the names of their columns, or why a record is no row.

    Args:
        records: Records, each with its line.
        header: Names of the columns; the first record that can be read when absent.

    Examples:
        >>> records = [(1, ["id", "text"]), (2, ["a", "b"]), (3, ["c"])]
        >>> [(line, str(row)) for line, row in named(iter(records))]
        [(2, "{'id': 'a', 'text': 'b'}"),
         (3, "other columns: 1 cells under 2 columns: ['c']")]
    """
    for line, cells in records:
        if isinstance(cells, UnfitRowError):
            yield line, cells
        elif header is None:
            header = cells
        elif len(cells) != len(header):
            text = f"{len(cells)} cells under {len(header)} columns: {shown(cells)}"
            yield line, UnfitRowError("other columns", text)
        else:
            yield line, dict(zip(header, cells, strict=True))


def _next(waiting: deque[Line], source: Iterator[Line]) -> Line | None:
    return waiting.popleft() if waiting else next(source, None)


def _record(
    taken: list[Line],
    waiting: deque[Line],
    source: Iterator[Line],
    delimiter: str,
    num_cells: int,
) -> list[str] | UnfitRowError:
    """Read the record that begins with a line.

    Args:
        taken: The line. Lines that were looked at and belong to no record are left behind it.
        waiting: Lines to read before those of the source.
        source: The lines that follow.
        delimiter: What stands between cells.
        num_cells: Cells of the first record; 0 if this is the first.
    """
    texts = [str(taken[0][1])]
    while (cells := _parsed(texts, delimiter)) is None:
        following = _next(waiting, source)
        if following is None:
            return _lone(texts[0], delimiter, "the file ends")
        taken.append(following)
        line, text = following
        if isinstance(text, UnfitRowError):
            return _lone(texts[0], delimiter, f"line {line}, which cannot be read")
        if len(texts) == _MOST_LINES:
            return _lone(texts[0], delimiter, f"line {line}, {_MOST_LINES} lines on")
        if _looks_alike(text, texts[0], delimiter, num_cells):
            return _lone(texts[0], delimiter, f"line {line}, which is like a row")
        texts.append(text)
    if isinstance(cells, UnfitRowError) or (
        len(texts) > 1 and len(cells) != (num_cells or len(cells))
    ):
        if len(texts) > 1:
            return _lone(texts[0], delimiter, f"line {taken[-1][0]}, with other columns")
        return cells
    del taken[1:]
    return cells


def _parsed(texts: Sequence[str], delimiter: str) -> list[str] | UnfitRowError | None:
    """Return the cells of lines that are one record, or why they are none; None if one is open."""
    ended = (f"{text}\n" for text in texts)
    try:
        return next(csv.reader(ended, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return None if str(error) == _IS_OPEN else UnfitRowError("not CSV", str(error))


def _lone(text: str, delimiter: str, before: str) -> UnfitRowError:
    cell = text[text.rfind(f'{delimiter}"') + 1 :]
    return UnfitRowError(
        "lone quotation mark", f"the cell {shown(cell)} has no end before {before}"
    )


def _looks_alike(text: str, first: str, delimiter: str, num_cells: int) -> bool:
    """Tell whether a line within a quoted cell looks like a row of its own."""
    cells = text.split(delimiter)
    return len(cells) == num_cells and _kind(cells[0]) == _kind(first.split(delimiter)[0])


def _kind(cell: str) -> tuple[bool, str]:
    """Return what the first cells of a table have in common, as names of files do."""
    suffix = PurePath(cell).suffix.lower()
    return cell.isascii(), "" if suffix[1:].isdigit() else suffix
