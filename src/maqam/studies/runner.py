"""Running a study: what is finished is kept, what is missing is made, then all is compared."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maqam.evaluate.run import check_rows
from maqam.progress import Bars
from maqam.recipe import Recipe
from maqam.report.page import write_report
from maqam.run_layout import RunLayout, StudyLayout
from maqam.runs import stages
from maqam.runs.session import Session
from maqam.studies.comparison import compare_study
from maqam.studies.grid import Study
from maqam.studies.overlap import check_overlap


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

    Raises:
        RunError: If a run would have nothing to score; nothing is trained then.
    """
    files = StudyLayout(Path(study.output))
    recipes = study.recipes()
    first = recipes[0][1]
    session = Session(first, bars, say)
    files.write_record(
        {
            "name": study.name,
            "baseline": study.baseline,
            "seeds": list(study.seeds),
            "methods": list(study.methods),
            "synthetic": session.manifest.is_synthetic,
        },
    )
    for _, recipe in recipes:
        if not stages.is_scored(recipe):
            manifest = session.of(recipe).manifest
            check_rows(manifest, manifest.select(split="test"))
    if study.check_overlap and all(one.data == first.data for _, one in recipes):
        splits = first.data.train_split, "test"
        check_overlap(session.manifest, splits, files.overlap, bars, say)
    else:
        files.overlap.unlink(missing_ok=True)
    if study.before_training and all(_is_scored_alike(one, first) for _, one in recipes):
        say("scoring the model before training")
        stages.evaluate_start(session, RunLayout(files.folder).start)
    elapsed: list[float] = []
    for index, (_, recipe) in enumerate(recipes):
        if stages.is_scored(recipe):
            say(f"[{index + 1}/{len(recipes)}] {recipe.name}: finished before, kept")
            continue
        left = _minutes_left(elapsed, len(recipes) - index)
        say(f"[{index + 1}/{len(recipes)}] {recipe.name}{left}")
        began = time.monotonic()
        own = session.of(recipe)
        stages.train(own, resume=True)
        stages.evaluate(own, recipe.folder)
        elapsed.append(time.monotonic() - began)
    comparison = compare_study(files.folder)
    return Outcome(comparison, write_report([files.folder], files.report))


def _is_scored_alike(recipe: Recipe, other: Recipe) -> bool:
    """Tell whether runs begin with one model and answer the same questions."""
    names = ("model", "data", "score")
    return all(getattr(recipe, name) == getattr(other, name) for name in names)


def _minutes_left(elapsed: list[float], num_left: int) -> str:
    if not elapsed:
        return ""
    minutes = sum(elapsed) / len(elapsed) * num_left / 60
    return f" (about {max(1, round(minutes))} min left)"
