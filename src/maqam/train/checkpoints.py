"""Checkpoint folders that are either whole or not there.

A checkpoint is written beside its place and renamed into it, with a list of its files and their
sizes; whatever was killed half way, or cut afterwards, is passed over on resume.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from maqam.errors import RunError
from maqam.files import whole_folder

FORMAT_VERSION = 1
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
            f"the files cannot be written: {str(error).strip().splitlines()[0]}",
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
        sizes = {path.name: path.stat().st_size for path in sorted(staged.iterdir())}
        content = {"format_version": FORMAT_VERSION, "step": step, "files": sizes}
        (staged / _LIST).write_text(json.dumps(content, indent=2), encoding="utf-8")
    for old in _folders(folder)[KEPT:]:
        shutil.rmtree(old)


def newest_checkpoint(folder: Path) -> tuple[Path, int] | None:
    """Return the newest whole checkpoint and its step, None if there is none."""
    for place in _folders(folder):
        step = _whole_step(place)
        if step is not None:
            return place, step
    return None


def _folders(folder: Path) -> list[Path]:
    """Return the checkpoint folders, newest first."""
    return sorted(folder.glob("step-*"), key=lambda path: path.name, reverse=True)


def _whole_step(place: Path) -> int | None:
    """Return the step of a checkpoint whose files all have the size they were written with."""
    try:
        content = json.loads((place / _LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    for name, size in content["files"].items():
        path = place / name
        if not path.is_file() or path.stat().st_size != size:
            return None
    return int(content["step"])
