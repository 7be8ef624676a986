"""Tables of text: CSV, TSV and JSON lines with a column map, and Common Voice.

TSV has no quoting, as Common Voice and most corpora write it: a lone quotation mark is text. Both
formats read what has been saved in another encoding, or with other delimiters, by the same guess.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from maqam.corpora.cells import COMMA, TAB, Record, delimiter_of, named, quoted, tabbed
from maqam.corpora.encodings import UTF_8, encoding_of
from maqam.corpora.extra import Untyped
from maqam.corpora.formats.columns import Columns
from maqam.corpora.lines import Lines, json_rows, numbered
from maqam.corpora.settings import COMMON_VOICE, TABLE, ImportSettings
from maqam.corpora.utterance import (
    Found,
    Place,
    Unfit,
    UnfitRowError,
    Unmatched,
    Utterance,
    shown,
)
from maqam.errors import ManifestError

Row = Mapping[str, object]

_COMMON_VOICE_SPLITS = ("train", "dev", "test")
_DELIMITERS = {".csv": COMMA, ".tsv": TAB}
_SUFFIXES = (".csv", ".tsv", ".jsonl")


def table_rows(source: Path, settings: ImportSettings) -> Iterator[Found | Unmatched]:
    """Read a table whose columns are named by a header or by the keys of its rows.

    Args:
        source: CSV, TSV or JSON lines, also gzipped, by suffix.
        settings: Columns, and where relative audio paths start: the table's folder when absent.

    Raises:
        ManifestError: If it cannot be read, has another suffix, or lacks a column.
    """
    suffix = _suffix(source)
    media = (settings.media_dir or source.parent).absolute()
    encoding, delimiter = table_form(source, settings)
    with Lines(source, encoding=encoding) as lines:
        if suffix == ".jsonl":
            columns = Columns(settings)
            yield from _found(source.name, json_rows(lines), columns, media)
            yield from columns.unmatched()
            return
        cells = _cells(lines, source, settings, delimiter)
        header = _header(cells, source)
        columns = Columns(settings, header, str(source))
        _check_audio(columns, header, settings, source)
        yield from _found(source.name, _typed(cells, header), columns, media)


def table_form(source: Path, settings: ImportSettings) -> tuple[str, str]:
    """Return the encoding and the delimiter of a table: those asked for, else what they look like.

    Args:
        source: CSV, TSV or JSON lines, also gzipped.
        settings: Encoding and delimiter, where the user names them.

    Raises:
        ManifestError: If it cannot be read, or has another suffix.
    """
    usual = _usual_delimiter(source, settings)
    encoding = settings.encoding or encoding_of(source)
    if settings.delimiter is not None:
        return encoding, settings.delimiter
    with Lines(source, encoding=encoding) as lines:
        _, first = next(numbered(lines), (0, ""))
    has_usual = isinstance(first, UnfitRowError) or usual in first
    return encoding, usual if has_usual else delimiter_of(str(first))


def unusual_form(source: Path, settings: ImportSettings) -> str:
    """Return in words how a table is read if it is not in UTF-8 or has other delimiters.

    Args:
        source: One file.
        settings: The format, and what the user names.

    Raises:
        ManifestError: If it cannot be read, or has another suffix.
    """
    encoding, delimiter = table_form(source, settings)
    is_usual = delimiter == _usual_delimiter(source, settings)
    parts = [] if encoding == UTF_8 else [f"encoding {encoding}"]
    return ", ".join(parts if is_usual else [*parts, f"cells parted by {delimiter!r}"])


def table_files(source: Path, settings: ImportSettings) -> list[Path]:
    """Return the files of a table or of Common Voice; none for any other format.

    Args:
        source: As the format has it.
        settings: The format.

    Raises:
        ManifestError: If a folder of Common Voice has no TSV.
    """
    if settings.kind == COMMON_VOICE:
        return _common_voice_files(source)
    return [source] if settings.kind == TABLE else []


def _usual_delimiter(source: Path, settings: ImportSettings) -> str:
    return TAB if settings.kind == COMMON_VOICE else _DELIMITERS.get(_suffix(source), COMMA)


def _cells(
    lines: Lines, source: Path, settings: ImportSettings, delimiter: str
) -> Iterator[Record]:
    is_plain = delimiter == TAB == _usual_delimiter(source, settings)
    return tabbed(lines) if is_plain else quoted(lines, delimiter)


def _suffix(source: Path) -> str:
    name = source.name.removesuffix(".gz")
    suffix = next((one for one in _SUFFIXES if name.endswith(one)), None)
    if suffix is None:
        raise ManifestError(
            "its name tells no format",
            where=str(source),
            hint=f"name it {', '.join(_SUFFIXES)}, also with .gz",
        )
    return suffix


def common_voice_rows(source: Path, settings: ImportSettings) -> Iterator[Found]:
    """Read Common Voice, whatever its release: columns are found by name.

    Args:
        source: A TSV, or the folder of a language: then its train, dev and test.
        settings: Where clips are: the folder `clips` beside the TSV when absent.

    Raises:
        ManifestError: If there is no TSV, or it lacks a column.
    """
    for file in _common_voice_files(source):
        media = (settings.media_dir or file.parent / "clips").absolute()
        encoding, delimiter = table_form(file, settings)
        with Lines(file, encoding=encoding) as lines:
            cells = _cells(lines, file, settings, delimiter)
            header = _header(cells, file)
            absent = [name for name in ("path", "sentence") if name not in header]
            if absent:
                raise ManifestError(
                    f"it has no column {', '.join(absent)}",
                    where=str(file),
                    hint="give a TSV of Common Voice, or import it as a table",
                )
            columns = Columns(settings, header, str(file))
            for line, found in _typed(cells, header):
                row = found
                if not isinstance(row, UnfitRowError):
                    row = _common_voice(row, file)
                yield _made(Place(file.name, line), row, columns, media)


def _common_voice_files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    usual = [source / f"{split}.tsv" for split in _COMMON_VOICE_SPLITS]
    files = [file for file in usual if file.is_file()]
    if not files:
        names = ", ".join(f"{split}.tsv" for split in _COMMON_VOICE_SPLITS)
        raise ManifestError(f"there is no {names}", where=str(source), hint="give a TSV")
    return files


def _common_voice(row: Row, file: Path) -> Row | UnfitRowError:
    name = row["path"]
    if set(str(name)) & {"/", "\\"}:
        return UnfitRowError("no plain file name", f"a clip is named {shown(name)}")
    split = file.stem if file.stem in _COMMON_VOICE_SPLITS else None
    return {**row, "id": str(name).rsplit(".", 1)[0] if name else None, "split": split}


def _found(
    name: str, rows: Iterator[tuple[int, Row | UnfitRowError]], columns: Columns, media: Path
) -> Iterator[Found]:
    for line, row in rows:
        yield _made(Place(name, line), row, columns, media)


def _made(place: Place, row: Row | UnfitRowError, columns: Columns, media: Path) -> Found:
    name = None
    try:
        if isinstance(row, UnfitRowError):
            raise row
        found = columns.value(row, "id")
        name = found if isinstance(found, str) else None
        return _utterance(place, row, columns, media)
    except UnfitRowError as error:
        return Unfit(place, name, error.kind, error.text)


def _utterance(place: Place, row: Row, columns: Columns, media: Path) -> Utterance:
    path = columns.path(row, media)
    return columns.utterance(place, row, columns.sound(row, path) if path else None)


def _header(cells: Iterator[Record], file: Path) -> list[str]:
    _, header = next(cells, (0, None))
    if header is None:
        raise ManifestError("it is empty", where=str(file), hint="its first line names columns")
    if isinstance(header, UnfitRowError):
        raise ManifestError(
            f"its first line is {header}",
            where=str(file),
            hint="save it as UTF-8, or add --encoding",
        )
    twice = sorted({name for name in header if header.count(name) > 1 and name})
    if twice:
        raise ManifestError(
            f"several columns are named {', '.join(map(repr, twice))}",
            where=str(file),
            hint="rename them in the first line",
        )
    return header


def _typed(cells: Iterator[Record], header: list[str]) -> Iterator[tuple[int, Row | UnfitRowError]]:
    for line, row in named(cells, header):
        if isinstance(row, UnfitRowError):
            yield line, row
        else:
            yield line, {name: Untyped(value) if value else None for name, value in row.items()}


def _check_audio(
    columns: Columns, header: list[str], settings: ImportSettings, source: Path
) -> None:
    is_spoken = settings.task is not None and settings.tasks[settings.task].has_audio
    if is_spoken and columns.name("audio", dict.fromkeys(header, "")) is None:
        raise ManifestError(
            "no column is known to hold audio paths",
            where=str(source),
            hint=f"add --column audio=NAME; it has {', '.join(header)}",
        )
