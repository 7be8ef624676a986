"""Running a study: what is finished is kept, what is missing is made, then all is compared."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maqam.files import write_json
from maqam.progress import Bars
from maqam.report.overlap import OVERLAP_FILE
from maqam.report.page import write_report
from maqam.runs import preparation, stages
from maqam.studies.comparison import compare_study
from maqam.studies.grid import Study
from maqam.studies.overlap import check_overlap

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a study left behind.

    Attributes:
        comparison: Methods against the baseline, as in comparison.json.
        report: The HTML page.
    """

    comparison: dict[str, Any]
    report: Path


def run_study(study: Study, bars: Bars, say: Callable[[str], None]) -> Outcome:
    """Train and score every run of a study, compare them and write the report.

    Args:
        study: What to run; a run whose folder holds the same recipe and scores is kept.
        bars: Opens a progress bar for a stage.
        say: Takes one line on what happens next and how long it may take.
    """
    folder = Path(study.output)
    recipes = study.recipes()
    first = recipes[0][1]
    prepared = preparation.prepare(first, bars)
    write_json(
        folder / "study.json",
        {
            "format_version": FORMAT_VERSION,
            "name": study.name,
            "baseline": study.baseline,
            "seeds": list(study.seeds),
            "methods": list(study.methods),
            "synthetic": prepared.manifest.is_synthetic,
        },
    )
    if study.check_overlap and all(one.data == first.data for _, one in recipes):
        splits = first.data.train_split, "test"
        check_overlap(prepared.manifest, splits, folder / OVERLAP_FILE, bars, say)
    else:
        (folder / OVERLAP_FILE).unlink(missing_ok=True)
    elapsed: list[float] = []
    for index, (_, recipe) in enumerate(recipes):
        if stages.is_scored(recipe):
            say(f"[{index + 1}/{len(recipes)}] {recipe.name}: finished before, kept")
            continue
        left = _minutes_left(elapsed, len(recipes) - index)
        say(f"[{index + 1}/{len(recipes)}] {recipe.name}{left}")
        began = time.monotonic()
        own = preparation.prepare(recipe, bars)
        stages.train(recipe, own, bars, resume=True)
        stages.evaluate(recipe.folder, bars, prepared=own)
        elapsed.append(time.monotonic() - began)
    comparison = compare_study(folder)
    return Outcome(comparison, write_report([folder], folder / "report.html"))


def _minutes_left(elapsed: list[float], num_left: int) -> str:
    if not elapsed:
        return ""
    minutes = sum(elapsed) / len(elapsed) * num_left / 60
    return f" (about {max(1, round(minutes))} min left)"
