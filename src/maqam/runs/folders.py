"""Which recipe made what a folder holds."""

from pathlib import Path

from maqam.errors import RunError
from maqam.recipe import Recipe, load_recipe

RECIPE_FILE = "recipe.yaml"


def recipe_of(folder: Path) -> Recipe:
    """Read the resolved recipe of a run folder.

    Raises:
        RunError: If the folder is no run.
    """
    path = folder / RECIPE_FILE
    if not path.is_file():
        raise RunError("no run here", where=str(folder), hint="give the folder of a run")
    return load_recipe(path)


def plan_folder(folder: Path) -> Path:
    """Give the folder of a plan, from itself or from that of a run."""
    return folder / "plan" if (folder / "plan").is_dir() else folder


def recipe_of_plan(folder: Path) -> Recipe:
    """Read the recipe that a plan was compiled from, which lies beside its rows or its run.

    Raises:
        RunError: If there is none.
    """
    for place in (folder, folder.parent):
        if (place / RECIPE_FILE).is_file():
            return load_recipe(place / RECIPE_FILE)
    raise RunError(
        "no recipe lies beside the plan", where=str(folder), hint="name it with --recipe"
    )
