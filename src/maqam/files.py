"""Files and folders that are written whole or not at all, and what a disk that refuses says.

`whole_file` and `whole_folder` raise what the system raised; `writing` makes one sentence of it.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from maqam.errors import MaqamError, RunError

RUN_AGAIN = "make room on the disk or write elsewhere, then run the same command again"
RESUME = "make room on the disk and resume the run"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside a file; what is there at the end takes the file's place.

    A block that fails leaves the earlier file as it was, and nothing beside it.

    Args:
        path: The file; folders above it are made.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def whole_folder(place: Path, *, sync: bool = False) -> Iterator[Path]:
    """Yield an empty folder that takes its place when the block ends well.

    The folder that was there goes only when the new one is whole; a block that fails leaves it as
    it was. What a killed process left beside it is removed.

    Args:
        place: The folder; folders above it are made.
        sync: Whether its files are on the disk itself before it takes its place.

    Raises:
        OSError: If the disk is full or the folder cannot be written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_behind(place)
    draft = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    earlier = place.with_name(f".{place.name}.{os.getpid()}.old")
    try:
        draft.mkdir()
        yield draft
        if sync:
            _sync(draft)
        if place.is_dir():
            place.rename(earlier)
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if earlier.is_dir() and not place.exists():
            earlier.rename(place)
    shutil.rmtree(earlier, ignore_errors=True)


@contextmanager
def writing(
    place: Path, what: str = "", *, error: type[MaqamError] = RunError, hint: str = RUN_AGAIN
) -> Iterator[None]:
    """Turn a disk that is full or forbidden into one sentence that names the place.

    Args:
        place: File or folder that is written in the block.
        what: What it is, such as "the page", where its name does not say it.
        error: Class of the error raised.
        hint: What the user can do.

    Raises:
        MaqamError: Of the class asked for, if the block raises an OSError.
    """
    try:
        yield
    except OSError as fault:
        subject = f"{what} " if what else ""
        raise error(
            f"{subject}cannot be written: {fault.strerror or fault}", where=str(place), hint=hint
        ) from fault


def write_text(
    path: Path,
    text: str,
    what: str = "",
    *,
    error: type[MaqamError] = RunError,
    hint: str = RUN_AGAIN,
) -> None:
    """Write a text file whole.

    Args:
        path: The file; folders above it are made.
        text: What goes in, as UTF-8.
        what: What the file is, for the sentence of an error.
        error: Class of the error raised.
        hint: What the user can do.

    Raises:
        MaqamError: Of the class asked for, if the disk is full or the folder cannot be written.
    """
    with writing(path, what, error=error, hint=hint), whole_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


def write_json(
    path: Path,
    value: Any,  # noqa: ANN401  any plain value
    what: str = "",
    *,
    error: type[MaqamError] = RunError,
    hint: str = RUN_AGAIN,
) -> None:
    """Write a value as JSON, whole; see `write_text`."""
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    write_text(path, text, what, error=error, hint=hint)


def write_records(
    path: Path, records: Iterable[Mapping[str, Any]], *, error: type[MaqamError] = RunError
) -> None:
    """Write a file of one JSON table a line, whole; see `write_text`."""
    lines = (f"{json.dumps(one, ensure_ascii=False)}\n" for one in records)
    write_text(path, "".join(lines), error=error)


def lines_of(path: Path, *, errors: str = "strict") -> list[str]:
    """Return the lines of a text file with their ends; unlike `str.splitlines`, LF alone ends one.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not UTF-8 and `errors` is "strict".
    """
    with path.open(encoding="utf-8", errors=errors, newline="\n") as file:
        return list(file)


def read_records(path: Path) -> list[dict[str, Any]]:
    """Read a file of one JSON table a line.

    Raises:
        RunError: If there is none, or a line is not whole.
    """
    try:
        lines = lines_of(path)
    except (OSError, ValueError) as error:
        raise RunError(f"not readable: {error}", where=str(path)) from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise RunError(
                f"line {number} is not whole: {error}",
                where=str(path),
                hint="resume the run: it mends its record",
            ) from error
    return records


def read_table(path: Path, hint: str, version: int = 1) -> dict[str, Any]:
    """Read a JSON table that says its format.

    Args:
        path: The file.
        hint: What to do where it is broken.
        version: The format we know.

    Raises:
        RunError: If there is none, or it is broken or of another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(
            f"there is no {path.name}",
            where=str(path.parent),
            hint="give the folder of a run or of a study",
        ) from error
    except OSError as error:
        raise RunError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    except ValueError as error:
        raise RunError("half written: not JSON", where=str(path), hint=hint) from error
    if not isinstance(content, dict):
        raise RunError("not a JSON table", where=str(path), hint=hint)
    found = content.get("format_version")
    if found != version:
        raise RunError(
            f"format version {found!r} is not {version}",
            where=str(path),
            hint="read it with the version of maqam that wrote it",
        )
    return content


def tensors_fault(path: Path) -> str | None:
    """Tell by its header and size what is wrong with a file of safetensors; None for nothing.

    No tensor is read, and no library that reads them is needed.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > size - 8:
                return f"{path.name} ends after {size} bytes"
            header = json.loads(stream.read(length))
        ends = [one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"]
        wanted = 8 + length + max(ends, default=0)
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"{path.name} has no header of safetensors"
    return None if size == wanted else f"{path.name} has {size} of {wanted} bytes"


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _remove_left_behind(place: Path) -> None:
    """Remove the drafts of a folder whose processes are gone."""
    for draft in place.parent.glob(f".{escape(place.name)}.*.tmp"):
        owner = draft.suffixes[-2].removeprefix(".")
        if draft.is_dir() and not (owner.isdigit() and _is_running(int(owner))):
            shutil.rmtree(draft, ignore_errors=True)


def _is_running(process: int) -> bool:
    """Tell whether another process is alive; what bears our own number is older than we are."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
