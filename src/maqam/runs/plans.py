"""The plan of a recipe: compiled and written, followed, verified."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from maqam.data.manifest import Manifest
from maqam.errors import RunError, ScheduleError
from maqam.files import read_records, write_text, writing
from maqam.models.checkpoint import load_dialogue
from maqam.progress import Bars
from maqam.recipe import Recipe, dump_yaml, load_recipe
from maqam.run_layout import PlanLayout, RunLayout
from maqam.runs.folders import keep_tasks, recipe_of_plan
from maqam.runs.preparation import Prepared, open_manifest, prepare
from maqam.schedule import DealSettings, Plan, Pool, load_plan, schedule_as_table
from maqam.schedule.adaptive.protocol import is_adaptive
from maqam.schedule.adaptive_plan import GrowingPlan
from maqam.schedule.compiler import Budget, plan_for
from maqam.schedule.verification import PlanFinding, verify_log, verify_plan
from maqam.train.adaptive.controller import AdaptivePlan
from maqam.train.adaptive.probes import choose_probes
from maqam.train.rows import prepare_rows

_SAMPLED = 200  # rows of a task that its mean target tokens are taken from


def write_plan(recipe: Recipe, prepared: Prepared, folder: Path, *, overwrite: bool) -> Plan:
    """Compile the recipe's schedule and write the plan.

    Raises:
        RunError: If the folder holds a plan and `overwrite` is off, a run follows that plan, or it
            cannot be written.
    """
    files = PlanLayout(folder)
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
    plan = plan_for(recipe.schedule, prepared.pool, _budget(recipe))
    return save_plan(plan, recipe, prepared, folder)


def save_plan(plan: Plan, recipe: Recipe, prepared: Prepared, folder: Path) -> Plan:
    """Write a plan with the mean target tokens of its tasks, its recipe beside it."""
    known = replace(plan, target_tokens=_target_tokens(recipe, prepared))
    with writing(folder):
        known.save(folder)
    write_text(PlanLayout(folder).recipe, dump_yaml(recipe))
    keep_tasks(prepared.manifest.tasks, folder)
    return known


def open_plan(folder: Path, bars: Bars, *, recipe: Path | None = None) -> tuple[Plan, Manifest]:
    """Read a plan and the manifest whose rows it names.

    Args:
        folder: Folder of a plan, or of a run.
        bars: Opens a progress bar for a stage.
        recipe: Recipe it was compiled from; that beside the plan when None.

    Raises:
        RunError: If there is no recipe.
    """
    place = PlanLayout.of(folder).folder
    plan = load_plan(place)
    made = load_recipe(recipe) if recipe is not None else recipe_of_plan(place)
    return plan, open_manifest(made, bars)


def verify(
    folder: Path, bars: Bars, *, recipe: Path | None = None, log: Path | None = None
) -> tuple[list[str], list[PlanFinding]]:
    """Hold a plan against its data, its schedule and a training.

    Args:
        folder: Folder of a plan, or of a run.
        bars: Opens a progress bar for a stage.
        recipe: Recipe it was compiled from; that beside the plan when None.
        log: Record of a training; the run's own when None, if there is one.

    Returns:
        What was checked, and what does not hold.

    Raises:
        RunError: If there is no recipe, or no record where one is named.
    """
    place = PlanLayout.of(folder).folder
    plan = load_plan(place)
    made = load_recipe(recipe) if recipe is not None else recipe_of_plan(place)
    prepared = prepare(made, bars)
    checked = ["rows, batches, epochs and schedule"]
    findings = verify_plan(
        plan,
        prepared.pool,
        steps=made.train.num_steps,
        extra_steps=made.train.total_steps - made.train.num_steps,
    )
    record = log or RunLayout(folder).steps
    if log is not None or record.is_file():
        checked.append(f"the steps of {record.name}")
        findings += verify_log(plan, read_records(record))
    return checked, findings


def _target_tokens(recipe: Recipe, prepared: Prepared) -> dict[str, float]:
    """Return the mean target tokens of each task, from at most 200 of its rows."""
    pool = prepared.pool
    sample = [
        pool.rows[np.flatnonzero(pool.columns["task"] == code)[:_SAMPLED]]
        for code in range(len(pool.names["task"]))
    ]
    found = prepare_rows(load_dialogue(recipe.model), prepared.manifest, np.concatenate(sample))
    return {
        task: float(found.num_target_tokens[found.positions(rows)].mean())
        for task, rows in zip(pool.names["task"], sample, strict=True)
    }


def followed_plan(recipe: Recipe, prepared: Prepared) -> Plan:
    """Read the plan of a run's folder, or compile it where there is none."""
    files = RunLayout(recipe.folder).plan
    if not files.is_there:
        return write_plan(recipe, prepared, files.folder, overwrite=False)
    plan = load_plan(files.folder)
    plan.check_pool(prepared.pool)
    _check_rule(plan, recipe, recipe.folder)
    if recipe.train.extensions and plan.num_steps < recipe.train.total_steps:
        return save_plan(_longer(plan, recipe, prepared.pool), recipe, prepared, files.folder)
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


def adaptive_plan(recipe: Recipe, prepared: Prepared) -> AdaptivePlan | None:
    """Begin the plan of a schedule that decides while the run trains; None for any other.

    Raises:
        ScheduleError: If the recipe deals in a way that cannot grow, or there is nothing to
            probe the model on.
    """
    schedule = recipe.schedule
    if not is_adaptive(schedule):
        return None
    if recipe.train.extensions:
        raise ScheduleError(
            "a schedule that decides while the run trains decides for the steps it was begun with",
            where="train.extensions",
            hint="train a new run with more steps, or from its adapter: train.adapter_from",
        )
    if recipe.deal != DealSettings():
        raise ScheduleError(
            "a schedule that decides while the run trains deals rows and repeats groups",
            where="deal",
            hint="leave deal out",
        )
    steps, batch_size = recipe.train.num_steps, recipe.train.batch_size
    plan = GrowingPlan(schedule, prepared.pool, Budget(steps, batch_size, recipe.seed))
    probes: dict[str, np.ndarray] = {}
    if schedule.needs:
        tasks = prepared.pool.names["task"]
        probes = choose_probes(prepared.manifest, schedule.probe_split, tasks, schedule.probe_size)
        absent = [task for task in tasks if task not in probes]
        if absent:
            raise ScheduleError(
                f"split {schedule.probe_split!r} has no row of task {', '.join(absent)} to probe",
                where="schedule.probe_split",
                hint="name a split that has every task and is not trained on",
            )
    return AdaptivePlan(schedule, plan, probes)


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
