"""Members of a tar that may be hostile or damaged, one at a time, and nothing is ever unpacked.

A tar that is not compressed is not read for its audio: members are places in the file, which the
processes that look at audio read by themselves. Python's tarfile ends in silence at a damaged
header or a missing end; here both are said.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath

from maqam.corpora.utterance import Slice, UnfitRowError, shown
from maqam.errors import first_line

LARGEST_PART = 8 << 20  # bytes of a text inside a tar
_LARGEST_PACKED = 256 << 20  # bytes of a clip inside a compressed tar
_LARGEST_READ = 64 << 20  # bytes at once: what a header may ask for
_LEAST_EXPANDED = 256 << 20  # bytes that a compressed tar may always expand to
_MOST_TIMES = 100  # times its size that it may expand to beyond that
_DAMAGED = (
    tarfile.TarError,
    EOFError,
    zlib.error,
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A plain file in a tar, or why what stands there is none.

    Attributes:
        number: Its place in the tar, counted from 1.
        name: Its name.
        held: Where its bytes are, or they themselves if the tar is compressed; None where it is
            not of use.
        fault: Why it cannot be used.
    """

    number: int
    name: str
    held: bytes | Slice | None
    fault: UnfitRowError | None = None

    def text(self) -> str:
        """Read it as UTF-8.

        Raises:
            UnfitRowError: If it is too long or no UTF-8.
        """
        data = self.held or b""
        size = data.num_bytes if isinstance(data, Slice) else len(data)
        if size > LARGEST_PART:
            raise UnfitRowError("text too long", f"{shown(self.name)} has {size} bytes")
        if isinstance(data, Slice):
            with Path(data.file).open("rb") as stream:
                stream.seek(data.offset)
                data = stream.read(data.num_bytes)
        try:
            return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
        except UnicodeDecodeError as error:
            text = f"{shown(self.name)}: {error.reason} at byte {error.start}"
            raise UnfitRowError("not UTF-8", text) from error


def members(file: Path) -> Iterator[Member]:
    """Yield the files of a tar, compressed by gzip or not.

    Folders are passed over. Names that are absolute or lead out of the tar, links, devices and
    what is too large have a fault; a last member with a fault says that the tar is damaged.

    Args:
        file: The tar.
    """
    number = 0
    try:
        with closing(_Guarded(file)) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]
            before = -1
            while (found := tar.next()) is not None:
                tar.members = []  # which would grow with the tar
                number += 1
                if found.offset <= before or found.size < 0:
                    raise tarfile.ReadError(f"damaged header at byte {found.offset}")
                before = found.offset
                if not found.isdir():
                    yield _member(stream, found, number)
            _check_end(stream, tar.offset)
    except _DAMAGED as error:
        text = f"it ends here: {first_line(error)}"
        yield Member(number + 1, "", None, UnfitRowError("unreadable archive", text))


def _member(stream: "_Guarded", found: tarfile.TarInfo, number: int) -> Member:
    name = found.name
    fault = _fault(found)
    if fault is None and stream.is_packed and found.size > _LARGEST_PACKED:
        fault = UnfitRowError("member too large", f"{shown(name)} has {found.size} bytes")
    if fault is not None:
        return Member(number, name, None, fault)
    if not stream.is_packed:
        return Member(number, name, Slice(str(stream.file), found.offset_data, found.size))
    stream.seek(found.offset_data)
    data = stream.read_all(found.size)
    if len(data) < found.size:
        raise EOFError(f"{shown(name)} is cut short")
    return Member(number, name, data)


def _fault(found: tarfile.TarInfo) -> UnfitRowError | None:
    path = PurePosixPath(found.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or found.name[1:2] == ":":
        return UnfitRowError("unsafe member", f"{shown(found.name)} leads out of the archive")
    if found.issym() or found.islnk():
        text = f"{shown(found.name)} is a link to {shown(found.linkname)}"
        return UnfitRowError("link in archive", text)
    if not found.isreg() or found.issparse():
        return UnfitRowError("no plain file", f"{shown(found.name)} is no plain file")
    return None


def _check_end(stream: "_Guarded", offset: int) -> None:
    """Hold a tar to its end: a block of zeros, after which there may be more."""
    stream.seek(offset)
    if stream.read(tarfile.BLOCKSIZE) != b"\0" * tarfile.BLOCKSIZE:
        raise tarfile.ReadError(f"damaged header or missing end at byte {offset}")


class _Guarded:
    """A file for tarfile, unpacked on the way, that refuses to expand without bound.

    Args:
        file: The tar.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._raw: BufferedReader = file.open("rb")
        self.is_packed = self._raw.read(2) == b"\x1f\x8b"
        self._raw.seek(0)
        self._stream: gzip.GzipFile | BufferedReader = self._raw
        self._most = file.stat().st_size + 1
        if self.is_packed:
            self._stream = gzip.GzipFile(fileobj=self._raw)
            self._most = max(_LEAST_EXPANDED, _MOST_TIMES * self._most)

    def read(self, size: int) -> bytes:
        if size > _LARGEST_READ:
            raise tarfile.ReadError(f"a header of {size} bytes")
        self._check(self._stream.tell() + max(size, 0))
        return self._stream.read(max(size, 0))

    def read_all(self, size: int) -> bytes:
        self._check(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        if position < 0:
            raise tarfile.ReadError("damaged header")
        self._check(position)
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        self._stream.close()
        self._raw.close()

    def _check(self, position: int) -> None:
        if self.is_packed and position > self._most:
            raise tarfile.ReadError(f"it expands to more than {self._most} bytes")
