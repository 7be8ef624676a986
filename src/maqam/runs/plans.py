"""The plan of a recipe: compiled and written, followed, verified."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from maqam.errors import MissingExtraError, RunError, ScheduleError
from maqam.files import read_records, tensors_fault, write_text, writing
from maqam.models.tuning.names import ROUTING
from maqam.recipe import Recipe, dump_yaml, load_recipe
from maqam.run_layout import ADAPTER_WEIGHTS, PlanLayout, RunLayout
from maqam.runs.folders import recipe_of_plan
from maqam.runs.planning import PlanningSession
from maqam.schedule import Plan, Pool, load_plan, schedule_as_table
from maqam.schedule.adaptive.protocol import is_adaptive
from maqam.schedule.compiler import Budget, plan_for
from maqam.schedule.verification import (
    PlanFinding,
    is_dealt_again,
    rule_of,
    verify_log,
    verify_plan,
)
from maqam.tasks import TASKS_FILE, tasks_in, write_tasks

_SAMPLED = 200  # rows of a task that its mean target tokens are taken from


def write_plan(session: PlanningSession, folder: Path, *, overwrite: bool) -> Plan:
    """Compile the recipe's schedule and write the plan.

    Raises:
        RunError: If the folder holds a plan and `overwrite` is off, a run follows that plan, or it
            cannot be written.
    """
    recipe, files = session.recipe, PlanLayout(folder)
    check_beginning(recipe)
    if files.is_there and not overwrite:
        raise RunError(
            "the folder holds a plan", where=str(folder), hint="write over it with --force"
        )
    if overwrite and files.run is not None:
        raise RunError(
            "a run has begun to follow this plan, and would be told by another",
            where=str(folder),
            hint="give the plan another name, or remove the run's folder",
        )
    if is_adaptive(recipe.schedule):
        raise ScheduleError(
            "the schedule decides while the run trains, so there is no plan before",
            where="schedule",
            hint=f"maqam train; then maqam plan show {recipe.folder}",
        )
    plan = plan_for(recipe.schedule, session.pool, _budget(recipe))
    return save_plan(plan, session, folder)


def check_beginning(recipe: Recipe) -> None:
    """Refuse to begin from an adapter that is not there or is damaged, before any work.

    Raises:
        RunError: If it is not, or is.
    """
    if recipe.train.adapter_from is None:
        return
    folder = Path(recipe.train.adapter_from)
    where, files = f"train.adapter_from: {folder}", sorted(folder.rglob(ADAPTER_WEIGHTS))
    within = RunLayout(folder).adapter
    if not files or within in (file.parent for file in files) or (within / ROUTING).is_file():
        raise RunError(
            "there is no adapter to begin from",
            where=where,
            hint=f"give {within}" if files else "give the adapter folder of a finished run",
        )
    for file in files:
        check_tensors(file, where)


def check_tensors(file: Path, where: str) -> None:
    """Refuse the weights of an adapter that are cut short or none.

    Raises:
        RunError: If they are.
    """
    if fault := tensors_fault(file):
        raise RunError(
            f"the adapter is damaged: {fault}",
            where=where,
            hint="copy it again from where it was trained, or train it again",
        )


def save_plan(plan: Plan, session: PlanningSession, folder: Path) -> Plan:
    """Write a plan with the mean target tokens of its tasks and what the model does not take."""
    notes = (*plan.notes, *session.left_out_note())
    known = replace(plan, target_tokens=_target_tokens(session), notes=notes)
    with writing(folder):
        known.save(folder)
    write_text(PlanLayout(folder).recipe, dump_yaml(session.recipe))
    write_tasks(session.manifest.tasks, folder)
    session.write_left_out(session.split_rows, folder)
    return known


def plan_recipe(folder: Path, recipe: Path | None = None) -> Recipe:
    """Read the recipe that a plan was made from.

    Args:
        folder: Folder of a plan, or of a run.
        recipe: Its file; that beside the plan when None.

    Raises:
        RunError: If there is none.
    """
    if recipe is not None:
        return load_recipe(recipe)
    return recipe_of_plan(PlanLayout.of(folder).folder)


def verify(
    folder: Path, session: PlanningSession, *, log: Path | None = None
) -> tuple[list[str], list[PlanFinding]]:
    """Hold a plan against its data, its schedule and a training.

    Args:
        folder: Folder of a plan, or of a run.
        session: Data of the recipe that the plan was made from.
        log: Record of a training; the run's own when None, if there is one.

    Returns:
        What was checked, and what does not hold.

    Raises:
        RunError: If there is no record where one is named.
    """
    plan = load_plan(PlanLayout.of(folder).folder)
    rule = rule_of(plan)
    if rule is None:
        checked = ["rows and batches; not epochs and schedule, which was an object of Python"]
    elif is_dealt_again(rule):
        checked = ["rows, batches, epochs and schedule"]
    else:
        checked = ["rows, batches and epochs; not the schedule, which decided as the run trained"]
    train = session.recipe.train
    extra_steps = train.total_steps - train.num_steps
    findings = verify_plan(plan, session.pool, steps=train.num_steps, extra_steps=extra_steps)
    record = log or RunLayout(folder).steps
    if log is not None or record.is_file():
        checked.append(f"the steps of {record.name}")
        findings += verify_log(plan, read_records(record))
    return checked, findings


def _target_tokens(session: PlanningSession) -> dict[str, float]:
    """Compute the mean target tokens of each task, from at most 200 of its rows.

    Without a tokenizer there are none, and `maqam plan show` tells no shares of the loss.
    """
    pool = session.pool
    sample = [
        pool.rows[np.flatnonzero(pool.columns["task"] == code)[:_SAMPLED]]
        for code in range(len(pool.names["task"]))
    ]
    try:
        found = session.tokenised(np.concatenate(sample))
    except MissingExtraError:
        return {}
    return {
        task: float(found.num_target_tokens[found.positions(rows)].mean())
        for task, rows in zip(pool.names["task"], sample, strict=True)
    }


def followed_plan(session: PlanningSession) -> Plan:
    """Read the plan of a run's folder, or compile it where there is none."""
    recipe = session.recipe
    files = RunLayout(recipe.folder).plan
    if not files.is_there:
        return write_plan(session, files.folder, overwrite=False)
    plan = load_plan(files.folder)
    _check_rule(plan, recipe, recipe.folder)
    _check_levels(files.folder, session)
    plan.check_pool(session.pool)
    if recipe.train.extensions and plan.num_steps < recipe.train.total_steps:
        return save_plan(_longer(plan, recipe, session.pool), session, files.folder)
    return plan


