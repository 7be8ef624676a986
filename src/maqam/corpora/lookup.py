"""Tables of text by key, on disk: a million transcripts are not kept in memory."""

import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self


class Lookup:
    """Values by table and key, in a temporary file that is removed at the end.

    Examples:
        >>> with Lookup() as lookup:
        ...     lookup.fill("text", [("a", "نعم"), ("a", "لا")])
        ...     lookup.get("text", "a"), lookup.get("text", "b")
        ('نعم', None)
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="maqam-import-")
        self._database = sqlite3.connect(Path(self._folder.name) / "lookup.sqlite")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute(
            "CREATE TABLE found (name TEXT, key TEXT, value TEXT, PRIMARY KEY (name, key))"
            " WITHOUT ROWID"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()
        self._folder.cleanup()

    def fill(self, name: str, pairs: Iterable[tuple[str, str]]) -> None:
        """Add keys and values to a table; the first value of a key stays."""
        self._database.executemany(
            "INSERT OR IGNORE INTO found VALUES (?, ?, ?)", ((name, *pair) for pair in pairs)
        )

    def get(self, name: str, key: str) -> str | None:
        """Return the value of a key in a table."""
        found = self._database.execute(
            "SELECT value FROM found WHERE name = ? AND key = ?", (name, key)
        ).fetchone()
        return None if found is None else str(found[0])
