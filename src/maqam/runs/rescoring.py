"""The scores of a run computed again from its hypotheses: no model, no audio, no torch."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from maqam.evaluate.hypotheses import SCORES, Origin, rescore
from maqam.files import read_json
from maqam.runs.folders import recipe_of


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
    recipe = recipe_of(folder)
    settings = recipe.score if profile is None else replace(recipe.score, profile=profile)
    own = folder / "eval" / split
    name = SCORES if settings == recipe.score else f"scores.{_plain(settings.profile)}.json"
    origin = Origin(split, bool(read_json(folder / "run.json").get("synthetic")))
    scores = rescore(own, name, settings=settings, seed=recipe.seed, origin=origin)
    return scores, own / name


def _plain(profile: str) -> str:
    """Give a profile's name without what a file name cannot hold, as a path of one's own has."""
    return re.sub(r"[^\w.-]+", "_", profile).strip("_")
