"""Hugging Face datasets: Parquet or Arrow files with audio bytes in them, or a name on the hub.

Audio is written out as it was encoded; `datasets` itself decodes it only where torchcodec is
installed, and is asked for nothing here but rows of the hub.
"""

import importlib
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.corpora.formats.columns import KNOWN, Columns
from maqam.corpora.importing.rows import SPLIT_NAMES
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import (
    Found,
    Place,
    Sound,
    Unfit,
    UnfitRowError,
    located,
    shown,
    words,
)
from maqam.errors import ManifestError, first_line

Row = Mapping[str, Any]

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]*[\w-](:[\w.-]+)?(?<!\.parquet)(?<!\.arrow)")
_BATCH_ROWS = 16  # rows hold their audio
_LEAST_EXPANDED = 256 << 20  # bytes that a row group may always expand to
_MOST_TIMES = 200  # times its file's size that it may expand to beyond that
_DAMAGED = (pa.ArrowException, OSError, MemoryError, ValueError, OverflowError, KeyError)


def huggingface_rows(source: Path, settings: ImportSettings) -> Iterator[Found]:
    """Read a dataset of Hugging Face.

    Args:
        source: A Parquet file, a folder of Parquet files or of Arrow files as `save_to_disk` writes
            them, or the name of a dataset of the hub, such as "google/fleurs:ar_eg".
        settings: Columns; the split of a row is that of its file's name.

    Raises:
        ManifestError: If there is no such file, or no `datasets` to fetch it with.
    """
    if not source.exists():
        name = source.as_posix()
        if _HUB_NAME.fullmatch(name) is None:
            raise ManifestError(
                "there is no such file or folder", where=name, hint="check the path"
            )
        yield from _hub_rows(name, settings)
        return
    files = [source]
    if source.is_dir():
        named = sorted([*source.rglob("*.parquet"), *source.rglob("*.arrow")])
        files = [file for file in named if file.is_file()]  # a pipe would be waited for
    if not files:
        raise ManifestError(
            "there are no Parquet or Arrow files here",
            where=str(source),
            hint="for a folder of audio with metadata.csv, import that file as a table",
        )
    root = source if source.is_dir() else source.parent
    for file in files:
        name = file.relative_to(root).as_posix()
        read = _parquet_batches if file.suffix == ".parquet" else _arrow_batches
        yield from _file_rows(file, name, read(file), settings)


def _file_rows(
    file: Path, name: str, batches: Iterator[pa.RecordBatch], settings: ImportSettings
) -> Iterator[Found]:
    """Read the rows of a file; one that is damaged ends with its reason."""
    media = (settings.media_dir or file.parent).absolute()
    line = 0
    maker: _Maker | None = None
    while True:
        try:
            batch = next(batches)
            rows = batch.to_pylist()
        except StopIteration:
            return
        except _DAMAGED as error:
            text = f"it ends here: {first_line(error)}"
            yield Unfit(Place(name, line + 1), None, "unreadable file", text)
            return
        maker = maker or _Maker(settings, batch.schema, media, name)
        for row in rows:
            line += 1
            yield maker.found(Place(name, line), row)


def _parquet_batches(file: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(file, memory_map=True) as opened:
        most = max(_LEAST_EXPANDED, _MOST_TIMES * file.stat().st_size)
        for group in range(opened.num_row_groups):
            num_bytes = opened.metadata.row_group(group).total_byte_size
            if num_bytes > most:
                raise ValueError(f"a row group expands to {num_bytes} bytes")
            yield from opened.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group])


def _arrow_batches(file: Path) -> Iterator[pa.RecordBatch]:
    """Read a stream, as `datasets` writes, or a file of Arrow."""
    with pa.memory_map(str(file)) as stream:
        if stream.read(6) == b"ARROW1":
            opened = pa.ipc.open_file(stream)
            found: Iterable[pa.RecordBatch] = map(
                opened.get_batch, range(opened.num_record_batches)
            )
        else:
            stream.seek(0)
            found = pa.ipc.open_stream(stream)
        for batch in found:
            for first in range(0, batch.num_rows, _BATCH_ROWS):
                yield batch.slice(first, _BATCH_ROWS)


