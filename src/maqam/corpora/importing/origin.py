"""Where a corpus comes from: its name, and the folders that its audio may lie in.

A list can name any file of the machine. So audio must lie, links followed, in the folder of the
source, in the one that relative paths start from, or in one that the user allows.
"""

import os
import re
from pathlib import Path

from maqam.corpora.settings import ImportSettings

FROM_THE_SHELL = ("ms-swift", "llamafactory", "kaldi", "lhotse")  # paths from the current folder

_PARTS = frozenset(  # words of files and folders that are a part of a corpus, not its name
    re.findall(
        r"\w+",
        """train training dev valid validation val test testing split of all part shard data dataset
        manifest metadata cuts rows segments snapshots""",
    )
)
_COMMIT = re.compile(r"[0-9a-f]{40}")  # of a snapshot in the hub's cache
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
