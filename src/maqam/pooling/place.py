"""The folder of a pool: audio paths relative to it, and the files that are written there."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maqam.data.manifest import Manifest, check_free, write_manifest
from maqam.errors import ManifestError


def at_folder(table: pa.Table, folder: Path, other: Path) -> pa.Table:
    """Return a table of utterances with its audio paths made for another folder.

    Args:
        table: Rows with a column `audios`.
        folder: Where their relative paths start.
        other: Where they shall start: paths to files below it are relative to it, all others
            absolute.
    """
    here, there = folder.resolve(), other.resolve()

    def moved(path: str | None) -> str | None:
        if not path:
            return path
        whole = os.path.normpath(here / path) if ".." not in path else str((here / path).resolve())
        inside = f"{there}{os.sep}"
        return whole.removeprefix(inside)

    if here == there:
        return table
    chunks = []
    for chunk in table.column("audios").chunks:
        counts = pc.fill_null(pc.list_value_length(chunk), 0).to_numpy(zero_copy_only=False)
        paths = pa.array([moved(path) for path in chunk.flatten().to_pylist()], pa.string())
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        chunks.append(pa.ListArray.from_arrays(pa.array(offsets), paths))
    index = table.column_names.index("audios")
    column = pa.chunked_array(chunks, pa.list_(pa.string()))
    return table.set_column(index, "audios", column)


def write_pool(
    manifest: Manifest, folder: Path, *, sources: tuple[Path, ...] = (), force: bool = False
) -> Path:
    """Write a manifest to a folder, its tasks beside it.

    Args:
        manifest: The utterances; their audio stays where it is.
        folder: Gets `manifest.parquet`, and `tasks.yaml` as `write_manifest` writes it.
        sources: Manifests that it was made from.
        force: Whether a manifest that is there is replaced.

    Raises:
        ManifestError: If no row is left, the folder holds a manifest and `force` is off, or the
            manifest would replace one that it was made from.
    """
    if not manifest.num_utterances:
        raise ManifestError(
            "no row is left, so nothing is written",
            where=str(manifest.path),
            hint="loosen the conditions",
        )
    check_free(folder, sources, force=force)
    table = at_folder(manifest.table, manifest.folder, folder)
    return write_manifest(table, folder, manifest.tasks)
