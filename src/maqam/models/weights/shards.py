"""The files that hold a checkpoint's weights, and which tensor is in which, told by their headers.

No tensor is read.
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from maqam.errors import ModelError, first_few, first_line

ONE_FILE, INDEX = "model.safetensors", "model.safetensors.index.json"
_HINT = "copy or download the checkpoint again, all of its *.safetensors with it"


def weight_files(folder: Path) -> dict[str, Path]:
    """Return the file of every tensor of a local checkpoint, in the order of its files.

    Args:
        folder: Holds model.safetensors, or shards and their index.

    Raises:
        ModelError: If there are no weights, a shard is missing or cut short, or the index is
            broken or names a tensor that its shard lacks.
    """
    index = folder / INDEX
    if (folder / ONE_FILE).is_file():
        return dict.fromkeys(_names_in(folder / ONE_FILE), folder / ONE_FILE)
    if not index.is_file():
        others = [path.name for path in sorted(folder.glob("*.safetensors"))]
        found = f"{len(others)} shards, but no {INDEX}" if others else "no weights"
        raise ModelError(f"there are {found}", where=str(folder), hint=_HINT)
    shard_of = _read_index(index)
    shards = [folder / name for name in dict.fromkeys(shard_of.values())]
    absent = [path.name for path in shards if not path.is_file()]
    if absent:
        raise ModelError(
            f"{len(absent)} of {len(shards)} shards are missing: {first_few(absent)}",
            where=str(folder),
            hint=_HINT,
        )
    held = {name: path for path in sorted(shards) for name in _names_in(path)}
    lacking = sorted(shard_of.keys() - held.keys())
    if lacking:
        raise ModelError(
            f"the shards lack {len(lacking)} of {len(shard_of)} tensors of their index: "
            f"{first_few(lacking)}",
            where=str(folder),
            hint=_HINT,
        )
    return held


def _read_index(path: Path) -> dict[str, str]:
    """Return the shard of every tensor as the index names it."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        if not found:
            raise ValueError("it names no tensor")
        return {str(name): Path(file).name for name, file in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"the index of the shards is broken: {type(error).__name__} {error}",
            where=str(path),
            hint=_HINT,
        ) from error


def _names_in(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="pt") as opened:
            return list(opened.keys())
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the weights are cut short or broken: {first_line(error)}",
            where=str(path),
            hint=_HINT,
        ) from error
