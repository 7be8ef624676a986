"""Rows of ms-swift: messages, or a query and a response, with audios.

The names of columns and roles are those that ms-swift 4.6.0 itself accepts
(`swift/dataset/preprocessor/core.py`).
"""

from collections.abc import Sequence
from dataclasses import replace

from maqam.corpora.formats.dialogue import Dialogue, Row, exchanges, paths, turns, with_tags

_SYSTEMS = ("system", "system_prompt")
_MESSAGES = ("messages", "conversations", "conversation")
_QUERIES = ("query", "prompt", "input", "instruction", "question", "problem")
_RESPONSES = ("response", "answer", "output", "targets", "target", "text", "completion")
_AUDIOS = ("audios", "audio")
_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "bot": "assistant",
}


def dialogue(row: Row) -> Dialogue:
    """Read one row.

    Raises:
        UnfitRowError: If it holds no dialogue, or a part of it is of another type.

    Examples:
        >>> dialogue({"query": "<audio>Q", "response": "A", "audios": ["a.wav"]}).audios
        ['a.wav']
    """
    system = _first(row, _SYSTEMS)
    found = _first(row, _MESSAGES)
    if found is None:
        query, response = _first(row, _QUERIES), _first(row, _RESPONSES)
        messages = exchanges(row.get("history"), query, response, system)
        read: Sequence[Sequence[str]] = (_QUERIES, _RESPONSES, _SYSTEMS, _AUDIOS, ("history",))
    else:
        messages = turns(found, role=("role", "from"), content=("content", "value"), roles=_ROLES)
        if isinstance(system, str) and system and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": system})
        read = (_MESSAGES, _SYSTEMS, _AUDIOS)
    columns = frozenset(name for names in read if (name := _name(row, names)) is not None)
    return replace(with_tags(messages, paths(_first(row, _AUDIOS))), columns=columns)


def _name(row: Row, names: Sequence[str]) -> str | None:
    return next((name for name in names if row.get(name) is not None), None)


def _first(row: Row, names: Sequence[str]) -> object:
    name = _name(row, names)
    return None if name is None else row[name]
