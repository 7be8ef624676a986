"""A finished run that goes on: what its recipe says then, and where its scores so far are kept."""

from dataclasses import replace

from maqam.errors import RunError
from maqam.recipe import Recipe
from maqam.run_layout import RunLayout
from maqam.runs.folders import recipe_of


def continued(recipe: Recipe) -> Recipe:
    """Return a recipe with the extensions that its run has had, to resume it."""
    if not RunLayout(recipe.folder).recipe.is_file():
        return recipe
    had = recipe_of(recipe.folder).train.extensions
    given = recipe.train.extensions
    return _with(recipe, had) if had[: len(given)] == given else recipe


def extended(recipe: Recipe, steps: int) -> Recipe:
    """Return the recipe of a finished run with one more extension.

    Raises:
        RunError: If there is no finished run of that name, or the steps are none.
    """
    if steps < 1:
        raise RunError(
            f"a run is extended by at least 1 step, not {steps}",
            where="--extend",
            hint="give the steps to add",
        )
    run = RunLayout(recipe.folder)
    record = run.read_record() if run.record.exists() else {}
    if record.get("state") != "finished":
        raise RunError(
            "only a finished run can be extended",
            where=str(recipe.folder),
            hint="finish it first: maqam train RECIPE --resume",
        )
    return _with(recipe, (*record["identity"]["train"].get("extensions", ()), steps))


def set_scores_apart(recipe: Recipe) -> None:
    """Rename the scores of a run that is about to be extended: they are of the model as it was."""
    step = recipe.train.total_steps - recipe.train.extensions[-1]
    RunLayout(recipe.folder).set_scores_apart(step)


def _with(recipe: Recipe, extensions: tuple[int, ...]) -> Recipe:
    train = replace(recipe.train, extensions=extensions)
    return recipe.model_copy(update={"train": train})
