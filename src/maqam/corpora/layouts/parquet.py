"""Parquet files with the encoded audio in a column, as Hugging Face writes them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.corpora.cards.card import ParquetPart
from maqam.corpora.layouts.raw import Raw, from_root, raw_row
from maqam.corpora.utterance import Place, Unfit
from maqam.errors import first_line

_BATCH_ROWS = 64  # a clip may have megabytes


def parquet_rows(
    part: ParquetPart, root: Path, files: Sequence[Path], *, with_audio: bool
) -> Iterator[Raw | Unfit]:
    """Read the rows of Parquet files.

    Args:
        part: The part.
        root: Folder of the corpus.
        files: The files of the part.
        with_audio: Whether the audio column is read too.
    """
    for file in files:
        name = from_root(file, root)
        line = 0
        try:
            table = pq.ParquetFile(file)
            columns = [column for column in table.schema_arrow.names if column != part.audio_column]
            if with_audio and part.audio_column in table.schema_arrow.names:
                columns.append(part.audio_column)
            for batch in table.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                for values in batch.to_pylist():
                    line += 1
                    values |= _groups(part.patterns, values)
                    yield _row(name, line, values, part.audio_column)
        except (pa.ArrowException, OSError, ValueError) as error:  # a name that is not UTF-8
            text = first_line(error)
            yield Unfit(Place(name, line + 1), None, "unreadable file", text)


def _groups(patterns: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that patterns find in other columns."""
    found = (re.search(one, str(values.get(column, ""))) for column, one in patterns.items())
    return {name: text for one in found if one for name, text in one.groupdict().items()}


def _row(name: str, line: int, values: dict[str, Any], audio_column: str) -> Raw | Unfit:
    audio = values.pop(audio_column, None)
    found = raw_row(name, line, values)
    if isinstance(audio, bytes):
        return Raw(found.place, found.values, audio, f"{name}-{line}")
    if not isinstance(audio, dict):
        return found
    path = audio.get("path")
    if isinstance(audio.get("bytes"), bytes):
        return Raw(found.place, found.values, audio["bytes"], str(path or f"{name}-{line}"))
    return raw_row(name, line, {**values, audio_column: path})
