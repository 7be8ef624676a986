"""Checkpoint folders that are either whole or not there.

A checkpoint is written beside its place and renamed into it, with a list of its files and their
sizes; whatever was killed half way, or cut afterwards, is passed over on resume.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from maqam.errors import RunError

FORMAT_VERSION = 1
KEPT = 2
_LIST = "checkpoint.json"
_PARTIAL = ".partial"


def checkpoint_folder(folder: Path, step: int) -> Path:
    """Give the place of a step's checkpoint.

    Examples:
        >>> checkpoint_folder(Path("checkpoints"), 100).name
        'step-000100'
    """
    return folder / f"step-{step:06d}"


@contextmanager
def whole_folder(place: Path) -> Iterator[Path]:
    """Give an empty folder that takes its place when the block ends well.

    What was there before is replaced; a block that fails leaves it as it was.

    Raises:
        RunError: If the files cannot be written, for want of space mostly.
    """
    staged = place.with_name(place.name + _PARTIAL)
    try:
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        yield staged
        for path in staged.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        shutil.rmtree(place, ignore_errors=True)
        staged.rename(place)
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise RunError(
            f"the files cannot be written: {str(error).strip().splitlines()[0]}",
            where=str(place),
            hint="make room on the disk and resume the run: its last checkpoint is whole",
        ) from error


@contextmanager
def new_checkpoint(folder: Path, step: int) -> Iterator[Path]:
    """Give an empty folder that becomes a step's checkpoint when the block ends well.

    Older checkpoints are then removed, all but the newest two.
    """
    with whole_folder(checkpoint_folder(folder, step)) as staged:
        yield staged
        sizes = {path.name: path.stat().st_size for path in sorted(staged.iterdir())}
        content = {"format_version": FORMAT_VERSION, "step": step, "files": sizes}
        (staged / _LIST).write_text(json.dumps(content, indent=2), encoding="utf-8")
    for old in _folders(folder)[KEPT:]:
        shutil.rmtree(old)


def newest_checkpoint(folder: Path) -> tuple[Path, int] | None:
    """Give the newest whole checkpoint and its step, None if there is none."""
    for place in _folders(folder):
        step = _whole_step(place)
        if step is not None:
            return place, step
    return None


def _folders(folder: Path) -> list[Path]:
    """Give the checkpoint folders, newest first."""
    found = [path for path in folder.glob("step-*") if path.suffix != _PARTIAL]
    return sorted(found, key=lambda path: path.name, reverse=True)


def _whole_step(place: Path) -> int | None:
    """Give the step of a checkpoint whose files all have the size they were written with."""
    try:
        content = json.loads((place / _LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    for name, size in content["files"].items():
        path = place / name
        if not path.is_file() or path.stat().st_size != size:
            return None
    return int(content["step"])
