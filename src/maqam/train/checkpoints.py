"""Checkpoint folders that are either whole or not there.

A checkpoint is written beside its place and renamed into it, with a list of its files, their
sizes and hashes; whatever was killed half way, or damaged afterwards, is passed over on resume, and
the user is told.
"""

import hashlib
import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from maqam.errors import MaqamWarning, RunError, first_line
from maqam.files import whole_folder

FORMAT_VERSION = 2  # 1 had sizes only
KEPT = 2
_LIST = "checkpoint.json"


def checkpoint_folder(folder: Path, step: int) -> Path:
    """Return the place of a step's checkpoint.

    Examples:
        >>> checkpoint_folder(Path("checkpoints"), 100).name
        'step-000100'
    """
    return folder / f"step-{step:06d}"


@contextmanager
def weights_folder(place: Path) -> Iterator[Path]:
    """Yield an empty folder that takes its place, on the disk itself, when the block ends well.

    torch and safetensors have errors of their own for a full disk; each becomes one sentence.

    Raises:
        RunError: If the files cannot be written, for want of space mostly.
    """
    try:
        with whole_folder(place, sync=True) as staged:
            yield staged
    except (OSError, RuntimeError, SafetensorError) as error:
        raise RunError(
            f"the files cannot be written: {first_line(error)}",
            where=str(place),
            hint="make room on the disk and resume the run: its last checkpoint is whole",
        ) from error


@contextmanager
def new_checkpoint(folder: Path, step: int) -> Iterator[Path]:
    """Yield an empty folder that becomes a step's checkpoint when the block ends well.

    Older checkpoints are then removed, all but the newest two.
    """
    with weights_folder(checkpoint_folder(folder, step)) as staged:
        yield staged
        files = {
            path.name: {"bytes": path.stat().st_size, "blake2b": _hash(path)}
            for path in sorted(staged.iterdir())
        }
        content = {"format_version": FORMAT_VERSION, "step": step, "files": files}
        (staged / _LIST).write_text(json.dumps(content, indent=2), encoding="utf-8")
    for old in _folders(folder)[KEPT:]:
        shutil.rmtree(old)


def newest_checkpoint(folder: Path) -> tuple[Path, int] | None:
    """Return the newest whole checkpoint and its step, None if there is none.

    A warning tells of newer ones that are damaged.
    """
    damaged = []
    for place in _folders(folder):
        fault = _fault(place)
        if fault is None:
            found = place, int(_read_list(place)["step"])
            break
        damaged.append(f"{place.name} ({fault})")
    else:
        found = None
    if damaged:
        goes_on = "begins again" if found is None else f"goes on from {found[0].name}"
        warnings.warn(
            f"{folder}: damaged checkpoints are passed over: {', '.join(damaged)}; the run "
            f"{goes_on}",
            MaqamWarning,
            stacklevel=2,
        )
    return found


def _folders(folder: Path) -> list[Path]:
    """Return the checkpoint folders, newest first."""
    return sorted(folder.glob("step-*"), key=lambda path: path.name, reverse=True)


def _fault(place: Path) -> str | None:
    """Return what is wrong with a checkpoint; None for one whose files are as they were written."""
    try:
        content = _read_list(place)
        int(content["step"])
        files = dict(content["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"no list of its files in {_LIST}"
    for name, about in files.items():
        path = place / name
        known = about if isinstance(about, dict) else {"bytes": about}
        if not path.is_file():
            return f"no {name}"
        if path.stat().st_size != known.get("bytes"):
            return f"{name} is cut short"
        if "blake2b" in known and known["blake2b"] != _hash(path):
            return f"{name} has other content than was written"
    return None


def _read_list(place: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((place / _LIST).read_text(encoding="utf-8"))
    return content


def _hash(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
