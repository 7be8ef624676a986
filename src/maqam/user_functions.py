"""Functions of the user's own, named in a recipe by where they can be imported from."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from maqam.errors import MaqamError

_HINT = "give package.module:name, or file.py:name from the working folder"


def load_function(named: str, failure: type[MaqamError], *, where: str) -> Callable[..., Any]:
    """Import a function by "package.module:name" or "path/to/file.py:name".

    Args:
        named: Where it is.
        failure: The error that says why it cannot be had.
        where: The setting that names it, for that error.

    Raises:
        MaqamError: `failure`, if module, file or function do not exist, or the import fails.

    Examples:
        >>> load_function("math:floor", MaqamError, where="x")(2.5)
        2
    """
    module_name, _, name = named.rpartition(":")
    is_file = module_name.endswith(".py")
    if is_file and not Path(module_name).is_file():
        raise failure(f"there is no file {module_name}", where=where, hint=_HINT)
    try:
        if is_file:
            module = _module_of_file(Path(module_name))
        else:
            module = importlib.import_module(module_name)
        found: Callable[..., Any] = getattr(module, name)
    except Exception as error:
        raise failure(
            f"{named} cannot be imported: {type(error).__name__}: {error}",
            where=where,
            hint=_HINT,
        ) from error
    return found


def _module_of_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
