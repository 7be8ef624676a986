"""Which recipe made what a folder holds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from maqam.errors import RunError
from maqam.recipe import Recipe, load_recipe
from maqam.run_layout import PlanLayout, RunLayout
from maqam.tasks import TASKS_FILE, Task, Tasks, tasks_in, write_tasks


def recipe_of(folder: Path) -> Recipe:
    """Read the resolved recipe of a run folder.

    Raises:
        RunError: If the folder is no run.
    """
    path = RunLayout(folder).recipe
    if not path.is_file():
        raise RunError("no run here", where=str(folder), hint="give the folder of a run")
    return load_recipe(path)


def recipe_from_here(folder: Path) -> Recipe:
    """Read the recipe of a run folder, its paths right wherever the command is called from.

    Relative paths of a recipe start at the folder that training was started in. Where the recipe's
    `output` is relative too, that folder is found from the run's own place.

    Raises:
        RunError: If the folder is no run.
    """
    recipe = recipe_of(folder)
    inner, whole = recipe.folder.parts, folder.resolve().parts
    if recipe.folder.is_absolute() or whole[-len(inner) :] != inner:
        return recipe
    base = Path(*whole[: -len(inner)])
    if base == Path.cwd():
        return recipe

    def placed(path: str | None) -> str | None:
        return str(base / path) if path and (base / path).exists() else path

    given = recipe.data.manifest
    parts = tuple(part.model_copy(update={"path": placed(part.path)}) for part in recipe.data.parts)
    manifest = placed(given) if isinstance(given, str) else parts or None
    return recipe.model_copy(
        update={
            "output": str(base / recipe.output),
            "data": recipe.data.model_copy(update={"manifest": manifest}),
            "model": replace(recipe.model, path=placed(recipe.model.path)),
            "train": replace(recipe.train, adapter_from=placed(recipe.train.adapter_from)),
        }
    )


def keep_tasks(tasks: Tasks, folder: Path) -> None:
    """Write the tasks of a run into its folder.

    Raises:
        RunError: If it was begun with other tasks.
    """
    if RunLayout(folder).record.exists() and (kept := tasks_in(folder)) != tasks:
        names = [name for name in {**kept, **tasks} if kept.get(name) != tasks.get(name)]
        raise RunError(
            f"task {names[0]} is not what it was when the run began",
            where=str(folder / TASKS_FILE),
            hint="undo the change of the task, or give the run another name",
        )
    write_tasks(tasks, folder)


def common_tasks(runs: Sequence[Path]) -> Tasks:
    """Return the tasks of runs that are held against each other.

    Raises:
        RunError: If a task is answered or scored in another way in one of them.
    """
    found: dict[str, Task] = {}
    for run in runs:
        for name, task in tasks_in(run).items():
            known = found.setdefault(name, task)
            if (known.labels, known.metrics) != (task.labels, task.metrics):
                raise RunError(
                    f"task {name} has other labels or metrics than in {runs[0].name}",
                    where=str(run),
                    hint="compare runs of the same tasks",
                )
    return found


def recipe_of_plan(folder: Path) -> Recipe:
    """Read the recipe that a plan was compiled from, which lies beside its rows or its run.

    Raises:
        RunError: If there is none.
    """
    for path in (PlanLayout(folder).recipe, RunLayout(folder.parent).recipe):
        if path.is_file():
            return load_recipe(path)
    raise RunError(
        "no recipe lies beside the plan", where=str(folder), hint="name it with --recipe"
    )
