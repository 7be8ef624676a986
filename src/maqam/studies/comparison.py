"""Methods against a baseline over paired seeds, from the hypotheses their runs left on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maqam.errors import RunError
from maqam.evaluate.hypotheses import read_hypotheses
from maqam.files import write_json
from maqam.run_layout import RunLayout, StudyLayout
from maqam.runs.folders import common_tasks, recipe_of
from maqam.score.comparison.checkpoints import compare_checkpoints
from maqam.score.comparison.methods import FORMAT_VERSION, compare_methods
from maqam.score.comparison.transfer import forgetting, negative_transfer
from maqam.score.scoring import Columns
from maqam.studies.convergence import convergence_rows
from maqam.tasks import tasks_as_table


@dataclass(frozen=True, slots=True)
class References:
    """Runs that methods are measured from, beside the baseline.

    Attributes:
        single: By task, runs trained on it alone, one of each seed.
        start: Run whose model the others began with.
    """

    single: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    start: Path | None = None


def compare_study(
    folder: Path, split: str = "test", references: References | None = None
) -> dict[str, Any]:
    """Compare the methods of a study and write comparison.json beside its runs.

    Args:
        folder: The study.
        split: Split its runs were scored on.
        references: Runs that methods are measured from, too; the model before training where the
            study scored it.
    """
    start = RunLayout(folder).start
    if references is None and start.evaluation(split).scores.is_file():
        references = References(start=start.folder)
    comparison = compare_runs(
        runs_of(folder), _baseline_of(folder), split=split, references=references
    )
    write_json(StudyLayout(folder).comparison, comparison)
    return comparison


def compare_runs(
    runs: Sequence[Path],
    baseline: str | None = None,
    *,
    split: str = "test",
    references: References | None = None,
) -> dict[str, Any]:
    """Compare finished runs; those that differ only in their seed are one method.

    Args:
        runs: Run folders named METHOD-seedN, or one study folder.
        baseline: Method the others are compared with; that of the first run when absent.
        split: Split they were scored on.
        references: Runs that methods are measured from, too.

    Raises:
        RunError: If a run is no run or was not scored, or the baseline is not among them.
    """
    if len(runs) == 1 and StudyLayout(runs[0]).is_there:
        if baseline in (None, _baseline_of(runs[0])):
            return compare_study(runs[0], split, references)
        runs = runs_of(runs[0])
    folders = _by_method(runs)
    found = _hypotheses(folders, split)
    first = baseline or next(iter(found))
    if first not in found:
        raise RunError(
            f"no run of method {first!r}", where="compare", hint=f"there are {', '.join(found)}"
        )
    settings, tasks = recipe_of(runs[0]).score, common_tasks(runs)
    comparison: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "baseline": first,
        "split": split,
        "synthetic": _is_synthetic(runs),
        "tasks": tasks_as_table(tasks),
        "rows": compare_methods(found, baseline=first, tasks=tasks, settings=settings),
        "convergence": convergence_rows(folders, first),
    }
    if references is not None and references.single:
        single = {
            task: {recipe_of(folder).seed: _read(folder, split) for folder in own}
            for task, own in references.single.items()
        }
        comparison["negative_transfer"] = negative_transfer(
            found, single, tasks=tasks, settings=settings
        )
    if references is not None and references.start is not None:
        start = _read(references.start, split)
        comparison["forgetting"] = forgetting(found, start, tasks=tasks, settings=settings)
    return comparison


def runs_of(study: Path) -> list[Path]:
    """Return the folders of all runs of a study, begun or not."""
    files = StudyLayout(study)
    facts = files.read_record()
    return [files.run(m, s).folder for m in facts["methods"] for s in facts["seeds"]]


def _baseline_of(study: Path) -> str:
    return StudyLayout(study).read_record()["baseline"]


def _by_method(runs: Sequence[Path]) -> dict[str, dict[int, Path]]:
    folders: dict[str, dict[int, Path]] = {}
    for folder in runs:
        seed = recipe_of(folder).seed
        method = folder.resolve().name.removesuffix(f"-seed{seed}")
        folders.setdefault(method, {})[seed] = folder
    return folders


def _hypotheses(
    folders: Mapping[str, Mapping[int, Path]], split: str
) -> dict[str, dict[int, Columns]]:
    return {
        method: {seed: _read(folder, split) for seed, folder in by_seed.items()}
        for method, by_seed in folders.items()
    }


def _read(folder: Path, split: str) -> Columns:
    return read_hypotheses(RunLayout(folder).evaluation(split).folder)


def _is_synthetic(runs: Sequence[Path]) -> bool:
    return any(bool(RunLayout(folder).read_record().get("synthetic")) for folder in runs)


def compare_run_checkpoints(
    runs: Sequence[Path], baseline: str | None = None, *, split: str = "test"
) -> dict[str, Any]:
    """Compare the models of finished runs by the test items alone, whatever their seeds.

    Args:
        runs: Run folders; each is a checkpoint of its own.
        baseline: Name of the folder the others are compared with; the first when absent.
        split: Split they were scored on.

    Raises:
        RunError: If a run was not scored, two folders have one name, there is one run only, or
            the baseline is not among them.
    """
    names = [folder.resolve().name for folder in runs]
    if len(set(names)) < max(2, len(names)):
        raise RunError(
            "checkpoints are compared by the names of their folders: two or more, all different",
            where="compare",
            hint=f"given were {', '.join(names)}",
        )
    first = baseline or names[0]
    if first not in names:
        raise RunError(
            f"no run named {first!r}", where="compare", hint=f"there are {', '.join(names)}"
        )
    recipe, tasks = recipe_of(runs[0]), common_tasks(runs)
    found = {name: _read(folder, split) for name, folder in zip(names, runs, strict=True)}
    return {
        "format_version": FORMAT_VERSION,
        "claim": "of these checkpoints, not of their methods",
        "baseline": first,
        "split": split,
        "synthetic": _is_synthetic(runs),
        "tasks": tasks_as_table(tasks),
        "rows": compare_checkpoints(found, baseline=first, tasks=tasks, settings=recipe.score),
    }
