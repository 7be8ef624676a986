"""Audio that lies outside of the corpus, and the folder that lets it in.

Processes that look at audio load this module, so it knows of files only.
"""

import json
import os
import shlex
from functools import lru_cache
from pathlib import Path

from maqam.corpora.utterance import UnfitRowError

OUTSIDE = "path outside the source"

_OPTION = "let it in by --allow-outside "


def check_inside(path: str, roots: tuple[str, ...] | None) -> None:
    """Refuse a file that lies outside of the corpus; one that is not there is left to its reader.

    Args:
        path: An absolute path.
        roots: Folders as `audio_roots` returns them; None where any path will do.

    Raises:
        UnfitRowError: If it leads into none of the folders; the text says how to let it in.
    """
    found = None if roots is None else _outside(path, roots)
    if found is not None:
        raise UnfitRowError(OUTSIDE, found)


@lru_cache(maxsize=4096)  # segments of one file come together
def _outside(path: str, roots: tuple[str, ...]) -> str | None:
    """Return where a path leads and what lets it in, None where it is inside."""
    try:
        folder, _, name = path.rpartition(os.sep)
        is_plain = name not in ("", ".", "..") and not os.path.islink(path)  # noqa: PTH114
        real = f"{_real(folder)}{os.sep}{name}" if is_plain else os.path.realpath(path)
    except (OSError, ValueError):  # no path at all: what reads it says so
        return None
    if f"{real}{os.sep}".startswith(roots) or not os.path.exists(real):  # noqa: PTH110
        return None
    return f"{path} leads to {real}; {_OPTION}{shlex.quote(os.path.dirname(real))}"  # noqa: PTH120


@lru_cache(maxsize=4096)  # and files of one folder
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
