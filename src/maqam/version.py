"""Which Maqam this is: its version, and the commit it stands at where that is known."""

import json
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]


def version() -> str:
    """Return the version of the package."""
    return distribution("maqam").version


@cache
def own_commit() -> str | None:
    """Return the commit of the code that runs, with "-dirty" if tracked files were changed.

    A checkout is asked by git; a package that pip installed from a repository says where it came
    from. None where neither is so, as for a released package.
    """
    try:
        checkout = _git("rev-parse", "--show-toplevel")
        commit = _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return _commit_of_install()
    is_ours = Path(checkout) == _CHECKOUT  # not the user's repository, with Maqam installed in it
    return commit if is_ours else _commit_of_install()


def _git(*words: str) -> str:
    command = ["git", "-C", str(_CHECKOUT), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _commit_of_install() -> str | None:
    try:
        origin = distribution("maqam").read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    found = json.loads(origin).get("vcs_info", {}).get("commit_id") if origin else None
    return found if isinstance(found, str) else None
