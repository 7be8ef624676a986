"""Methods against a baseline over paired seeds, from the hypotheses their runs left on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maqam.errors import RunError
from maqam.evaluate.hypotheses import read_hypotheses
from maqam.score.compare import FORMAT_VERSION, compare_methods
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
