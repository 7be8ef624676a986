"""Where a corpus stands: its name, and the folders that its audio may lie in.

A list can name any file of the machine. So audio must lie, links followed, in the folder of the
source, in the one that relative paths start from, or in one that the user allows.
"""

import json
import os
import re
import shlex
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import UnfitRowError

OUTSIDE = "path outside the source"
FROM_THE_SHELL = ("ms-swift", "llamafactory", "kaldi", "lhotse")  # paths from the current folder

_PARTS = frozenset(  # words of files and folders that are a part of a corpus, not its name
    re.findall(
        r"\w+",
        """train training dev valid validation val test testing split of all part shard data dataset
        manifest metadata cuts rows segments snapshots""",
    )
)
_COMMIT = re.compile(r"[0-9a-f]{40}")  # of a snapshot in the hub's cache
_OPTION = "let it in by --allow-outside "
_CACHED = "datasets--"


def corpus_name(source: Path) -> str:
    """Return the name of a corpus: that of its file or folder, or of the one above a part's.

    Args:
        source: An absolute path, or the name of a dataset of the hub.

    Examples:
        >>> corpus_name(Path("/data/masc/train-00000-of-00002.parquet"))
        'masc'
        >>> corpus_name(Path("/data/sada.csv")), corpus_name(Path("google/fleurs:ar_eg"))
        ('sada', 'google/fleurs')
    """
    if not source.is_absolute():
        return source.as_posix().partition(":")[0]
    own = source.name if source.is_dir() else source.name.partition(".")[0]
    names = [own, *(folder.name for folder in source.parents[:3] if folder.name)]
    found = next((name for name in names if not _is_part(name)), own)
    if found.startswith(_CACHED):
        return found.removeprefix(_CACHED).replace("--", "/", 1)
    return found or source.as_posix()


def _is_part(name: str) -> bool:
    words = re.split(r"[\W\d_]+", name.lower())
    return _COMMIT.fullmatch(name) is not None or all(word in _PARTS for word in words if word)


def audio_roots(source: Path, settings: ImportSettings) -> tuple[str, ...]:
    """Return the folders that audio may lie in, links followed, each with a slash at its end.

    Args:
        source: File or folder of the corpus; one that is not there holds no audio.
        settings: The format, the folder that relative paths start from, and what is allowed.
    """
    folders = [] if not source.exists() else [source if source.is_dir() else source.parent]
    folders += [] if settings.media_dir is None else [settings.media_dir]
    if settings.kind in FROM_THE_SHELL and settings.media_dir is None:
        folders.append(Path())
    found = (os.path.realpath(folder) for folder in (*folders, *settings.allow_outside))
    return tuple(dict.fromkeys(f"{folder.rstrip(os.sep)}{os.sep}" for folder in found))


def check_inside(path: str, roots: Sequence[str] | None) -> None:
    """Refuse a file that lies outside of the corpus; one that is not there is left to its reader.

    Args:
        path: An absolute path.
        roots: What `audio_roots` found; None where any path will do.

    Raises:
        UnfitRowError: If it leads into none of the folders; the text says how to let it in.
    """
    if roots is None:
        return
    try:
        folder, _, name = path.rpartition(os.sep)
        is_plain = name not in ("", ".", "..") and not os.path.islink(path)  # noqa: PTH114
        real = f"{_real(folder)}{os.sep}{name}" if is_plain else os.path.realpath(path)
    except (OSError, ValueError):  # no path at all: what reads it says so
        return
    if not f"{real}{os.sep}".startswith(tuple(roots)) and os.path.exists(real):  # noqa: PTH110
        option = f"{_OPTION}{shlex.quote(os.path.dirname(real))}"  # noqa: PTH120
        raise UnfitRowError(OUTSIDE, f"{path} leads to {real}; {option}")


@lru_cache(maxsize=4096)  # files of one folder come together
def _real(folder: str) -> str:
    return os.path.realpath(folder or os.sep).rstrip(os.sep)


def outside_folder(rejects: Path) -> str | None:
    """Return the folder that holds all audio that was rejected as outside of the corpus.

    Args:
        rejects: The rejects of an import.

    Returns:
        The innermost folder that holds all of it, or the first one's where only the root does;
        None where nothing was rejected for that.
    """
    common = first = None
    with rejects.open(encoding="utf-8") as lines:
        for line in lines:
            _, option, folder = json.loads(line)["text"].rpartition(_OPTION)
            if option and OUTSIDE in line:
                found = shlex.split(folder)[0]
                first = first or found
                common = os.path.commonpath([common or found, found])
    return first if common == os.sep else common
