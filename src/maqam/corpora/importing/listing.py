"""The files of a source as an import found them: one that goes on must find them again."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of the files of a source.

    Attributes:
        num_files: How many there are.
        digest: Names their paths, sizes and times of change.
    """

    num_files: int
    digest: str


def listing(source: Path, without: Path) -> Listing:
    """List a file, or all files of a folder; a source that is neither has none.

    Args:
        source: The source.
        without: Folder that is no part of it, where the import writes.
    """
    digest, count = hashlib.blake2b(digest_size=16), 0
    for path in _files(source, without.absolute()):
        count += 1
        name = os.fsencode(os.path.relpath(path, source))
        try:
            found = os.stat(path)  # noqa: PTH116  one for each of a million files
            digest.update(b"%s\0%d\0%d\0" % (name, found.st_size, found.st_mtime_ns))
        except OSError:
            digest.update(name + b"\0")
    return Listing(count, digest.hexdigest())


def _files(source: Path, without: Path) -> Iterator[str]:
    if source.is_file():
        yield str(source)
    for folder, inner, names in os.walk(source):
        inner[:] = sorted(name for name in inner if Path(folder, name).absolute() != without)
        yield from (f"{folder}{os.sep}{name}" for name in sorted(names))
