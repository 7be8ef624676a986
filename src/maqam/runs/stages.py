"""The stages of one run: training by its plan, evaluation.

Each stage leaves its result on disk under a fingerprint, and finds it there the next time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maqam.data.manifest import Manifest
from maqam.diagnose.rows import FixedRows, choose_rows
from maqam.diagnose.watch import ConflictWatch
from maqam.errors import RunError, ScheduleError
from maqam.evaluate.invariance import BatchCheck, check_batches
from maqam.evaluate.run import Evaluation, evaluate_rows
from maqam.files import write_text
from maqam.models.audio_states import encoded_states
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.recipe import Recipe, dump_yaml
from maqam.run_layout import RunLayout
from maqam.runs.extending import continued, extended, set_scores_apart
from maqam.runs.folders import keep_tasks, recipe_of
from maqam.runs.plans import check_beginning, followed_plan, save_plan
from maqam.runs.processes import Processes
from maqam.runs.session import Session
from maqam.schedule import DealSettings, Plan
from maqam.schedule.adaptive.protocol import is_adaptive
from maqam.schedule.adaptive_plan import AdaptivePlan
from maqam.schedule.compiler import Budget, check_rows
from maqam.seeding import generator
from maqam.tasks import tasks_in
from maqam.train.adaptive.controller import AdaptiveTraining
from maqam.train.adaptive.probes import choose_probes
from maqam.train.observers.observer import Observer
from maqam.train.phases import Phase, PhaseResult, run_phase


def train(
    session: Session,
    *,
    resume: bool = False,
    extend: int | None = None,
    observers: Sequence[Observer] = (),
) -> PhaseResult:
    """Train one run by its plan.

    Of several processes the first prepares what takes no model, and all compute the features.

    Args:
        session: The run's data and model. After adapters were trained its backbone is as before;
            one whose own weights were trained is let go.
        resume: Whether to go on from the last whole checkpoint, if there is one.
        extend: Steps to add to the finished run.
        observers: What else watches the training.

    Raises:
        RunError: If there is no finished run to extend, the folder holds a run and `resume` is
            off, or it was another recipe's.
        ScheduleError: If the run's plan was dealt from another pool.
    """
    if extend is not None:
        session = session.of(extended(session.recipe, extend))
    elif resume:
        session = session.of(continued(session.recipe))
    recipe, processes = session.recipe, Processes()
    check_beginning(recipe)
    folder, own = recipe.folder, RunLayout(recipe.folder)
    with processes.first_goes_ahead():
        manifest = session.manifest
    session.fill_features()
    with processes.first_goes_ahead():
        adaptive = _adaptive_plan(session)
        plan = adaptive.plan if adaptive else followed_plan(session)
    if isinstance(plan, Plan):
        check_rows(plan, session.pool, processes.count)
    say_unscored(session)
    probed = [*adaptive.probe_rows.values()] if adaptive else []
    watches = []
    if recipe.diagnose.every:
        fixed = diagnosed_rows(session)
        probed.append(fixed.rows)
        every = recipe.diagnose.every
        watches.append(ConflictWatch(manifest, fixed, every, folder, recipe.seed))
    heard = np.concatenate([session.train_rows, *probed])
    audio_states = session.audio_states(heard)
    if processes.is_first:
        keep_tasks(manifest.tasks, folder)
        write_text(own.recipe, dump_yaml(recipe))
    settings = recipe.train
    if extend is not None and processes.is_first:
        set_scores_apart(recipe)
    if recipe.deal.exhaustion != "repeat":  # the plan may end where the pool ran out
        settings = replace(settings, num_steps=min(plan.num_steps, settings.num_steps))
    phase = Phase(
        manifest,
        plan,
        settings,
        recipe.objective,
        recipe.seed,
        audio_states=audio_states,
        adaptive=adaptive,
        prepared=session.tokenised(plan.rows),
        weights=session.weights_fingerprint,
        notes=tuple(session.left_out_note()),
    )
    try:
        with session.hearing(heard), session.bars(f"train {recipe.name}") as progress:
            goes_on = resume or extend is not None
            result = run_phase(
                session.backbone,
                phase,
                folder,
                resume=goes_on,
                progress=progress,
                observers=[*watches, *observers],
            )
    finally:
        if settings.writes_weights:
            session.forget_backbone()
    if adaptive and processes.is_first:
        save_plan(adaptive.plan.finished(), session, own.plan.folder)
    return result


def diagnosed_rows(session: Session, split: str | None = None) -> FixedRows:
    """Deal the fixed rows whose gradients a recipe's run compares.

    Runs of one manifest have the same, whatever their seeds.

    Args:
        session: The run's data.
        split: Split in place of the recipe's.

    Raises:
        RunError: If the split has no two rows of a task that the model takes.
    """
    settings, manifest = session.recipe.diagnose, session.manifest
    rows = session.fitting(manifest.select(split=split or settings.split))
    return choose_rows(manifest, rows, settings.rows, seed=0)


def evaluate(
    session: Session, folder: Path, *, split: str = "test", tasks: Sequence[str] = ()
) -> dict[str, Any]:
    """Decode and score a split with a finished run.

    Args:
        session: Data and model of the run's recipe.
        folder: The run.
        split: Split of the manifest.
        tasks: Tasks that are scored; all when empty.

    Returns:
        What scores.json holds.

    Raises:
        RunError: If the run is not finished, the split has no utterance, or none of a task.
        ModelError: If the run has adapters by task, and none for a task of the split.
    """
    run = _finished(session, folder)
    rows = _asked(session, run.manifest, run.manifest.select(split=split), tasks)
    return _score(run, rows, RunLayout(folder), split, keeps_others=bool(tasks))


def evaluate_start(session: Session, files: RunLayout, *, split: str = "test") -> dict[str, Any]:
    """Decode and score a split with the model of a recipe as it is before training.

    Answers to the same data by the same model and rules are kept.

    Args:
        session: Data and model of a recipe.
        files: Where the answers go.
        split: Split of the manifest.

    Returns:
        What scores.json holds.

    Raises:
        RunError: If the split has no utterance.
    """
    recipe, scored = session.recipe, files.evaluation(split)
    asked = recipe.model_dump(mode="json", include={"model", "data", "score"})
    asked["manifest"] = session.manifest.fingerprint
    known = dict(files.read_record().get("identity", {})) if files.record.is_file() else {}
    if scored.scores.is_file() and known.get(split) == asked:
        return scored.read_scores()
    scored.scores.unlink(missing_ok=True)
    run = _Run(session, session.manifest, session.backbone)
    found = _score(run, run.manifest.select(split=split), files, split)
    is_synthetic = session.manifest.is_synthetic
    known[split] = asked
    files.add_to_record({"name": files.folder.name, "identity": known, "synthetic": is_synthetic})
    return found


def _score(
    run: "_Run",
    split_rows: np.ndarray,
    files: RunLayout,
    split: str,
    *,
    keeps_others: bool = False,
) -> dict[str, Any]:
    session = run.session
    rows = session.fitting(split_rows)
    session.write_left_out(split_rows, files.evaluation(split).folder)
    if len(rows):
        say_unscored(session, split, rows)
    recipe, left_out = session.recipe, session.left_out(split_rows)
    states = run.audio_states(rows)
    with session.hearing(rows), session.bars(f"score {recipe.name}") as progress:
        return evaluate_rows(
            run.backbone,
            run.manifest,
            rows,
            files.evaluation(split).folder,
            Evaluation(recipe.score, states, recipe.seed, left_out, keeps_others),
            progress=progress,
        )


def _asked(
    session: Session, manifest: Manifest, rows: np.ndarray, tasks: Sequence[str]
) -> np.ndarray:
    """Return the rows of the tasks that are to be scored, and say how many others there are."""
    if not tasks:
        return rows
    own = manifest.column("task")[rows]
    absent = sorted({*tasks} - {*own.tolist()})
    if absent:
        raise RunError(
            f"the split has no row of task {', '.join(absent)}",
            where="--task",
            hint=f"its tasks are {', '.join(sorted({*own.tolist()}))}",
        )
    is_asked = np.isin(own, list(tasks))
    if not is_asked.all():
        session.say_once(
            f"{int((~is_asked).sum())} of {len(rows)} utterances are not scored: they are of "
            f"task {', '.join(sorted({*own[~is_asked].tolist()}))}, which was not asked for"
        )
    kept: np.ndarray = rows[is_asked]
    return kept


def say_unscored(session: Session, split: str = "test", rows: np.ndarray | None = None) -> None:
    """Tell once which tasks that are trained on a split has no row of, and what holds rows out.

    Args:
        session: Data of the recipe.
        split: Split that is to be scored.
        rows: Its rows that are scored; all of them when absent.
    """
    tasks = session.manifest.column("task")
    scored = session.manifest.select(split=split) if rows is None else rows
    absent = sorted(set(tasks[session.train_rows].tolist()) - set(tasks[scored].tolist()))
    if absent:
        verb = "is" if rows is None else "was"
        session.say_once(
            f"split {split!r} has no row of {', '.join(absent)}, which the run {verb} trained on: "
            "nothing to score there; maqam data split holds rows out"
        )


def check_run_batches(
    session: Session, folder: Path, *, split: str = "test", num_utterances: int = 32
) -> BatchCheck:
    """Decode a sample of a split at batch size 1 and at the recipe's, with a finished run.

    Args:
        session: Data and model of the run's recipe.
        folder: The run.
        split: Split of the manifest.
        num_utterances: Utterances of the sample, spread over the tasks as the split is.

    Raises:
        RunError: If the run is not finished, or the split has no utterance.
    """
    run, recipe = _finished(session, folder), session.recipe
    rows = session.fitting(run.manifest.select(split=split))
    if not len(rows):
        raise RunError(
            f"no utterance of split {split!r}",
            where=str(folder),
            hint="check the name of the split",
        )
    drawn = np.sort(generator(recipe.seed, "batch check").permutation(rows)[:num_utterances])
    with session.bars("decode one by one and side by side") as progress:
        return check_batches(
            run.backbone,
            run.manifest,
            drawn,
            settings=recipe.score,
            audio_states=run.audio_states(drawn),
            progress=progress,
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """A finished run, ready to answer.

    Attributes:
        session: Data of the run.
        manifest: With the tasks the run was trained on.
        backbone: The model, with the run's adapter where it has one.
    """

    session: Session
    manifest: Manifest
    backbone: AudioLLM

    def audio_states(self, rows: np.ndarray) -> AudioStates:
        """Return the aligner outputs of rows: stored ones, or those of the encoder on the spot."""
        is_trained = self.session.recipe.train.writes_weights  # no second backbone beside it
        stored = self.session.audio_states(rows) if len(rows) and not is_trained else None
        return stored or encoded_states(self.backbone, self.manifest)


def _finished(session: Session, folder: Path) -> _Run:
    own = RunLayout(folder)
    if own.read_record().get("state") != "finished":
        raise RunError(
            "the run is not finished", where=str(folder), hint="maqam train RECIPE --resume"
        )
    known = session.manifest
    manifest = Manifest(known.path, known.table, tasks_in(folder), known.language)
    return _Run(session, manifest, session.trained(own))


def is_scored(recipe: Recipe, split: str = "test") -> bool:
    """Tell whether a run of this very recipe is finished and scored.

    Raises:
        RunError: If the folder holds a run of another recipe.
    """
    files = RunLayout(recipe.folder)
    if not files.recipe.is_file():
        return False
    if recipe_of(recipe.folder) != recipe:
        raise RunError(
            "the folder holds a run of another recipe",
            where=str(recipe.folder),
            hint="remove it, or write the study elsewhere",
        )
    return files.evaluation(split).scores.is_file()


def _adaptive_plan(session: Session) -> AdaptiveTraining | None:
    """Begin the plan of a schedule that decides while the run trains; None for any other.

    Raises:
        ScheduleError: If the recipe deals in a way that cannot grow, or there is nothing to
            probe the model on.
    """
    recipe = session.recipe
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
    plan = AdaptivePlan(schedule, session.pool, Budget(steps, batch_size, recipe.seed))
    probes: dict[str, np.ndarray] = {}
    if schedule.needs:
        tasks = session.pool.names["task"]
        probes = choose_probes(session.manifest, schedule.probe_split, tasks, schedule.probe_size)
        fitting = {task: session.fitting(rows) for task, rows in probes.items()}
        probes = {task: rows for task, rows in fitting.items() if len(rows)}
        absent = [task for task in tasks if task not in probes]
        if absent:
            raise ScheduleError(
                f"split {schedule.probe_split!r} has no row of task {', '.join(absent)} to probe",
                where="schedule.probe_split",
                hint="name a split that has every task and is not trained on",
            )
    return AdaptiveTraining(schedule, plan, probes)
