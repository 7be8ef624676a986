"""Lines of text files that may hold anything: bad bytes, endless lines, half a gzip.

A line that cannot be read is a reason, not an end: the next one is read as usual.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from maqam.corpora.encodings import UTF_8, Recoded
from maqam.corpora.utterance import UnfitRowError
from maqam.errors import ManifestError

LONGEST_LINE = 8 << 20  # bytes
_LONGEST_SKIP = 256 << 20  # bytes of a line that are passed over
_BOM = b"\xef\xbb\xbf"


class Lines:
    """The lines of a file, one at a time, without their ends.

    Iterating gives each line's text and raises `UnfitRowError` for one that is too long or not of
    the encoding; the next line can be asked for after that. A file that ends inside its gzip raises
    once and is over.

    Args:
        file: Text, or gzip of it if its name ends in .gz.
        longest: Longest line in bytes of UTF-8.
        encoding: Encoding of the text.

    Attributes:
        line: Number of the last line given, counted from 1.

    Raises:
        ManifestError: If there is no such file or it cannot be opened.
    """

    def __init__(self, file: Path, longest: int = LONGEST_LINE, *, encoding: str = UTF_8) -> None:
        self.line = 0
        self._longest, self._encoding = longest, encoding
        self._is_over = False
        if not file.is_file():
            raise ManifestError("there is no file here", where=str(file), hint="check the path")
        try:
            stream: gzip.GzipFile | BinaryIO = (
                gzip.open(file) if file.suffix == ".gz" else file.open("rb")  # noqa: SIM115
            )
        except OSError as error:
            raise ManifestError(
                f"cannot be opened: {error.strerror}", where=str(file), hint="check its permissions"
            ) from error
        if encoding != UTF_8:
            stream = io.BufferedReader(Recoded(cast(BinaryIO, stream), encoding))
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if self._is_over:
            raise StopIteration
        self.line += 1
        data = self._read()
        if not data:
            raise StopIteration
        if len(data) > self._longest:
            self._skip()
            raise UnfitRowError("line too long", f"it has more than {self._longest} bytes")
        if self.line == 1:
            data = data.removeprefix(_BOM)
        try:
            return data.rstrip(b"\r\n").decode("utf-8")
        except UnicodeDecodeError as error:
            name = "UTF-8" if self._encoding == UTF_8 else self._encoding
            raise UnfitRowError(f"not {name}", f"{error.reason} at byte {error.start}") from error

    def _read(self) -> bytes:
        try:
            return self._stream.readline(self._longest + 1)
        except (OSError, EOFError, zlib.error) as error:
            self._is_over = True
            raise UnfitRowError("unreadable file", f"it ends here: {error}") from error

    def _skip(self) -> None:
        """Pass over the rest of a long line; one that does not end in reason ends the file."""
        for _ in range(_LONGEST_SKIP // self._longest):
            data = self._read()
            if not data or data.endswith(b"\n"):
                return
        self._is_over = True
        raise UnfitRowError("unreadable file", f"a line has more than {_LONGEST_SKIP} bytes")


def every(lines: Lines) -> Iterator[tuple[int, str | UnfitRowError]]:
    """Yield every line with its number, or why it cannot be read."""
    while True:
        try:
            text = next(lines)
        except StopIteration:
            return
        except UnfitRowError as error:
            yield lines.line, error
        else:
            yield lines.line, text


def numbered(lines: Lines) -> Iterator[tuple[int, str | UnfitRowError]]:
    """Yield every line that is not blank with its number, or why it cannot be read."""
    for line, text in every(lines):
        if isinstance(text, UnfitRowError) or text.strip():
            yield line, text


def json_rows(lines: Lines) -> Iterator[tuple[int, dict[str, Any] | UnfitRowError]]:
    """Yield the JSON table of every line that is not blank, or why it is none."""
    for line, text in numbered(lines):
        try:
            yield line, text if isinstance(text, UnfitRowError) else parsed(text)
        except UnfitRowError as error:
            yield line, error


def parsed(text: str) -> dict[str, Any]:
    """Read a JSON line that must be a table.

    Raises:
        UnfitRowError: If it is not JSON, or no table.

    Examples:
        >>> parsed('{"id": 1}')
        {'id': 1}
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnfitRowError("not JSON", str(error)) from error
    if not isinstance(found, dict):
        raise UnfitRowError("no row", f"a row is {type(found).__name__}, not a table")
    return found
