"""The scores of a run computed again from its hypotheses: no model, no audio, no torch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from maqam.evaluate.hypotheses import Origin, rescore
from maqam.run_layout import RunLayout
from maqam.runs.folders import recipe_from_here
from maqam.tasks import tasks_in


def rescore_run(
    folder: Path, *, split: str = "test", profile: str | None = None
) -> tuple[dict[str, Any], Path]:
    """Score the hypotheses of a run again, by its recipe or under another profile.

    With the recipe's own profile scores.json is written anew. The scores of another profile go to
    scores.PROFILE.json beside it, for scores.json belongs to the recipe of the run.

    Args:
        folder: The run.
        split: Split that was decoded.
        profile: Normalizer profile; the recipe's when absent.

    Returns:
        The scores, and the file that holds them.

    Raises:
        ConfigError: If there is no such profile.
        RunError: If the folder is no run, or the split was not decoded.
    """
    recipe = recipe_from_here(folder)
    settings = recipe.score if profile is None else replace(recipe.score, profile=profile)
    run = RunLayout(folder)
    own = run.evaluation(split)
    file = own.scores if settings == recipe.score else own.scores_under(settings.profile)
    origin = Origin(split, bool(run.read_record().get("synthetic")))
    scores = rescore(
        own.folder,
        file,
        tasks=tasks_in(folder),
        settings=settings,
        seed=recipe.seed,
        origin=origin,
    )
    return scores, file
