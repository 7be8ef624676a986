"""Methods against a baseline over paired seeds, from the hypotheses their runs left on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maqam.errors import RunError
from maqam.evaluate.hypotheses import read_hypotheses
from maqam.score.compare import FORMAT_VERSION, compare_methods
from maqam.score.comparison.checkpoints import compare_checkpoints
from maqam.score.scoring import Columns
from maqam.studies.files import read_json, write_json
from maqam.studies.folders import recipe_of


def compare_study(folder: Path, split: str = "test") -> dict[str, Any]:
    """Compare the methods of a study and write comparison.json beside its runs.

    Args:
        folder: The study.
        split: Split its runs were scored on.
    """
    study = read_json(folder / "study.json")
    runs = [folder / "runs" / f"{m}-seed{s}" for m in study["methods"] for s in study["seeds"]]
    comparison = compare_runs(runs, study["baseline"], split=split)
    write_json(folder / "comparison.json", comparison)
    return comparison


def compare_runs(
    runs: Sequence[Path], baseline: str | None = None, *, split: str = "test"
) -> dict[str, Any]:
    """Compare finished runs; those that differ only in their seed are one method.

    Args:
        runs: Run folders named METHOD-seedN, or one study folder.
        baseline: Method the others are compared with; that of the first run when absent.
        split: Split they were scored on.

    Raises:
        RunError: If a run is no run or was not scored, or the baseline is not among them.
    """
    if len(runs) == 1 and (runs[0] / "study.json").is_file():
        return compare_study(runs[0], split)
    found: dict[str, dict[int, Columns]] = {}
    synthetic = False
    settings = recipe_of(runs[0]).score
    for folder in runs:
        seed = recipe_of(folder).seed
        method = folder.resolve().name.removesuffix(f"-seed{seed}")
        found.setdefault(method, {})[seed] = read_hypotheses(folder / "eval" / split)
        synthetic |= bool(read_json(folder / "run.json").get("synthetic"))
    first = baseline or next(iter(found))
    if first not in found:
        raise RunError(
            f"no run of method {first!r}", where="compare", hint=f"there are {', '.join(found)}"
        )
    rows = compare_methods(found, baseline=first, settings=settings)
    return {
        "format_version": FORMAT_VERSION,
        "baseline": first,
        "split": split,
        "synthetic": synthetic,
        "rows": rows,
    }


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
    recipe = recipe_of(runs[0])
    found = {
        name: read_hypotheses(folder / "eval" / split)
        for name, folder in zip(names, runs, strict=True)
    }
    return {
        "format_version": FORMAT_VERSION,
        "claim": "of these checkpoints, not of their methods",
        "baseline": first,
        "split": split,
        "synthetic": any(bool(read_json(one / "run.json").get("synthetic")) for one in runs),
        "rows": compare_checkpoints(found, baseline=first, settings=recipe.score),
    }
