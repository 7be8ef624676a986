"""Rows of ms-swift and LLaMA-Factory: JSON lines, a JSON list or Parquet."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.corpora.extra import extra_columns
from maqam.corpora.formats import llamafactory, ms_swift
from maqam.corpora.formats.dialogue import Dialogue, Row
from maqam.corpora.formats.maqam import found_row, is_row
from maqam.corpora.lines import Lines, numbered, parsed
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
    words,
)
from maqam.errors import ManifestError
from maqam.taxonomy.tree import TAXONOMIES


def ms_swift_rows(source: Path, settings: ImportSettings) -> Iterator[Found]:
    """Read rows of ms-swift.

    Args:
        source: JSON lines, a JSON list or Parquet.
        settings: Where relative audio paths start.

    Raises:
        ManifestError: If the source cannot be read.
    """
    return _rows(source, settings, ms_swift.dialogue)


def llamafactory_rows(source: Path, settings: ImportSettings) -> Iterator[Found]:
    """Read rows of LLaMA-Factory.

    Args:
        source: JSON lines, a JSON list or Parquet, or the folder of a dataset_info.json that names
            one file.
        settings: Where relative audio paths start.

    Raises:
        ManifestError: If the source cannot be read.
    """
    file, layout = llamafactory.find_rows(source)
    if layout is not None:
        return _rows(file, settings, layout.dialogue)
    return _rows(file, settings, lambda row: llamafactory.guessed_format(row).dialogue(row))


def _rows(file: Path, settings: ImportSettings, read: Callable[[Row], Dialogue]) -> Iterator[Found]:
    media = (settings.media_dir or file.parent).absolute()
    for line, found in _lines(file):
        place = Place(file.name, line)
        row = found if isinstance(found, dict) else {}
        name = None
        try:
            if isinstance(found, UnfitRowError):
                raise found
            if not isinstance(found, dict):
                raise UnfitRowError("no row", f"a row is {type(found).__name__}, not a table")
            name = words(row.get("id"), "id")
            if is_row(row):
                yield found_row(place, row, media, settings)
            else:
                yield _utterance(place, name, row, read(row), media)
        except UnfitRowError as error:
            yield Unfit(place, name, error.kind, error.text)


def _utterance(
    place: Place, name: str | None, row: Row, dialogue: Dialogue, media: Path
) -> Utterance:
    times = _times(row)
    sound = Sound(located(media, dialogue.audios[0]), *times) if dialogue.audios else None
    named = row.get("task") or row.get("channel")
    if named is not None and not isinstance(named, str):
        raise UnfitRowError("unknown task", f"task is {named!r}")
    text = partial(_text, row)
    return Utterance(
        place=place,
        id=name,
        sound=sound,
        answers={name: word for name in TAXONOMIES if (word := text(name))},
        speaker=text("speaker"),
        source=text("source"),
        split=text("split"),
        task=named,
        messages=dialogue.messages,
        num_sounds=len(dialogue.audios),
        num_added_tags=dialogue.num_added_tags,
        synthetic=row.get("synthetic") is True,
        extra=extra_columns(row, {*dialogue.columns, *_read(row, named)}),
    )


def _times(row: Row) -> tuple[float, float | None]:
    """Return start and length of a row's segment; a length without a start is none."""
    start = number(row.get("start"), "start")
    return (start or 0.0), None if start is None else number(row.get("seconds"), "seconds")


def _read(row: Row, task: str | None) -> Iterator[str]:
    """Yield the columns that an utterance is made of, beside those of its dialogue."""
    yield from ("id", "start", "speaker", "source", "split", "synthetic")
    yield from (name for name in ("task", "channel") if row.get(name) == task)
    if row.get("start") is not None:
        yield "seconds"


def _text(row: Row, name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def _lines(file: Path) -> Iterator[tuple[int, object]]:
    """Yield every row of a file with its line or its number, counted from 1."""
    if file.suffix not in (".parquet", ".json"):
        with Lines(file) as lines:
            for line, text in numbered(lines):
                yield line, _parsed(text)
        return
    if not file.is_file():
        raise ManifestError("there is no file here", where=str(file), hint="check the path")
    try:
        rows = _parquet_rows(file) if file.suffix == ".parquet" else _json_rows(file)
        yield from enumerate(rows, start=1)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise ManifestError(f"not readable: {error}", where=str(file)) from error


def _parsed(text: str | UnfitRowError) -> dict[str, Any] | UnfitRowError:
    try:
        return text if isinstance(text, UnfitRowError) else parsed(text)
    except UnfitRowError as error:
        return error


def _parquet_rows(file: Path) -> Iterator[object]:
    for batch in pq.ParquetFile(file).iter_batches(batch_size=1024):
        yield from batch.to_pylist()


def _json_rows(file: Path) -> Iterator[object]:
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ManifestError(f"not JSON: {error}", where=str(file)) from error
    if not isinstance(found, list):
        raise ManifestError("it holds no list of rows", where=str(file))
    return iter(found)