class _Maker:
    """Makes utterances of the rows of one file.

    Args:
        settings: Columns and names.
        schema: The file's columns.
        media: Folder that paths of audio without bytes start from.
        name: The file's name from the source on, which may tell the split.
    """

    def __init__(self, settings: ImportSettings, schema: pa.Schema, media: Path, name: str) -> None:
        self._columns = Columns(settings, schema.names, name)
        self._names = _class_names(schema.metadata or {})
        self._media = media
        self._split = _split_of(name)
        self._audio = settings.columns.get("audio") or _audio_column(schema)

    def found(self, place: Place, row: Row) -> Found:
        name = None
        try:
            row = {key: self._named(key, value) for key, value in row.items()}
            name = words(self._columns.value(row, "id"), "id")
            if self._columns.value(row, "split") is None:
                row["split"] = self._split
            sound = self._sound(row)
            plain = {key: value for key, value in row.items() if key != self._audio}
            return self._columns.utterance(place, plain, sound)
        except UnfitRowError as error:
            return Unfit(place, name, error.kind, error.text)

    def _named(self, column: str, value: object) -> object:
        """Return the name of a class that is stored as its number."""
        names = self._names.get(column)
        if names is None or not isinstance(value, int):
            return value
        return names[value] if 0 <= value < len(names) else None

    def _sound(self, row: Row) -> Sound | None:
        found = row.get(self._audio) if self._audio else None
        if found is None:
            return None
        if isinstance(found, bytes):
            found = {"bytes": found}
        if isinstance(found, str):
            found = {"path": found}
        data, path = (
            (found.get(key) for key in ("bytes", "path"))
            if isinstance(found, dict)
            else (None, None)
        )
        if isinstance(data, bytes) and data:
            return self._columns.sound(row, path if isinstance(path, str) else "audio", data)
        if not isinstance(path, str) or not path:
            raise UnfitRowError("no audio", f"its audio is {shown(found)}")
        return self._columns.sound(row, located(self._media, path))


def _audio_column(schema: pa.Schema) -> str | None:
    """Find the column of audio: one with bytes and path, else one of a known name."""
    for field in schema:
        if pa.types.is_struct(field.type):
            inner = {field.type.field(at).name for at in range(field.type.num_fields)}
            if {"bytes", "path"} <= inner:
                return str(field.name)
    return next((name for name in KNOWN["audio"] if name in schema.names), None)


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Read the names of classes that `datasets` keeps beside the columns."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        found = {
            column: feature["names"]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
    return {column: names for column, names in found.items() if isinstance(names, list)}


def _split_of(name: str) -> str | None:
    """Tell the split of a file by its name or its folders.

    Examples:
        >>> _split_of("Egypt/validation-00000-of-00001.parquet"), _split_of("rows.parquet")
        ('validation', None)
    """
    for part in reversed(name.lower().split("/")):
        word = part.split("-")[0].split(".")[0]
        if word in SPLIT_NAMES:
            return word
    return None


def _hub_rows(name: str, settings: ImportSettings) -> Iterator[Found]:
    """Stream a dataset of the hub by the `datasets` library; "name:config" names a part of it."""
    if importlib.util.find_spec("datasets") is None:
        raise ManifestError(
            "there is no such file or folder",
            where=name,
            hint="for a dataset of the hub, pip install datasets",
        )
    datasets = importlib.import_module("datasets")
    path, _, config = name.partition(":")
    try:
        splits = datasets.load_dataset(path, config or None, streaming=True)
    except (
        OSError,
        ValueError,
        RuntimeError,
        ImportError,
        datasets.exceptions.DatasetsError,
    ) as error:
        raise ManifestError(
            f"datasets cannot load it: {first_line(error)}",
            where=name,
            hint="check the name, the network and what the dataset asks for",
        ) from error
    for split, rows in splits.items():
        plain = rows
        for column, feature in (rows.features or {}).items():
            if type(feature).__name__ == "Audio":
                plain = plain.cast_column(column, datasets.Audio(decode=False))
        yield from _hub_split(f"{path}/{split}", plain, settings)


def _hub_split(name: str, rows: Any, settings: ImportSettings) -> Iterator[Found]:  # noqa: ANN401
    maker: _Maker | None = None
    media = (settings.media_dir or Path()).absolute()
    for line, row in enumerate(rows, start=1):
        if maker is None:
            schema = (
                rows.features.arrow_schema
                if rows.features
                else pa.schema([(key, pa.null()) for key in row])
            )
            maker = _Maker(settings, schema, media, name)
        yield maker.found(Place(name, line), row)
