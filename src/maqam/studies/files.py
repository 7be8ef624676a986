"""Small files written whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

from maqam.errors import RunError


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401  any plain value
    """Write a value as JSON under a temporary name, then rename it."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write text under a temporary name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


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
