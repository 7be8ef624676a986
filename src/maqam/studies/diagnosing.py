"""Diagnosing finished runs: each from what it left, then all of them against the seed null."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maqam.diagnose.episodes import episodes, task_cosines
from maqam.diagnose.null import seed_null, values_of
from maqam.diagnose.record import read_conflicts
from maqam.diagnose.signatures import signatures
from maqam.diagnose.volatility import noise_scales, volatility
from maqam.errors import RunError
from maqam.files import write_json, write_records
from maqam.progress import Bars
from maqam.run_layout import RunLayout, StudyLayout, method_and_seed
from maqam.runs.folders import recipe_from_here
from maqam.runs.planning import Say
from maqam.runs.session import Session
from maqam.schedule import load_plan
from maqam.studies.comparison import References, compare_runs, runs_of
from maqam.studies.measuring import Measuring, measured
from maqam.tasks import tasks_in

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Diagnosing:
    """What is asked of a diagnosis.

    Attributes:
        record_only: Whether to read records alone and load no model.
        output: Folder that gets a folder a run; the run's own folder when None.
        references: Runs that transfer and forgetting are measured from.
        split: Split the runs were scored on.
        measuring: What is measured of the model.
    """

    record_only: bool = False
    output: Path | None = None
    references: References = field(default_factory=References)
    split: str = "test"
    measuring: Measuring = field(default_factory=Measuring)


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
    null = seed_null(values_of(list(found.values())))
    return {"format_version": FORMAT_VERSION, "runs": found, "seed_null": null}


def _folders(runs: Sequence[Path]) -> list[Path]:
    if len(runs) == 1 and StudyLayout(runs[0]).is_there:
        return [one for one in runs_of(runs[0]) if RunLayout(one).record.is_file()]
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
        measures, extra = measured(files, asked.measuring, session, measures, notes)
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
