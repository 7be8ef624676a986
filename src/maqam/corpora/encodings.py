"""In which encoding a text is: UTF-8, or what spreadsheets and old subtitles are saved in."""

import codecs
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import BinaryIO

UTF_8 = "utf-8"
_HEAD_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
_ARABIC = ("windows-1256", "iso-8859-6")  # of one byte a letter
_WORD = re.compile("[\u0621-\u0652]{3}")
_MOST_KNOWN = 0.9  # of the bytes of a block in UTF-16, from here on
_MOST_STRANGE = 0.1  # of the letters that are not ASCII


_BROKEN = "maqam-broken"  # name of what is done about such bytes
codecs.register_error(_BROKEN, lambda error: ("\udcff", getattr(error, "end")))  # noqa: B009


class Recoded(io.RawIOBase):
    """A stream of another encoding, as UTF-8.

    For bytes that the encoding does not know there is one that UTF-8 does not, so that their line
    cannot be read and those after it can.

    Args:
        stream: Bytes of the other encoding.
        encoding: Its name, as Python knows it.

    Examples:
        >>> Recoded(io.BytesIO("نعم".encode("windows-1256")), "windows-1256").read().decode()
        'نعم'
    """

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors=_BROKEN)
        self._waiting = b""
        self._is_over = False

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer with UTF-8."""
        while not self._waiting and not self._is_over:
            data = self._stream.read(_CHUNK_BYTES)
            self._is_over = not data
            text = self._decoder.decode(data, final=self._is_over)
            self._waiting = text.encode(UTF_8, "surrogateescape")
        taken = self._waiting[: len(buffer)]
        buffer[: len(taken)] = taken
        self._waiting = self._waiting[len(taken) :]
        return len(taken)

    def close(self) -> None:
        """Close the stream, too."""
        self._stream.close()
        super().close()


def encoding_of(file: Path) -> str:
    """Guess the encoding of a file from its first megabyte; UTF-8 where nothing else is certain.

    Args:
        file: Text, or gzip of it if its name ends in .gz; one that cannot be read is UTF-8.
    """
    try:
        stream = gzip.open(file) if file.suffix == ".gz" else file.open("rb")  # noqa: SIM115
        with stream:
            return guessed_encoding(stream.read(_HEAD_BYTES))
    except (OSError, EOFError, zlib.error):
        return UTF_8


def guessed_encoding(head: bytes) -> str:
    r"""Guess the encoding of a text from how it begins.

    UTF-16 is known by its mark or its zeros. Arabic of one byte a letter is one of two encodings if
    no line beyond ASCII is UTF-8, Arabic words come out, and hardly anything else does.

    Examples:
        >>> guessed_encoding("قال نعم".encode("windows-1256")), guessed_encoding(b"caf\xe9")
        ('windows-1256', 'utf-8')
        >>> guessed_encoding("id,text".encode("utf-16"))
        'utf-16'
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for name, high in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        num_known = high.count(0) + high.count(6)  # of Latin, of Arabic
        if high.count(0) and num_known > len(high) * _MOST_KNOWN and b"\0\0" not in head:
            return name
    lines = [line for line in head.split(b"\n")[:-1] or [head] if not line.isascii()]
    if not lines or any(_is_utf_8(line) for line in lines):
        return UTF_8
    strange = {name: _strangeness(b"\n".join(lines), name) for name in _ARABIC}
    best = min(_ARABIC, key=strange.__getitem__)
    return best if strange[best] <= _MOST_STRANGE else UTF_8


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode(UTF_8)
    except UnicodeDecodeError:
        return False
    return True


def _strangeness(data: bytes, encoding: str) -> float:
    """Return the share of letters beyond ASCII that are not Arabic; 1 without an Arabic word."""
    text = data.decode(encoding, "replace")
    beyond = [letter for letter in text if not letter.isascii()]
    num_arabic = sum("\u0600" <= letter <= "\u06ff" for letter in beyond)
    return 1 - num_arabic / len(beyond) if _WORD.search(text) else 1.0
