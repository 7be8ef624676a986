"""An import on disk while it runs: parts that are whole, and how far the source was read.

What was written last is known from `state.json` alone, which is replaced whole; an import that
was killed at any moment goes on from there.
"""

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from maqam.corpora.extra import Scalar
from maqam.corpora.importing.extra import ExtraColumns
from maqam.corpora.importing.listing import Listing
from maqam.corpora.importing.seen import Seen, SeenIds
from maqam.data.manifest import FILE_NAME, VERSION_METADATA, check_free
from maqam.data.schema import CHANNEL, IMPORT_SCHEMA
from maqam.errors import ManifestError
from maqam.files import whole_file, write_json

REJECTS_NAME = "rejects.jsonl"
WORK_NAME = ".import"
_AUDIO = "audio"  # folder of clips

_DIGEST = "\0digest"  # column of parts: what tells a row from its copy
_PART_ROWS = 16_384
_PART_SECONDS = 20.0
_GROUP_PARTS = 4


class Store:
    """Rows and rejects of an import that may be interrupted.

    Args:
        folder: Folder of the manifest.
        fingerprint: Names source and settings; an interrupted import of another is not continued.
        files: The files of the source; where they have changed, rows would be lost or repeated.
        types: Types of the source's own columns, where they are known.
        force: Whether a manifest that is in the folder is replaced at the end. Until then it stays
            whole: clips of the import stand in a folder of their own.

    Raises:
        ManifestError: If the folder has a manifest and `force` is off, or an import of other
            settings or files, or cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        files: Listing,
        types: pa.Schema | None = None,
        *,
        force: bool = False,
    ) -> None:
        self._folder, self._work = folder, folder / WORK_NAME
        self._fingerprint, self._files = fingerprint, files
        check_free(folder, force=force)
        self._audio = _audio_name(folder)
        self.num_rows = self.num_imported = 0
        self.reasons: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self._ids, self._rows = SeenIds(), Seen()
        self._extra = ExtraColumns(types)
        self._num_parts = 0
        self._pending: list[pa.Table] = []
        self._pending_rejects: list[str] = []
        self._written_at = time.monotonic()
        self._is_busy = False
        self._work.mkdir(parents=True, exist_ok=True)
        self._resume()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what an interrupted import has, and no trace of one that could not begin."""
        if kind is not None and issubclass(kind, KeyboardInterrupt) and not self._is_busy:
            self.save()
        if self._work.is_dir() and not (self._work / "state.json").is_file():
            shutil.rmtree(self._work)
            with suppress(OSError):  # it holds something else
                self._folder.rmdir()

    @property
    def folder(self) -> Path:
        """Folder of the manifest."""
        return self._folder

    @property
    def audio_folder(self) -> Path:
        """Where audio goes that has no file of its own."""
        return self._folder / self._audio

    def _resume(self) -> None:
        state_file = self._work / "state.json"
        if not state_file.is_file():
            self._rejects.write_bytes(b"")
            return
        try:
            self._read(json.loads(state_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, LookupError, TypeError, pa.ArrowException) as error:
            raise ManifestError(
                f"the import that was interrupted here is damaged: {error}",
                where=str(self._folder),
                hint=f"remove {self._work} and begin again",
            ) from error

    def _read(self, state: Mapping[str, Any]) -> None:
        """Go back to what `save` wrote."""
        if state["fingerprint"] != self._fingerprint:
            raise ManifestError(
                "an import of another source or other settings was interrupted here",
                where=str(self._folder),
                hint=f"choose another folder, or remove {self._work}",
            )
        if state["files"] != asdict(self._files):
            raise ManifestError(
                "the files of the source have changed since the import was interrupted here: "
                f"{state['files']['num_files']} then, {self._files.num_files} now",
                where=str(self._folder),
                hint=f"remove {self._work} and begin again",
            )
        self.num_rows, self.num_imported = state["num_rows"], state["num_imported"]
        self.reasons, self.changes = Counter(state["reasons"]), Counter(state["changes"])
        self._num_parts, self._audio = state["num_parts"], state.get("audio", _AUDIO)
        self._extra.kinds = dict(state["columns"])
        with self._rejects.open("r+b") as stream:
            stream.truncate(state["rejects_bytes"])
        for part in range(self._num_parts):
            known = pq.read_table(self._part(part), columns=["id", _DIGEST])
            self._ids.add(known.column("id").to_pylist())
            self._rows.add(known.column(_DIGEST).to_pylist())

    def copies(self, digests: Sequence[bytes]) -> list[bool]:
        """Note rows by their digests; tell for each whether it is a copy of one before."""
        return self._rows.add(digests)

    def add(
        self,
        table: pa.Table,
        extra: Sequence[Mapping[str, Scalar]],
        digests: Sequence[bytes],
        rejects: Sequence[Mapping[str, Any]],
        changes: Mapping[str, int],
    ) -> None:
        """Note what became of the next rows of the source; ids of several rows are numbered.

        Args:
            table: Their rows of the manifest.
            extra: The source's own columns of each row of the table.
            digests: What tells each row of the table from its copies.
            rejects: The others, each with its reason.
            changes: How often rows were changed, by what was done.
        """
        self._is_busy = True
        self.num_rows += table.num_rows + len(rejects)
        self.num_imported += table.num_rows
        self.changes.update(changes)
        self.reasons.update(reject["reason"] for reject in rejects)
        known = pa.array(digests, pa.binary(16))
        table = self._numbered(table).append_column(_DIGEST, known)
        for name, values in self._extra.as_text(extra).items():
            table = table.append_column(name, values)
        self._pending.append(table)
        self._pending_rejects += [_line(reject) for reject in rejects]
        waiting = sum(part.num_rows for part in self._pending) + len(self._pending_rejects)
        if waiting >= _PART_ROWS or time.monotonic() - self._written_at > _PART_SECONDS:
            self.save()
        self._is_busy = False

    def _numbered(self, table: pa.Table) -> pa.Table:
        ids = table.column("id").to_pylist()
        names = self._ids.unique(ids)
        num_changed = sum(name != id_ for name, id_ in zip(names, ids, strict=True))
        if not num_changed:
            return table
        self.changes["ids numbered"] += num_changed
        at = table.column_names.index("id")
        return table.set_column(at, "id", pa.array(names, pa.string()))

    def save(self) -> None:
        """Write what is pending, then how far the source was read."""
        self._is_busy = True
        if any(table.num_rows for table in self._pending):
            rows = pa.concat_tables(self._pending, promote_options="default")
            with whole_file(self._part(self._num_parts)) as draft:
                pq.write_table(rows, draft, compression="zstd")
            self._num_parts += 1
        with self._rejects.open("ab") as stream:
            stream.write("".join(self._pending_rejects).encode())
            stream.flush()
            size = stream.tell()
        state = {
            "fingerprint": self._fingerprint,
            "files": asdict(self._files),
            "num_rows": self.num_rows,
            "num_imported": self.num_imported,
            "reasons": dict(self.reasons),
            "changes": dict(self.changes),
            "num_parts": self._num_parts,
            "audio": self._audio,
            "columns": self._extra.kinds,
            "rejects_bytes": size,
        }
        write_json(self._work / "state.json", state, error=ManifestError)
        self._pending, self._pending_rejects = [], []
        self._written_at = time.monotonic()
        self._is_busy = False

    def finish(self, channel: int | None = None) -> tuple[Path | None, Path]:
        """Put the parts together and take the work away.

        Args:
            channel: Channel that is written of all rows with audio; no such column when absent.

        Returns:
            The manifest, None where no row is sound, and the list of rejects.
        """
        self.save()
        rejects = self._folder / REJECTS_NAME
        manifest = self._folder / FILE_NAME if self.num_imported else None
        with whole_file(rejects) as draft:
            shutil.copyfile(self._rejects, draft)
        if manifest is not None:
            schema = pa.schema([*IMPORT_SCHEMA, *self._extra.schema])
            schema = _with_channel(schema.empty_table(), channel).schema
            schema = schema.with_metadata(VERSION_METADATA)
            with (
                whole_file(manifest) as draft,
                pq.ParquetWriter(draft, schema, compression="zstd") as writer,
            ):
                for group in self._groups():
                    group = _with_channel(group, channel)
                    writer.write_table(group.replace_schema_metadata(VERSION_METADATA))
            _remove_clips(self._folder, but=self._audio)
        shutil.rmtree(self._work)
        return manifest, rejects

    def _groups(self) -> Iterator[pa.Table]:
        for first in range(0, self._num_parts, _GROUP_PARTS):
            last = min(first + _GROUP_PARTS, self._num_parts)
            parts = [pq.read_table(self._part(part)) for part in range(first, last)]
            rows = pa.concat_tables(parts, promote_options="default")
            own = {name: rows.column(name) for name in IMPORT_SCHEMA.names}
            yield pa.table({**own, **self._extra.typed(rows)})

    def _part(self, index: int) -> Path:
        return self._work / f"part-{index:06d}.parquet"

    @property
    def _rejects(self) -> Path:
        return self._work / REJECTS_NAME


def _audio_name(folder: Path) -> str:
    """Return the name of a folder for clips: one that is free beside a manifest that stands."""
    names = chain([_AUDIO], (f"{_AUDIO}-{number}" for number in count(2)))
    is_first = not (folder / FILE_NAME).exists()
    return next(name for name in names if is_first or not (folder / name).exists())


def _remove_clips(folder: Path, but: str) -> None:
    """Remove the clips that an import wrote for a manifest that is replaced."""
    for old in folder.glob(f"{_AUDIO}*"):
        if old.name != but and re.fullmatch(rf"{_AUDIO}(-\d+)?", old.name):
            for clip in old.glob(f"{'[0-9]' * 6}/{'[0-9]' * 9}*"):
                clip.unlink()
            for empty in (*old.glob("[0-9]" * 6), old):
                with suppress(OSError):  # it holds something else
                    empty.rmdir()


def _with_channel(table: pa.Table, channel: int | None) -> pa.Table:
    """Add the channel that is heard, null for rows without audio."""
    if channel is None:
        return table
    has_audio = pc.greater(pc.list_value_length(table.column("audios")), 0)
    chosen = pc.if_else(has_audio, pa.scalar(channel, pa.int32()), pa.scalar(None, pa.int32()))
    others = [name for name in table.column_names if name != CHANNEL]  # of a manifest that has one
    return table.select(others).append_column(CHANNEL, chosen)


def _line(reject: Mapping[str, Any]) -> str:
    text = json.dumps(reject, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode() + "\n"
