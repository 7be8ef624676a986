"""Rows of another trainer as a manifest; what cannot be one is written down with its reason.

The importer only reads; which rows are sound is decided by the manifest's own rules.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.data.audio import audio_seconds
from maqam.data.importers import llamafactory, ms_swift
from maqam.data.importers.dialogue import Dialogue, Row, UnfitRowError
from maqam.data.manifest import FILE_NAME, SPLITS, write_manifest
from maqam.data.schema import SCHEMA, row_faults
from maqam.errors import AudioError, ConfigError, ManifestError
from maqam.tasks import TASKS

KINDS = ("ms-swift", "llamafactory")
REJECTS_NAME = "rejects.jsonl"

_NAMED = ("dialect", "speaker", "source")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the rows of a source.

    Attributes:
        manifest: The manifest that was written.
        rejects: A JSON line for each rejected row: its line in the source, and why.
        num_rows: Rows of the source.
        num_imported: Rows of the manifest.
        reasons: Rejected rows by reason; a row has one, the first that was met.
        num_tags_added: Audio tags that rows left out, put in front as their trainer does.
    """

    manifest: Path
    rejects: Path
    num_rows: int
    num_imported: int
    reasons: Mapping[str, int]
    num_tags_added: int

    @property
    def num_rejected(self) -> int:
        """Rows that are not in the manifest."""
        return sum(self.reasons.values())


def import_rows(
    source: Path,
    folder: Path,
    *,
    kind: str,
    task: str | None = None,
    split: str = "train",
    media_dir: Path | None = None,
) -> ImportReport:
    """Make a manifest of another trainer's rows.

    Args:
        source: JSON lines, a JSON list or Parquet; for LLaMA-Factory also the folder of a
            dataset_info.json that names one file.
        folder: Where `manifest.parquet` and `rejects.jsonl` go; audio stays where it is.
        kind: "ms-swift" or "llamafactory".
        task: Task of the rows that name none as `task` or `channel`.
        split: Split of all rows.
        media_dir: Folder that relative audio paths start from; the source's when absent.

    Raises:
        ConfigError: If kind, task or split is unknown.
        ManifestError: If the source cannot be read, no row of it is sound, or the folder has a
            manifest.
    """
    _check_settings(kind, task, split)
    if (folder / FILE_NAME).exists():
        raise ManifestError(
            "there is a manifest already", where=str(folder), hint="choose another folder"
        )
    file, read = _reader(source, kind)
    made = _Made(file, (media_dir or file.parent).resolve(), task, split, read)
    num_rows = sum(made.take(line, found) for line, found in _lines(file))
    made.reject_unsound()
    rejects = folder / REJECTS_NAME
    _write_text(rejects, made.rejected_lines())
    if not made.rows:
        raise ManifestError(
            f"none of {num_rows} rows can be imported: {_counted(made.reasons)}",
            where=str(file),
            hint=f"see {rejects}",
        )
    manifest = write_manifest(made.rows, folder)
    return ImportReport(
        manifest, rejects, num_rows, len(made.rows), made.reasons, sum(made.tags_added)
    )


