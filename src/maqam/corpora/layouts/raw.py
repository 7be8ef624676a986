"""What a layout gives for each row: its columns as they stand, and audio that has no file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from maqam.corpora.utterance import Place, Slice, UnfitRowError, shown


@dataclass(frozen=True, slots=True)
class Raw:
    """A row of a corpus.

    Attributes:
        place: Where it stands.
        values: Its columns by name, and those of its place.
        held: Its encoded audio, if that has no file of its own.
        held_name: Name of that audio inside its file.
    """

    place: Place
    values: Mapping[str, object]
    held: bytes | Slice | None = None
    held_name: str = ""


def place_columns(file: str, line: int) -> dict[str, object]:
    """Return the columns that say where a row stands.

    Args:
        file: Path from the source on, with slashes.
        line: Line or row in it, counted from 1.

    Examples:
        >>> found = place_columns("Session1/dialog/a.txt", 3)
        >>> found["top"], found["folder"], found["parent"], found["stem"], found["line"]
        ('Session1', 'dialog', 'Session1/dialog', 'a', 3)
    """
    return {**_path_columns(file), "line": line}


@lru_cache(maxsize=64)  # the rows of a file come together
def _path_columns(file: str) -> Mapping[str, object]:
    path = PurePosixPath(file)
    return {
        "path": file,
        "file": str(path.with_suffix("")),
        "parent": str(path.parent),
        "folder": path.parent.name,
        "top": path.parts[0],
        "stem": path.stem,
    }


def raw_row(file: str, line: int, values: Mapping[str, object]) -> Raw:
    """Return a row whose audio, if it has any, is a file; its own columns go before its place's.

    Examples:
        >>> raw_row("a.csv", 2, {"text": "نعم"}).values["text"]
        'نعم'
    """
    return Raw(Place(file, line), {**_path_columns(file), "line": line, **values})


def matching(root: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the files of the first pattern that matches any, sorted."""
    for pattern in patterns:
        found = sorted(path for path in root.glob(pattern) if path.is_file())
        if found:
            return found
    return []


def matching_folders(root: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """Yield the folders that patterns match, pattern by pattern."""
    for pattern in patterns:
        yield from (path for path in sorted(root.glob(pattern)) if path.is_dir())


def from_root(path: Path, root: Path) -> str:
    """Name a file from the source on, with slashes.

    Examples:
        >>> from_root(Path("corpus/a/b.wav"), Path("corpus"))
        'a/b.wav'
    """
    return path.relative_to(root).as_posix()


def inside(name: str) -> str:
    """Return a path that does not climb out of where it starts.

    Raises:
        UnfitRowError: If it does.

    Examples:
        >>> inside("a/b.wav")
        'a/b.wav'
    """
    if ".." in name.split("/"):
        raise UnfitRowError("path outside the source", f"the path is {shown(name)}")
    return name
