"""Small files written whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maqam.errors import RunError


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401  any plain value
    """Write a value as JSON under a temporary name, then rename it."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write text under a temporary name, then rename it.

    Raises:
        RunError: If the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a disk that is full or forbidden into one sentence that names the place."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            hint="make room on the disk or write elsewhere, then run the same command again",
        ) from error


def read_records(path: Path) -> list[dict[str, Any]]:
    """Read a file of one JSON table a line.

    Raises:
        RunError: If there is none, or a line is not whole.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
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


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON table.

    Raises:
        RunError: If there is none, or it is not whole.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"not readable: {error}", where=str(path), hint="the run may be half written"
        ) from error
    if not isinstance(content, dict):
        raise RunError("not a JSON table", where=str(path), hint="the run may be half written")
    return content
