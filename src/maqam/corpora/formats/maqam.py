"""A manifest of Maqam as a source: its rows come out as they stand.

Its paths were held to the rules of import when it was made, so they may name any file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.corpora.extra import plain
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import (
    Found,
    Place,
    Sound,
    Unfit,
    UnfitRowError,
    Utterance,
    located,
    shown,
    words,
)
from maqam.data.prompts import prompt_language
from maqam.data.schema import FILE_NAME, IMPORT_SCHEMA, PROMPT_LANGUAGE, SCHEMA
from maqam.errors import ManifestError, first_line
from maqam.taxonomy.tree import TAXONOMIES

KIND = "maqam"
_BATCH_ROWS = 1024


def maqam_rows(source: Path, settings: ImportSettings) -> Iterator[Found]:
    """Read the rows of a manifest.

    Args:
        source: Its Parquet file, or the folder that holds it.
        settings: Labels, split and tasks.

    Raises:
        ManifestError: If there is no manifest, or it cannot be read.
    """
    file = manifest_file(source)
    if file is None:
        raise ManifestError(
            "there is no manifest here", where=str(source), hint=f"give a folder with {FILE_NAME}"
        )
    folder = (settings.media_dir or file.parent).absolute()
    line = 0
    try:
        for batch in pq.ParquetFile(file).iter_batches(_BATCH_ROWS):
            for row in batch.to_pylist():
                line += 1
                yield found_row(Place(file.name, line), row, folder, settings)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(f"not readable: {first_line(error)}", where=str(file)) from error


def manifest_file(source: Path) -> Path | None:
    """Return the file of a manifest, None where a source is none."""
    file = source / FILE_NAME if source.is_dir() else source
    if file.suffix != ".parquet" or not file.is_file():
        return None
    try:
        return file if is_row(pq.read_schema(file).names) else None
    except (pa.ArrowException, OSError):
        return None


def is_row(names: Any) -> bool:  # noqa: ANN401  a table or a list of names
    """Tell whether columns are those of a manifest.

    Examples:
        >>> is_row(["id", "messages"]), is_row(IMPORT_SCHEMA.names)
        (False, True)
    """
    return all(name in names for name in SCHEMA.names)


def found_row(
    place: Place, row: Mapping[str, Any], folder: Path, settings: ImportSettings
) -> Found:
    """Return the utterance of a row of a manifest, or why it is none.

    Args:
        place: Where it stands.
        row: Its columns.
        folder: Folder that relative audio paths start from.
        settings: Labels and tasks.
    """
    name = None
    try:
        name = words(row["id"], "id")
        messages, audios = row["messages"], row["audios"] or []
        if not messages or not all(isinstance(turn, dict) for turn in messages):
            raise UnfitRowError("no messages", f"the messages are {shown(messages)}")
        if not all(isinstance(path, str) for path in audios):
            raise UnfitRowError("no audio path", f"the audios are {shown(audios)}")
        sound = Sound(located(folder, audios[0]), row["start"], row["seconds"]) if audios else None
        return Utterance(
            place=place,
            id=name,
            sound=sound,
            answers={one: row[one] for one in TAXONOMIES if row.get(one)},
            speaker=row["speaker"],
            source=row["source"],
            split=row["split"],
            task=row["task"],
            messages=messages,
            num_sounds=len(audios),
            synthetic=row["synthetic"] is True,
            kept=_kept(row, settings),
            extra={
                one: plain(value)
                for one, value in row.items()
                if one not in IMPORT_SCHEMA.names and value is not None
            },
        )
    except (UnfitRowError, TypeError) as error:
        kind, text = (
            (error.kind, error.text)
            if isinstance(error, UnfitRowError)
            else ("other columns", first_line(error))
        )
        return Unfit(place, name, kind, text)


def _kept(row: Mapping[str, Any], settings: ImportSettings) -> dict[str, Any]:
    """Return what stays as it stands, where the user maps no words."""
    kept = {name: row[name] for name in ("start", "seconds")}
    kept[PROMPT_LANGUAGE] = prompt_language(row, settings.tasks)
    task = settings.tasks.get(row["task"])
    if task is None or not task.labels:
        kept["label"] = row["label"]
    if not settings.labels and settings.label_set is None:
        kept |= {name: row.get(name) for name in TAXONOMIES}
    return kept
