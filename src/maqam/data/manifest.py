"""The manifest: an Arrow table, one utterance a row, each row also a valid chat row.

Parquet on disk. A small one is read to memory, a large one through a memory-mapped copy; columns
become NumPy arrays or lists only when asked for. Rows are checked when a manifest is written and
when it is read; every kind of fault is counted and the first rows are named.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from maqam.data.audio import Clip
from maqam.data.fingerprint import table_fingerprint
from maqam.data.mapped import mapped_table
from maqam.data.prompts import messages_of, prompt_language
from maqam.data.schema import (
    CHANNEL,
    FILE_NAME,
    FORMAT_VERSION,
    PROMPT_LANGUAGE,
    SCHEMA,
    SPLITS,
    Fault,
    column_faults,
    conformed,
    has_channels,
    row_faults,
)
from maqam.errors import ManifestError, first_few, first_line
from maqam.files import whole_file, writing
from maqam.tasks import TASKS_FILE, Tasks, default_tasks, tasks_in, write_tasks

__all__ = [
    "FILE_NAME",
    "SCHEMA",
    "SPLITS",
    "Manifest",
    "check_free",
    "read_manifest",
    "write_manifest",
]

MAPPED_ROWS = 200_000  # manifests from this size on are read through a mapped copy
_VERSION = b"maqam_format_version"
VERSION_METADATA = {_VERSION: str(FORMAT_VERSION).encode()}
_ROW_GROUP_ROWS = 65_536


class Manifest:
    """A table of utterances.

    Args:
        path: Its Parquet file; audio paths are relative to the file's folder.
        table: Its columns.
        tasks: The tasks that its rows may name; the five of the paper when absent.
        language: Language of all prompts; that of each row when absent.
    """

    def __init__(
        self,
        path: Path,
        table: pa.Table,
        tasks: Tasks | None = None,
        language: str | None = None,
    ) -> None:
        self.path = path
        self.table = table
        self.tasks = default_tasks() if tasks is None else tasks
        self.language = language

    @property
    def num_utterances(self) -> int:
        """Rows of the table."""
        return int(self.table.num_rows)

    @property
    def folder(self) -> Path:
        """Folder that relative audio paths start from."""
        return self.path.parent

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the rows, whatever the file's name and place: 32 hex digits."""
        channel = [CHANNEL] if has_channels(self.table.schema) else []
        return table_fingerprint(self.table.select([*SCHEMA.names, *channel]))

    @property
    def is_synthetic(self) -> bool:
        """Whether any utterance is synthetic speech."""
        return bool(pc.any(self.table.column("synthetic")).as_py())

    def column(self, name: str) -> np.ndarray:
        """Return a column: numbers as such, text as objects with None for null."""
        values: np.ndarray = self.table.column(name).to_numpy()
        return values

    def codes(self, name: str, rows: np.ndarray | None = None) -> tuple[np.ndarray, list[str]]:
        """Return a text column as numbers, without an object for each row.

        Args:
            name: A column of few different texts, such as "task".
            rows: (num_rows,) row indexes; all rows when absent.

        Returns:
            (num_rows,) int32 codes, and the sorted texts that they count; null is "-".
        """
        values = self.table.column(name)
        if rows is not None:
            values = values.take(pa.array(rows, pa.int64()))
        encoded = pc.fill_null(values, "-").combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.unify_dictionaries().combine_chunks()
        names = encoded.dictionary.to_pylist()
        ranks = np.empty(len(names), dtype=np.int32)
        ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        return ranks[encoded.indices.to_numpy()], sorted(names)

    def row(self, index: int) -> dict[str, Any]:
        """Return one utterance as plain values, asked as its task asks now."""
        return self.rows([index])[0]

    def rows(self, indexes: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        """Return utterances as plain values, in the order asked for, asked as tasks ask now."""
        values = self.table.take(pa.array(indexes, pa.int64())).to_pylist()
        return [{**row, "messages": messages_of(row, self.tasks, self.language)} for row in values]

    def num_own_words(self, rows: np.ndarray) -> int:
        """Count the rows whose question is no prompt of a task but stands in words of its own."""
        if PROMPT_LANGUAGE in self.table.column_names:
            noted = self.table.column(PROMPT_LANGUAGE).take(pa.array(rows, pa.int64()))
            return int(noted.null_count)
        values = self.table.select(["task", "messages", "audios"]).take(pa.array(rows, pa.int64()))
        return sum(
            prompt_language(row, self.tasks) is None
            for batch in values.to_batches(max_chunksize=4096)
            for row in batch.to_pylist()
        )

    def select(self, *, split: str | None = None, task: str | None = None) -> np.ndarray:
        """Return the row indexes of a split, a task, or both."""
        kept = np.ones(self.num_utterances, dtype=bool)
        for name, value in (("split", split), ("task", task)):
            if value is not None:
                equal = pc.equal(self.table.column(name), value)
                kept &= equal.to_numpy(zero_copy_only=False).astype(bool)
        return np.flatnonzero(kept)

    def audio_path(self, index: int) -> Path:
        """Return the audio file of a row.

        Raises:
            ManifestError: If the row has no audio.
        """
        audios = self.table.column("audios")[index].as_py()
        if not audios:
            raise ManifestError(f"row {index} has no audio", where=str(self.path))
        return self.folder / audios[0]

    def clips(self, rows: Sequence[int] | np.ndarray) -> dict[int, Clip]:
        """Return the audio of rows by row; rows without audio have none."""
        names = [
            "audios",
            "start",
            "seconds",
            *([CHANNEL] if has_channels(self.table.schema) else []),
        ]
        taken = self.table.select(names).take(pa.array(rows, pa.int64())).to_pylist()
        return {
            int(row): Clip(
                self.folder / one["audios"][0], one["start"], one["seconds"], one.get(CHANNEL)
            )
            for row, one in zip(rows, taken, strict=True)
            if one["audios"] and one["audios"][0]
        }


def read_manifest(
    path: Path | str,
    *,
    tasks: Tasks | None = None,
    language: str | None = None,
    check_rows: bool = True,
) -> Manifest:
    """Open and check a manifest.

    Args:
        path: Its Parquet file, or the folder that holds `manifest.parquet`.
        tasks: The tasks that its rows may name; when absent those of the `tasks.yaml` beside it,
            and the five of the paper.
        language: Language of all prompts; that of each row when absent.
        check_rows: Whether unsound rows are an error; else only the columns are looked at, and
            `maqam.inspection.checks` can list every row's faults.

    Raises:
        ManifestError: If there is none, it is not Parquet, or its rows break the schema.
    """
    file = Path(path)
    if file.is_dir():
        file = file / FILE_NAME
    if not file.is_file():
        raise ManifestError(
            "there is no manifest here",
            where=str(file),
            hint="maqam data import makes one, maqam data synth the embedded one; "
            "a relative path starts at the folder the command is called in",
        )
    known = tasks_in(file.parent) if tasks is None else tasks
    try:
        metadata = pq.read_metadata(file)
        _check_columns(metadata.schema.to_arrow_schema(), file)
        table = None
        if check_rows and metadata.num_rows >= MAPPED_ROWS:
            table = mapped_table(file, lambda rows: _check_rows(rows, known, file), _rules(known))
        if table is None:
            table = conformed(pq.read_table(file, memory_map=True))
            if check_rows:
                _check_rows(table, known, file)
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(
            f"not readable as a manifest: {first_line(error)}",
            where=str(file),
            hint="make the manifest again; a copy may have been cut short",
        ) from error
    return Manifest(file, table, known, language)


def write_manifest(
    rows: Sequence[Mapping[str, Any]] | pa.Table, folder: Path | str, tasks: Tasks | None = None
) -> Path:
    """Check rows and write them as `manifest.parquet`, whole or not at all.

    Args:
        rows: Utterances with the manifest's columns; more columns are kept.
        folder: Where the file goes; audio paths are relative to it.
        tasks: The tasks that rows may name; when absent those of the folder. They are written
            beside the manifest, unless they are the paper's five and the folder has no others.

    Raises:
        ManifestError: If rows break the schema or the file cannot be written.
    """
    file = Path(folder) / FILE_NAME
    table = rows if isinstance(rows, pa.Table) else _table(rows, file)
    _check_columns(table.schema.remove_metadata(), file)
    try:
        table = conformed(table)
    except pa.ArrowInvalid as error:
        raise ManifestError(f"a value is of another type: {error}", where=str(file)) from error
    _check_rows(table, tasks_in(file.parent) if tasks is None else tasks, file)
    with writing(file, error=ManifestError), whole_file(file) as draft:
        pq.write_table(
            table.replace_schema_metadata(VERSION_METADATA),
            draft,
            compression="zstd",
            row_group_size=_ROW_GROUP_ROWS,
        )
    if tasks is not None and (tasks != default_tasks() or (file.parent / TASKS_FILE).exists()):
        write_tasks(tasks, file.parent)
    return file


def check_free(folder: Path, sources: Collection[Path] = (), *, force: bool = False) -> None:
    """Refuse a folder that a manifest cannot be written to, before any work.

    Args:
        folder: Where it shall go.
        sources: Manifests that it is made from.
        force: Whether a manifest that is there is replaced.

    Raises:
        ManifestError: If the folder holds a manifest and `force` is off, or one of the sources.
    """
    file = folder / FILE_NAME
    if file.resolve() in [source.resolve() for source in sources]:
        raise ManifestError(
            "it would replace the manifest that it is made from",
            where=str(file),
            hint="choose another folder",
        )
    if file.exists() and not force:
        raise ManifestError(
            "there is a manifest already",
            where=str(file),
            hint="write over it with --force, or choose another folder",
        )


def _check_columns(schema: pa.Schema, file: Path) -> None:
    version = (schema.metadata or {}).get(_VERSION, b"1")
    if version != str(FORMAT_VERSION).encode():
        raise ManifestError(
            f"format version {version.decode()}, this maqam reads version {FORMAT_VERSION}",
            where=str(file),
            hint="install the maqam that wrote it, or make the manifest again",
        )
    faults = column_faults(schema)
    if faults:
        raise ManifestError(
            "; ".join(faults),
            where=str(file),
            hint=f"a manifest has the columns {', '.join(SCHEMA.names)}",
        )


def _rules(tasks: Tasks) -> str:
    """Return a short name of all that rows are checked by of their tasks."""
    known = repr([(task.name, task.labels, task.has_audio) for task in tasks.values()])
    return hashlib.blake2b(known.encode(), digest_size=8).hexdigest()


def _check_rows(table: pa.Table, tasks: Tasks, file: Path) -> None:
    faults = row_faults(table, tasks)
    if faults:
        raise ManifestError(
            "; ".join(_sentence(fault, table) for fault in faults),
            where=str(file),
            hint="maqam data check lists every finding and can write the rows that are sound",
        )


def _sentence(fault: Fault, table: pa.Table) -> str:
    ids = table.column("id").take(pa.array(fault.rows)).to_pylist()
    names = first_few([name or f"row {row}" for name, row in zip(ids, fault.rows, strict=True)])
    first = fault.describe(table.slice(fault.rows[0], 1).to_pylist()[0])
    if len(ids) == 1:
        return f"{fault.kind} in row {names}: {first}"
    return f"{fault.kind} in {len(ids)} rows, {names}; in the first {first}"


def _table(rows: Sequence[Mapping[str, Any]], file: Path) -> pa.Table:
    present = dict.fromkeys(name for row in rows for name in row)
    names = [name for name in SCHEMA.names if not rows or name in present]
    columns: dict[str, pa.Array] = {}
    for name in dict.fromkeys([*names, *present]):
        kind = SCHEMA.field(name).type if name in SCHEMA.names else None
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values, kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ManifestError(
                f"column {name!r} does not hold {kind or 'one type'}: {error}", where=str(file)
            ) from error
    return pa.table(columns)
