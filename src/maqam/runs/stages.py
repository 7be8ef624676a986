"""The stages of one run: training by its plan, evaluation.

Each stage leaves its result on disk under a fingerprint, and finds it there the next time.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maqam.data.manifest import Manifest
from maqam.errors import RunError
from maqam.evaluate.invariance import BatchCheck, check_batches
from maqam.evaluate.run import Evaluation, evaluate_rows
from maqam.files import write_text
from maqam.models.adapters import load_adapter
from maqam.models.audio_states import online_states
from maqam.models.loading import load_backbone
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.models.settings import ModelSettings
from maqam.progress import Bars
from maqam.recipe import Recipe, dump_yaml
from maqam.run_layout import RunLayout
from maqam.runs.extending import continued, extended, set_scores_apart
from maqam.runs.folders import keep_tasks, recipe_of
from maqam.runs.plans import adaptive_plan, followed_plan, save_plan
from maqam.runs.preparation import Prepared, prepare
from maqam.seeding import generator
from maqam.tasks import tasks_in
from maqam.train.phases import Phase, PhaseResult, run_phase


def train(
    recipe: Recipe,
    prepared: Prepared,
    bars: Bars,
    *,
    resume: bool = False,
    extend: int | None = None,
) -> PhaseResult:
    """Train one run by its plan.

    Args:
        recipe: The run.
        prepared: Its data and features.
        bars: Opens a progress bar for a stage.
        resume: Whether to go on from the last whole checkpoint, if there is one.
        extend: Steps to add to the finished run.

    Raises:
        RunError: If there is no finished run to extend, the folder holds a run and `resume` is
            off, or it was another recipe's.
        ScheduleError: If the run's plan was dealt from another pool.
    """
    folder = recipe.folder
    if extend is not None:
        recipe = extended(recipe, extend)
    elif resume:
        recipe = continued(recipe)
    adaptive = adaptive_plan(recipe, prepared)
    plan = adaptive.plan if adaptive else followed_plan(recipe, prepared)
    backbone = load_backbone(recipe.model)
    write_text(RunLayout(folder).recipe, dump_yaml(recipe))
    keep_tasks(prepared.manifest.tasks, folder)
    settings = recipe.train
    if extend is not None:
        set_scores_apart(recipe)
    if recipe.deal.exhaustion != "repeat":  # the plan may end where the pool ran out
        settings = replace(settings, num_steps=min(plan.num_steps, settings.num_steps))
    phase = Phase(
        prepared.manifest,
        plan,
        settings,
        recipe.objective,
        recipe.seed,
        audio_states=prepared.store,
        adaptive=adaptive,
    )
    with bars(f"train {recipe.name}") as progress:
        goes_on = resume or extend is not None
        result = run_phase(backbone, phase, folder, resume=goes_on, progress=progress)
    if adaptive:
        save_plan(adaptive.plan.finished(), recipe, prepared, RunLayout(folder).plan.folder)
    return result


def evaluate(
    folder: Path, bars: Bars, *, split: str = "test", prepared: Prepared | None = None
) -> dict[str, Any]:
    """Decode and score a split with a finished run.

    Args:
        folder: The run.
        bars: Opens a progress bar for a stage.
        split: Split of the manifest.
        prepared: Its data and features, where they are at hand.

    Raises:
        RunError: If the run is not finished, or the split has no utterance.
    """
    run = _finished(folder, bars, prepared)
    with bars(f"score {run.recipe.name}") as progress:
        return evaluate_rows(
            run.backbone,
            run.manifest,
            run.manifest.select(split=split),
            RunLayout(folder).evaluation(split).folder,
            Evaluation(run.recipe.score, run.audio_states, run.recipe.seed),
            progress=progress,
        )


def check_run_batches(
    folder: Path, bars: Bars, *, split: str = "test", num_utterances: int = 32
) -> BatchCheck:
    """Decode a sample of a split at batch size 1 and at the recipe's, with a finished run.

    Args:
        folder: The run.
        bars: Opens a progress bar for a stage.
        split: Split of the manifest.
        num_utterances: Utterances of the sample, spread over the tasks as the split is.

    Raises:
        RunError: If the run is not finished, or the split has no utterance.
    """
    run = _finished(folder, bars, None)
    rows = run.manifest.select(split=split)
    if not len(rows):
        raise RunError(
            f"no utterance of split {split!r}",
            where=str(folder),
            hint="check the name of the split",
        )
    drawn = generator(run.recipe.seed, "batch check").permutation(rows)[:num_utterances]
    with bars("decode one by one and side by side") as progress:
        return check_batches(
            run.backbone,
            run.manifest,
            np.sort(drawn),
            settings=run.recipe.score,
            audio_states=run.audio_states,
            progress=progress,
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """A finished run, ready to answer."""

    recipe: Recipe
    manifest: Manifest
    backbone: AudioLLM
    audio_states: AudioStates


def _finished(folder: Path, bars: Bars, prepared: Prepared | None) -> _Run:
    recipe = recipe_of(folder)
    if RunLayout(folder).read_record().get("state") != "finished":
        raise RunError(
            "the run is not finished", where=str(folder), hint="maqam train RECIPE --resume"
        )
    own = prepared or prepare(recipe, bars)
    backbone = _trained(recipe, folder)
    manifest = Manifest(own.manifest.path, own.manifest.table, tasks_in(folder))
    audio_states = own.store or online_states(backbone, manifest)
    return _Run(recipe, manifest, backbone, audio_states)


def is_scored(recipe: Recipe, split: str = "test") -> bool:
    """Tell whether a run of this very recipe is finished and scored.

    Raises:
        RunError: If the folder holds a run of another recipe.
    """
    files = RunLayout(recipe.folder)
    if not files.recipe.is_file():
        return False
    if recipe_of(recipe.folder) != recipe:
        raise RunError(
            "the folder holds a run of another recipe",
            where=str(recipe.folder),
            hint="remove it, or write the study elsewhere",
        )
    return files.evaluation(split).scores.is_file()


def _trained(recipe: Recipe, folder: Path) -> AudioLLM:
    if recipe.train.phase == "align":
        path = str(RunLayout(folder).weights)
        return load_backbone(ModelSettings(recipe.model.kind, path, recipe.model.dtype))
    backbone = load_backbone(recipe.model)
    load_adapter(backbone, RunLayout(folder).adapter)
    return backbone
