"""Rows of LLaMA-Factory, read as its dataset_info.json says.

The defaults of formats, columns and tags are those of LLaMA-Factory 0.9.5
(`llamafactory/data/parser.py`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maqam.corpora.formats.dialogue import (
    Dialogue,
    Row,
    exchanges,
    paths,
    turns,
)
from maqam.corpora.utterance import UnfitRowError, shown
from maqam.errors import ManifestError

INFO_NAME = "dataset_info.json"

_ALPACA = {"prompt": "instruction", "query": "input", "response": "output", "history": "history"}
_SHAREGPT = {"messages": "conversations", "system": "system"}
_SHARED = {"audios": "audios"}
_TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "system_tag": "system",
}
_OPENAI = {"messages": "messages", "system": "system"}
_OPENAI_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
}
_FORMATS = ("alpaca", "sharegpt", "openai")


@dataclass(frozen=True, slots=True)
class Format:
    """How the rows of one data set are laid out.

    Attributes:
        is_chat: Whether a row holds messages, not an instruction and an output.
        columns: The row's column for each of LLaMA-Factory's names.
        tags: Keys and roles of a message.
    """

    is_chat: bool
    columns: Mapping[str, str]
    tags: Mapping[str, str]

    def dialogue(self, row: Row) -> Dialogue:
        """Read one row.

        Raises:
            UnfitRowError: If it holds no dialogue, or a part of it is of another type.
        """
        system = self._value(row, "system")
        audios = paths(self._value(row, "audios"))
        if not self.is_chat:
            asked = [self._value(row, name) for name in ("prompt", "query")]
            text = "\n".join(str(part) for part in asked if part)
            answer = self._value(row, "response")
            messages = exchanges(self._value(row, "history"), text, answer, system)
            return Dialogue(messages, audios, columns=frozenset(self.columns.values()))
        tags = self.tags
        messages = turns(
            self._value(row, "messages"),
            role=[tags["role_tag"]],
            content=[tags["content_tag"]],
            roles={tags[f"{role}_tag"]: role for role in ("system", "user", "assistant")},
        )
        if isinstance(system, str) and system and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": system})
        spoken = [turn["role"] for turn in messages if turn["role"] != "system"]
        if spoken != ["user", "assistant"] * (len(spoken) // 2):
            raise UnfitRowError("no turns", f"the roles are {', '.join(spoken)}")
        return Dialogue(messages, audios, columns=frozenset(self.columns.values()))

    def _value(self, row: Row, name: str) -> Any:  # noqa: ANN401  a row of another program
        return row.get(self.columns[name]) if name in self.columns else None


def format_of(entry: Mapping[str, Any]) -> Format:
    """Return the layout that an entry of dataset_info.json describes.

    Raises:
        ValueError: If it names no known format.

    Examples:
        >>> format_of({"columns": {"prompt": "q", "response": "a"}}).columns["prompt"]
        'q'
    """
    name = entry.get("formatting", "alpaca")
    if name not in _FORMATS:
        raise ValueError(f"formatting is {name!r}, not one of {', '.join(_FORMATS)}")
    is_chat = name != "alpaca"
    known = entry.get("columns") or (_SHAREGPT if is_chat else _ALPACA)
    return Format(is_chat, {**_SHARED, **known}, {**_TAGS, **(entry.get("tags") or {})})


def guessed_format(row: Row) -> Format:
    """Tell the layout of a row that dataset_info.json does not describe, by its columns.

    Examples:
        >>> guessed_format({"messages": []}).tags["role_tag"]
        'role'
        >>> guessed_format({"instruction": "Q", "output": "A"}).is_chat
        False
    """
    if "messages" in row:
        return format_of({"formatting": "sharegpt", "columns": _OPENAI, "tags": _OPENAI_TAGS})
    return format_of({"formatting": "sharegpt" if "conversations" in row else "alpaca"})


def find_rows(source: Path) -> tuple[Path, Format | None]:
    """Find a data set's file and its layout.

    Args:
        source: Its file, or a folder whose dataset_info.json names exactly one.

    Returns:
        The file, and the layout that dataset_info.json beside it gives; None where it does not
        name the file, or is not there.

    Raises:
        ManifestError: If dataset_info.json cannot be read, or names no or several files.
    """
    folder = source if source.is_dir() else source.parent
    entries = _entries(folder / INFO_NAME)
    if source.is_dir():
        named = [name for name, entry in entries.items() if "file_name" in entry]
        if len(named) != 1:
            raise ManifestError(
                f"{INFO_NAME} names {len(named)} files: {', '.join(named) or 'none'}",
                where=str(source),
                hint="give the file of one data set",
            )
        source = _file(folder, entries[named[0]]["file_name"])
    for name, entry in entries.items():
        file_name = entry.get("file_name")
        if isinstance(file_name, str) and folder / file_name == source:
            try:
                return source, format_of(entry)
            except ValueError as error:
                raise ManifestError(str(error), where=f"{folder / INFO_NAME}: {name}") from error
    return source, None


def _file(folder: Path, name: object) -> Path:
    """Return the file that dataset_info.json names, which must lie beside it."""
    if not isinstance(name, str) or not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise ManifestError(
            f"{INFO_NAME} names the file {shown(name)}, which is not in this folder",
            where=str(folder),
            hint="give the file itself",
        )
    return folder / name


def _entries(file: Path) -> dict[str, dict[str, Any]]:
    if not file.is_file():
        return {}
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ManifestError(f"not JSON: {error}", where=str(file)) from error
    if not isinstance(entries, dict):
        raise ManifestError("it holds no table of data sets", where=str(file))
    return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}
