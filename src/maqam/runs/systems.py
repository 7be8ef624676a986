"""Scores of another system's answers, kept in a folder that reads as a run's."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maqam.errors import RunError
from maqam.evaluate.hypotheses import SCHEMA, score, write_hypotheses
from maqam.evaluate.systems import SystemAnswers
from maqam.files import write_text
from maqam.recipe import Recipe, dump_yaml
from maqam.run_layout import RunLayout
from maqam.score.scoring import score_hypotheses
from maqam.score.settings import ScoreSettings
from maqam.tasks import write_tasks

_ANSWERS = "answers"  # key of the record, which no trained run has


def columns_of(answers: SystemAnswers) -> dict[str, list[Any]]:
    """Return the answers as columns of hypotheses.parquet."""
    return {name: [row[name] for row in answers.rows] for name in SCHEMA.names}


def score_answers(answers: SystemAnswers, settings: ScoreSettings) -> dict[str, Any]:
    """Score a system's answers; returns what scores.json holds."""
    return score_hypotheses(
        columns_of(answers),
        tasks=answers.tasks,
        settings=settings,
        seed=0,
        split=answers.origin.split,
        synthetic=answers.origin.synthetic,
    )


def keep_answers(
    answers: SystemAnswers,
    settings: ScoreSettings,
    folder: Path,
    *,
    files: Sequence[Path],
    force: bool = False,
) -> dict[str, Any]:
    """Score a system's answers into a folder that is compared, reported and scored again as a run.

    Args:
        answers: The answers and their references.
        settings: Profile and resamples.
        folder: Where it goes; its name is the system's.
        files: Files that the answers were read from, for the record.
        force: Whether earlier answers there are replaced.

    Returns:
        What scores.json holds.

    Raises:
        RunError: If a trained run is there, or earlier answers and no `force`.
    """
    run = RunLayout(folder)
    if run.record.exists():
        is_own = _ANSWERS in run.read_record()
        if not (is_own and force):
            raise RunError(
                f"{'scored answers stand' if is_own else 'a trained run stands'} here already",
                where=str(folder),
                hint="add --force, or give another folder" if is_own else "give another folder",
            )
    name = re.sub(r"[^\w.+-]+", "_", folder.resolve().name)
    recipe = Recipe(name=name, score=settings).model_dump(mode="json", include={"name", "score"})
    write_text(run.recipe, dump_yaml(recipe))
    write_tasks(answers.tasks, folder)
    files_of = run.evaluation(answers.origin.split)
    table = write_hypotheses(files_of.folder, answers.rows, answers.origin)
    scores = score(
        table, answers.origin, files_of.scores, tasks=answers.tasks, settings=settings, seed=0
    )
    run.add_to_record(
        {
            "name": name,
            "seed": 0,
            "state": "finished",
            "synthetic": answers.origin.synthetic,
            "notes": answers.notes,
            _ANSWERS: [file.name for file in files],
        }
    )
    return scores
