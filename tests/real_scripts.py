"""The scripts of `make real`, which stand beside their recipes and are no package."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

REAL = Path(__file__).parents[1] / "recipes" / "real"


def real_script(name: str) -> Any:
    """Import a script of `recipes/real`."""
    sys.path.insert(0, str(REAL))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(REAL))
