"""Diagnosing finished runs: each from what it left, then all of them against the seed null."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maqam.diagnose.checkpoints import measure_models, stored_steps
from maqam.diagnose.episodes import episodes, task_cosines
from maqam.diagnose.measure import ConflictMeasure
from maqam.diagnose.null import seed_null
from maqam.diagnose.record import read_conflicts, with_measures
from maqam.diagnose.rows import choose_rows
from maqam.diagnose.signatures import memorised_labels, signatures
from maqam.diagnose.volatility import noise_scales, volatility
from maqam.errors import RunError
from maqam.files import write_json, write_records
from maqam.models.adapters import load_adapter
from maqam.models.audio_states import encoded_states
from maqam.models.freezing import train_only
from maqam.progress import Bars
from maqam.run_layout import RunLayout, StudyLayout, method_and_seed
from maqam.runs.folders import recipe_from_here
from maqam.runs.planning import Say
from maqam.runs.session import Session
from maqam.runs.stages import diagnosed_rows
from maqam.schedule import load_plan
from maqam.schedule.plan import rows_checksum
from maqam.studies.comparison import References, compare_runs
from maqam.tasks import tasks_in
from maqam.train.objective import TrainingModel

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Diagnosing:
    """What is asked of a diagnosis.

    Attributes:
        record_only: Whether to read records alone and load no model.
        output: Folder that gets a folder a run; the run's own folder when None.
        references: Runs that transfer and forgetting are measured from.
        split: Split the runs were scored on.
        rows_from: Split of the fixed rows; that of each recipe when None.
    """

    record_only: bool = False
    output: Path | None = None
    references: References = field(default_factory=References)
    split: str = "test"
    rows_from: str | None = None


def diagnose_runs(runs: Sequence[Path], asked: Diagnosing, bars: Bars, say: Say) -> dict[str, Any]:
    """Diagnose runs, write what is found of each, and compare schedules with seeds.

    Args:
        runs: Run folders, or one study folder.
        asked: What is asked.
        bars: Opens a progress bar for a stage.
        say: Takes what the user should know.

    Returns:
        The diagnosis of each run by name, and the seed null.

    Raises:
        RunError: If a folder holds no run, or a file of it is damaged.
        ModelError: If the model or an adapter of it does not load.
    """
    folders = _folders(runs)
    moved = _losses_of(folders, asked)
    found = {}
    session: Session | None = None
    for folder in folders:
        if not asked.record_only:
            recipe = recipe_from_here(folder)
            session = Session(recipe, bars, say) if session is None else session.of(recipe)
        own = _diagnose(folder, asked, session, moved)
        place = folder if asked.output is None else asked.output / folder.resolve().name
        write_json(RunLayout(place).diagnosis, own, "the diagnosis")
        found[own["run"]] = own
    null = seed_null(_measures(list(found.values())))
    return {"format_version": FORMAT_VERSION, "runs": found, "seed_null": null}


def _folders(runs: Sequence[Path]) -> list[Path]:
    if len(runs) == 1 and StudyLayout(runs[0]).is_there:
        files = StudyLayout(runs[0])
        facts = files.read_record()
        planned = [files.run(m, s) for m in facts["methods"] for s in facts["seeds"]]
        return [one.folder for one in planned if one.record.is_file()]
    names = [one.resolve().name for one in runs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RunError(
            f"two folders are named {twice[0]!r}", where="diagnose", hint="give each run once"
        )
    return list(runs)


def _losses_of(folders: Sequence[Path], asked: Diagnosing) -> dict[str, list[dict[str, Any]]]:
    """Return what methods lost against references, by kind of loss."""
    given = asked.references
    if not given.single and given.start is None:
        return {}
    found = compare_runs(folders, split=asked.split, references=given)
    return {
        "transfer": found.get("negative_transfer", []),
        "forgetting": found.get("forgetting", []),
    }


def _diagnose(
    folder: Path,
    asked: Diagnosing,
    session: Session | None,
    moved: Mapping[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    files = RunLayout(folder)
    facts = files.read_record()
    name = folder.resolve().name
    method, seed = method_and_seed(facts.get("name", name))
    records = list(files.read_steps())
    plan = load_plan(files.plan.folder) if files.plan.is_there else None
    notes = []
    if facts.get("state") != "finished":
        notes.append(f"the run is not finished: {len(records):,} steps are read")
    measures = read_conflicts(files.conflicts)
    extra: dict[str, Any] = {}
    if session is not None:
        measures, extra = _with_model(files, asked, session, measures, notes)
        place = folder if asked.output is None else asked.output / name
        write_records(RunLayout(place).conflicts, measures)
    diagnosis: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "run": facts.get("name", name),
        "method": method,
        "seed": facts.get("seed", seed or 0),
        "schedule": facts.get("schedule"),
        "notes": notes,
        "volatility": volatility(records, sorted(plan.switches) if plan else []),
        "noise_scales": noise_scales(measures),
        "losses": [{"step": one["step"], "losses": one["losses"]} for one in measures],
        "cosines": task_cosines(measures[-1]) if measures else {},
        "episodes": episodes(measures),
        **{kind: [row for row in rows if row["method"] == method] for kind, rows in moved.items()},
        **extra,
    }
    texts = [task.name for task in tasks_in(folder).values() if not task.labels]
    return {**diagnosis, "signatures": signatures(diagnosis, texts)}


def _with_model(
    files: RunLayout,
    asked: Diagnosing,
    session: Session,
    measures: list[dict[str, Any]],
    notes: list[str],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Measure the adapter and the checkpoints of a run; say in the notes what is not measured."""
    recipe = session.recipe
    if recipe.train.phase != "tune":
        notes.append("conflict is measured of adapters that phase tune trained: not here")
        return measures, {}
    if not files.adapter.is_dir():
        notes.append("the run has no adapter yet: conflict is what was measured while it trained")
        return measures, {}
    fixed = diagnosed_rows(session, asked.rows_from)
    trained = choose_rows(session.manifest, session.train_rows, recipe.diagnose.rows, seed=0)
    checksum = rows_checksum(fixed.rows)
    kept = [one for one in measures if one["rows_checksum"] == checksum]
    if len(kept) < len(measures):
        notes.append(
            f"{len(measures) - len(kept)} measures of other rows than diagnose.rows and "
            "diagnose.split give are left out"
        )
    manifest = session.manifest
    rows = np.unique(np.concatenate([fixed.rows, trained.rows]))
    kept_states = session.audio_states(rows)
    backbone = session.backbone  # which takes adapters off whenever it is asked for
    load_adapter(backbone, files.adapter)
    train_only(backbone, recipe.train.trainable_parts)
    learner = TrainingModel(backbone)
    stored = kept_states or encoded_states(backbone, manifest)
    measure = ConflictMeasure(backbone, learner, manifest, fixed, (stored, None))
    own = ConflictMeasure(backbone, learner, manifest, trained, (stored, None))
    labels = own.losses()["label"]
    num_steps = sum(1 for _ in files.read_steps())
    known = [one["step"] for one in kept]
    total = len({*stored_steps(files), num_steps} - set(known))
    new = []
    with session.hearing(rows), session.bars(f"conflict of {recipe.name}") as progress:
        for one in measure_models(files, learner, measure, num_steps, known):
            new.append(one)
            progress(len(new), total)
    lines = with_measures(kept, new)
    extra = {"memorised": memorised_labels(labels, lines[-1]["losses"]["label"], _shares(session))}
    return lines, extra


def _shares(session: Session) -> dict[str, float]:
    """Return the share of each label of its task's training rows, by "task: label"."""
    rows = session.train_rows
    tasks = session.manifest.column("task")[rows]
    labels = session.manifest.column("label")[rows]
    found = {}
    for task in np.unique(tasks).tolist():
        own = labels[tasks == task]
        for label in {one for one in own.tolist() if one is not None}:
            found[f"{task}: {label}"] = float(np.mean(own == label))
    return found


def _measures(found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Return the numbers that are held against the seed null, by measure and method."""
    values: dict[str, dict[str, list[float]]] = {}

    def add(measure: str, method: str, number: float | None) -> None:
        if number is not None:
            values.setdefault(measure, {}).setdefault(method, []).append(float(number))

    for one in found:
        method = one["method"]
        add("spikes", method, len(one["volatility"]["spikes"]))
        for series, summary in one["volatility"]["series"].items():
            add(f"roughness of the {series}", method, summary["roughness"])
        for pair, cosine in one["cosines"].items():
            add(f"last cosine of {pair}", method, cosine)
        for line in one["losses"][-1:]:
            for task, loss in line["losses"]["task"].items():
                add(f"last loss of {task} on fixed rows", method, loss)
    return values