def _budget(recipe: Recipe) -> Budget:
    train = recipe.train
    extra_steps = sum(train.extensions)
    return Budget(train.num_steps, train.batch_size, recipe.seed, recipe.deal, extra_steps)


def _longer(plan: Plan, recipe: Recipe, pool: Pool) -> Plan:
    """Return the plan with the extensions of a recipe, its steps so far as they are.

    Raises:
        ScheduleError: If there is nothing left to deal, or the steps so far would change.
    """
    longer = plan_for(recipe.schedule, pool, _budget(recipe))
    if longer.num_steps < recipe.train.total_steps:
        raise ScheduleError(
            f"the plan ends after {longer.num_steps} steps: nothing is left to extend it with",
            where="deal.exhaustion",
            hint="train anew with deal.exhaustion=repeat",
        )
    if not np.array_equal(longer.rows[: len(plan.rows)], plan.rows):
        raise ScheduleError(
            "with more steps the schedule would have dealt the first ones otherwise",
            where="schedule",
            hint="train a new run with more steps",
        )
    return longer


def _check_levels(folder: Path, session: PlanningSession) -> None:
    """Refuse to follow a plan that was dealt when a task had another level."""
    now = session.manifest.tasks
    then = {**now, **tasks_in(folder)}  # a plan that a library saved has no tasks beside it
    moved = [name for name in session.pool.names["task"] if then[name].level != now[name].level]
    if moved and (folder / TASKS_FILE).is_file():
        raise ScheduleError(
            f"the plan was dealt when task {moved[0]} had level {then[moved[0]].level}, and it has "
            f"{now[moved[0]].level}",
            where=str(folder),
            hint="remove the folder, or give the run another name",
        )


def _check_rule(plan: Plan, recipe: Recipe, folder: Path) -> None:
    """Refuse to follow a plan that the recipe would not have dealt."""
    wanted = schedule_as_table(recipe.schedule), asdict(recipe.deal), recipe.seed
    if (dict(plan.schedule), dict(plan.deal), plan.seed) == wanted:
        return
    raise ScheduleError(
        "the plan was dealt by another schedule, deal or seed than the recipe's",
        where=str(RunLayout(folder).plan.folder),
        hint="remove the folder, or give the run another name",
    )
