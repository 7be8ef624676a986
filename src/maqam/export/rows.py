"""Chat rows as other trainers read them, and their files: JSON lines or Parquet with types."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.errors import ManifestError

_GROUP_ROWS = 8192
_KINDS = {"channel": pa.string(), "step": pa.int64(), "weight": pa.float64()}


def chat_row(
    row: Mapping[str, Any], audio: str | None, extra: Mapping[str, Any], scale: float | None
) -> dict[str, Any]:
    """Return a manifest row as a chat row.

    Args:
        row: The utterance.
        audio: Absolute path of its audio; absent for text.
        extra: More columns.
        scale: Loss weight of its answer, written into the assistant's messages; absent for none.

    Raises:
        ManifestError: If user and assistant do not take turns after at most one system message:
            the trainers drop or misread such rows.

    Examples:
        >>> turns = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
        >>> row = {"id": "u", "task": "tsum", "messages": turns}
        >>> chat_row(row, None, {"channel": "tsum"}, 2.0)["messages"][1]
        {'role': 'assistant', 'content': 'A', 'loss_scale': 2.0}
    """
    roles = [message["role"] for message in row["messages"]]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if not turns or turns != ["user", "assistant"] * (len(turns) // 2):
        raise ManifestError(
            f"the messages' roles are {', '.join(roles)}",
            where=str(row["id"]),
            hint="a system message may come first, then user and assistant take turns",
        )
    messages: list[dict[str, Any]] = [dict(message) for message in row["messages"]]
    if scale is not None:
        for message in messages:
            if message["role"] == "assistant":
                message["loss_scale"] = scale
    return {
        "id": row["id"],
        "task": row["task"],
        "messages": messages,
        "audios": [] if audio is None else [audio],
        **extra,
    }


def rows_schema(extra_columns: tuple[str, ...], *, has_scale: bool) -> pa.Schema:
    """Return the types of the columns of chat rows.

    Examples:
        >>> rows_schema(("channel",), has_scale=False).names
        ['id', 'task', 'messages', 'audios', 'channel']
    """
    turn = [("role", pa.string()), ("content", pa.string())]
    turn += [("loss_scale", pa.float64())] if has_scale else []
    return pa.schema(
        [
            ("id", pa.string()),
            ("task", pa.string()),
            ("messages", pa.list_(pa.struct(turn))),
            ("audios", pa.list_(pa.string())),
            *((name, _KINDS[name]) for name in extra_columns),
        ]
    )


class RowsFile(AbstractContextManager["RowsFile"]):
    """A file that takes chat rows one after the other.

    Args:
        path: Where; the suffix `.parquet` makes it Parquet, any other JSON lines.
        schema: Types of the columns, for Parquet.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._kept: list[dict[str, Any]] = []
        self._parquet = pq.ParquetWriter(path, schema) if path.suffix == ".parquet" else None
        self._text = None if self._parquet else path.open("w", encoding="utf-8")

    def write(self, row: dict[str, Any]) -> None:
        """Append a row."""
        if self._text is not None:
            self._text.write(json.dumps(row, ensure_ascii=False) + "\n")
            return
        self._kept.append(row)
        if len(self._kept) == _GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._parquet is not None and self._kept:
            self._parquet.write_table(pa.Table.from_pylist(self._kept, schema=self._schema))
            self._kept.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._text is not None:
            self._text.close()
        if self._parquet is not None:
            if error is None:
                self._flush()
            self._parquet.close()