class _Made:
    """The rows made so far, and those that could not be.

    Args:
        file: The source, for names.
        media: Folder that relative audio paths start from.
        task: Task of rows that name none.
        split: Split of all rows.
        read: Gives the dialogue of a row.
    """

    def __init__(
        self, file: Path, media: Path, task: str | None, split: str, read: Callable[[Row], Dialogue]
    ) -> None:
        self._file, self._media, self._task, self._split = file, media, task, split
        self._read = read
        self.rows: list[dict[str, Any]] = []
        self.tags_added: list[int] = []
        self._lines: list[int] = []
        self._rejected: list[dict[str, Any]] = []
        self._measured: dict[str, float | AudioError] = {}

    def take(self, line: int, found: object) -> bool:
        """Make a manifest row of what a line holds, or note why not."""
        name = found.get("id") if isinstance(found, dict) else None
        try:
            row, num_tags = self._row(line, found)
        except UnfitRowError as error:
            self._reject(line, name, error.kind, error.text)
        else:
            self.rows.append(row)
            self.tags_added.append(num_tags)
            self._lines.append(line)
        return True

    def _row(self, line: int, found: object) -> tuple[dict[str, Any], int]:
        if isinstance(found, UnfitRowError):
            raise found
        if not isinstance(found, dict):
            raise UnfitRowError("no row", f"a row is {type(found).__name__}, not a table")
        name, dialogue = found.get("id"), self._read(found)
        audios = [str((self._media / path).resolve()) for path in dialogue.audios]
        target = dialogue.messages[-1]["content"]
        task = self._task_of(found)
        row = {
            "id": f"{self._file.stem}-{line}" if name is None else str(name),
            "messages": dialogue.messages,
            "audios": audios,
            "task": task,
            "label": target if TASKS[task].labels else None,
            "split": self._split,
            "start": 0.0,
            "seconds": self._seconds(audios[0]) if audios else 0.0,
            "target": target,
            "synthetic": found.get("synthetic") is True,
        }
        names = {name: found.get(name) for name in _NAMED}
        row.update({name: text if isinstance(text, str) else None for name, text in names.items()})
        row["source"] = row["source"] or self._file.stem
        return row, dialogue.num_added_tags

    def _task_of(self, found: Mapping[str, Any]) -> str:
        named = found.get("task") or found.get("channel") or self._task
        if named is None:
            raise UnfitRowError("no task", "it names no task and none was given")
        if not isinstance(named, str) or named not in TASKS:
            raise UnfitRowError("unknown task", f"task is {named!r}, not one of {', '.join(TASKS)}")
        return named

    def _seconds(self, path: str) -> float:
        if path not in self._measured:
            try:
                self._measured[path] = audio_seconds(path)
            except AudioError as error:
                self._measured[path] = error
        found = self._measured[path]
        if isinstance(found, AudioError):
            raise UnfitRowError("unreadable audio", str(found))
        return found

    def reject_unsound(self) -> None:
        """Take out the rows that break a rule of the manifest, each with the first rule."""
        table = pa.Table.from_pylist(self.rows, schema=SCHEMA)
        reasons: dict[int, tuple[str, str]] = {}
        for fault in row_faults(table):
            for index in fault.rows.tolist():
                reasons.setdefault(index, (fault.kind, fault.describe(self.rows[index])))
        for index, (kind, text) in reasons.items():
            self._reject(self._lines[index], self.rows[index]["id"], kind, text)
        kept = [index for index in range(len(self.rows)) if index not in reasons]
        self.rows = [self.rows[index] for index in kept]
        self.tags_added = [self.tags_added[index] for index in kept]

    def _reject(self, line: int, name: object, kind: str, text: str) -> None:
        self._rejected.append({"line": line, "id": name, "reason": kind, "text": text})

    @property
    def reasons(self) -> dict[str, int]:
        return dict(Counter(entry["reason"] for entry in self._rejected).most_common())

    def rejected_lines(self) -> list[str]:
        entries = sorted(self._rejected, key=lambda entry: entry["line"])
        return [json.dumps(entry, ensure_ascii=False, default=str) for entry in entries]


def _check_settings(kind: str, task: str | None, split: str) -> None:
    for name, value, allowed in (
        ("kind", kind, KINDS),
        ("task", task, (None, *TASKS)),
        ("split", split, SPLITS),
    ):
        if value not in allowed:
            choices = ", ".join(choice for choice in allowed if choice)
            raise ConfigError(f"no {name} {value!r}", where=name, hint=f"use {choices}")


def _reader(source: Path, kind: str) -> tuple[Path, Callable[[Row], Dialogue]]:
    if kind == "ms-swift":
        return source, ms_swift.dialogue
    file, layout = llamafactory.find_rows(source)
    if layout is not None:
        return file, layout.dialogue
    return file, lambda row: llamafactory.guessed_format(row).dialogue(row)


def _lines(file: Path) -> Iterator[tuple[int, object]]:
    """Give every row of a file with its line or its number, counted from 1."""
    if not file.is_file():
        raise ManifestError(
            "there is no file here", where=str(file), hint="give JSON lines, JSON or Parquet"
        )
    try:
        if file.suffix == ".parquet":
            yield from enumerate(_parquet_rows(file), start=1)
        elif file.suffix == ".json":
            yield from enumerate(_json_rows(file), start=1)
        else:
            yield from _json_lines(file)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise ManifestError(f"not readable: {error}", where=str(file)) from error


def _parquet_rows(file: Path) -> Iterator[object]:
    for batch in pq.ParquetFile(file).iter_batches():
        yield from batch.to_pylist()


def _json_rows(file: Path) -> Sequence[object]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ManifestError(f"not JSON: {error}", where=str(file)) from error
    if not isinstance(found, list):
        raise ManifestError("it holds no list of rows", where=str(file))
    return found


def _json_lines(file: Path) -> Iterator[tuple[int, object]]:
    with file.open(encoding="utf-8") as stream:
        for line, text in enumerate(stream, start=1):
            if text.strip():
                try:
                    yield line, json.loads(text)
                except json.JSONDecodeError as error:
                    yield line, UnfitRowError("not JSON", str(error))


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items()) or "it is empty"


def _write_text(file: Path, lines: Sequence[str]) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise ManifestError(
            f"cannot be written: {error.strerror or error}",
            where=str(file),
            hint="check the folder and the free space",
        ) from error
    finally:
        if draft.parent.is_dir():
            draft.unlink(missing_ok=True)
