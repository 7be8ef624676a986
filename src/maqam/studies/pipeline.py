"""The stages of one run: data and features, plan, training, evaluation.

Each stage leaves its result on disk under a fingerprint, and finds it there the next time.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from maqam.data.manifest import Manifest, read_manifest
from maqam.data.pool import pool_from_manifest
from maqam.data.synth.corpus import make_corpus
from maqam.errors import RunError, ScheduleError
from maqam.evaluate.run import SCORES, Evaluation, evaluate_rows
from maqam.features.clusters import RowClusters, load_or_cluster
from maqam.features.extract import fill_store, store_inputs
from maqam.features.quality import agreements
from maqam.features.reduction import fit_projection
from maqam.features.store import FeatureStore, fingerprint_of
from maqam.models.adapters import load_adapter
from maqam.models.backbone import Backbone
from maqam.models.hearing import online_states
from maqam.models.qwen_omni import load_backbone
from maqam.models.settings import ModelSettings
from maqam.recipe import Recipe, dump_yaml, load_recipe
from maqam.schedule import Deal, Plan, Pool, compile, load_plan, schedule_as_table
from maqam.schedule.compiler import Budget
from maqam.schedule.growing import GrowingPlan
from maqam.schedule.kinds.adaptive import is_adaptive
from maqam.seeding import generator
from maqam.studies.files import read_json, write_text, writing
from maqam.train.online.controller import AdaptivePlan
from maqam.train.online.probes import choose_probes
from maqam.train.phases import Phase, PhaseResult, run_phase
from maqam.train.rows import prepare_rows

Bars = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]

RECIPE_FILE = "recipe.yaml"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all runs on the same data and backbone share.

    Attributes:
        manifest: The utterances.
        train_rows: (num_rows,) manifest rows that are trained on.
        store: Aligner outputs of all rows, None where the encoder trains.
        clusters: Clusters of the training rows, None where the encoder trains.
        pool: What schedules deal from.
    """

    manifest: Manifest
    train_rows: np.ndarray
    store: FeatureStore | None
    clusters: RowClusters | None
    pool: Pool


def open_manifest(recipe: Recipe, bars: Bars) -> Manifest:
    """Read the recipe's manifest, or make the embedded corpus where it names none."""
    if recipe.data.manifest is not None:
        return read_manifest(recipe.data.manifest)
    with bars("speak the corpus") as progress:
        folder = make_corpus(corpus_folder(recipe), recipe.data.synth, progress=progress)
    return read_manifest(folder)


def corpus_folder(recipe: Recipe) -> Path:
    """Give where the embedded corpus of a recipe is kept."""
    return Path(recipe.output) / "corpus"


def prepare(recipe: Recipe, bars: Bars) -> Prepared:
    """Get data, features and clusters ready; what is on disk already is kept.

    Raises:
        ScheduleError: If the manifest has no row to train on.
    """
    manifest = open_manifest(recipe, bars)
    rows = manifest.select(split=recipe.data.train_split)
    if recipe.train.phase == "align":
        rows = np.intersect1d(rows, manifest.select(task="asr"))
    if not len(rows):
        raise ScheduleError(
            f"no utterance of split {recipe.data.train_split!r} to train on",
            where=str(manifest.path),
            hint="check data.train_split",
        )
    if recipe.train.phase == "align":
        pool = pool_from_manifest(manifest, rows, values=_tokens(recipe, manifest, rows))
        return Prepared(manifest, rows, None, None, pool)
    store = _open_store(recipe, manifest, bars)
    clusters = load_or_cluster(
        store, rows, _store_folder(recipe, store), settings=recipe.features, seed=recipe.seed
    )
    pool = pool_from_manifest(
        manifest,
        rows,
        clusters=clusters.labels_of(rows),
        values=_tokens(recipe, manifest, rows),
        embeddings=_embeddings(recipe, store, rows),
    )
    return Prepared(manifest, rows, store, clusters, pool)


def describe_features(prepared: Prepared) -> dict[str, Any]:
    """Give what `maqam features` reports: sizes, and how clusters relate to labels."""
    store, clusters = prepared.store, prepared.clusters
    if store is None or clusters is None:
        return {"utterances": len(prepared.train_rows), "store": "none: the encoder trains"}
    rows = clusters.rows
    columns = {
        name: prepared.manifest.column(name)[rows] for name in ("task", "dialect", "speaker")
    }
    known = {
        name: np.array(["-" if value is None else value for value in values], dtype=str)
        for name, values in columns.items()
    }
    found: dict[str, Any] = {
        "utterances": len(store.rows),
        "frames": int(store.num_frames(store.rows).sum()),
        "width": store.dim,
        "clusters": clusters.num_clusters,
        "note": clusters.note,
    }
    for one in agreements(clusters.labels, known, seed=0):
        found[f"adjusted mutual information with {one.column}"] = round(
            one.adjusted_mutual_information, 3
        )
    return found


def write_plan(recipe: Recipe, prepared: Prepared, folder: Path, *, overwrite: bool) -> Plan:
    """Compile the recipe's schedule and write the plan.

    Raises:
        RunError: If the folder holds a plan and `overwrite` is off, or cannot be written.
    """
    if (folder / "plan.json").exists() and not overwrite:
        raise RunError(
            "the folder holds a plan", where=str(folder), hint="write over it with --force"
        )
    if is_adaptive(recipe.schedule):
        raise ScheduleError(
            "the schedule decides while the run trains, so there is no plan before",
            where="schedule",
            hint=f"maqam train; then maqam plan show {recipe.folder}",
        )
    plan = compile(
        recipe.schedule,
        prepared.pool,
        steps=recipe.train.num_steps,
        batch_size=recipe.train.batch_size,
        seed=recipe.seed,
        deal=recipe.deal,
    )
    with writing(folder):
        plan.save(folder)
    return plan


def train(recipe: Recipe, prepared: Prepared, bars: Bars, *, resume: bool = False) -> PhaseResult:
    """Train one run by its plan.

    Args:
        recipe: The run.
        prepared: Its data and features.
        bars: Opens a progress bar for a stage.
        resume: Whether to go on from the last whole checkpoint, if there is one.

    Raises:
        RunError: If the folder holds a run and `resume` is off, or it was another recipe's.
        ScheduleError: If the run's plan was dealt from another pool.
    """
    folder = recipe.folder
    adaptive = _adaptive_plan(recipe, prepared)
    plan = adaptive.plan if adaptive else _followed_plan(recipe, prepared)
    backbone = load_backbone(recipe.model)
    write_text(folder / RECIPE_FILE, dump_yaml(recipe))
    settings = recipe.train
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
        result = run_phase(backbone, phase, folder, resume=resume, progress=progress)
    if adaptive:
        with writing(folder / "plan"):
            adaptive.plan.finished().save(folder / "plan")
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
    recipe = recipe_of(folder)
    if read_json(folder / "run.json").get("state") != "finished":
        raise RunError(
            "the run is not finished", where=str(folder), hint="maqam train RECIPE --resume"
        )
    own = prepared or prepare(recipe, bars)
    backbone = _trained(recipe, folder)
    states = own.store or online_states(backbone, own.manifest)
    with bars(f"score {recipe.name}") as progress:
        return evaluate_rows(
            backbone,
            own.manifest,
            own.manifest.select(split=split),
            folder / "eval" / split,
            Evaluation(recipe.score, states, recipe.seed),
            progress=progress,
        )


def recipe_of(folder: Path) -> Recipe:
    """Read the resolved recipe of a run folder.

    Raises:
        RunError: If the folder is no run.
    """
    path = folder / RECIPE_FILE
    if not path.is_file():
        raise RunError("no run here", where=str(folder), hint="give the folder of a run")
    return load_recipe(path)


def is_scored(recipe: Recipe, split: str = "test") -> bool:
    """Tell whether a run of this very recipe is finished and scored.

    Raises:
        RunError: If the folder holds a run of another recipe.
    """
    if not (recipe.folder / RECIPE_FILE).is_file():
        return False
    if recipe_of(recipe.folder) != recipe:
        raise RunError(
            "the folder holds a run of another recipe",
            where=str(recipe.folder),
            hint="remove it, or write the study elsewhere",
        )
    return (recipe.folder / "eval" / split / SCORES).is_file()


def _tokens(recipe: Recipe, manifest: Manifest, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Count the tokens of rows, audio included, where the recipe deals or orders by them."""
    if recipe.deal.unit != "tokens" and not _mentions(schedule_as_table(recipe.schedule), "tokens"):
        return {}
    prepared = prepare_rows(load_backbone(recipe.model), manifest, rows)
    return {"tokens": prepared.num_tokens[prepared.positions(rows)]}


def _embeddings(recipe: Recipe, store: FeatureStore, rows: np.ndarray) -> np.ndarray | None:
    """Give the reduced embeddings of rows where batches are picked by them; 0 for text."""
    if recipe.deal.pick is None:
        return None
    pooled = store.pooled(rows)
    spoken = store.num_frames(rows) > 0
    rng = generator(recipe.seed, "pick projection")
    projection = fit_projection(pooled[spoken], recipe.features.num_dimensions, rng)
    reduced = np.zeros((len(rows), projection.components.shape[1]), dtype=np.float32)
    reduced[spoken] = projection.apply(pooled[spoken])
    return reduced


def _mentions(settings: object, measure: str) -> bool:
    """Tell whether a schedule's settings name a measure, alone or as an axis of bins."""
    if isinstance(settings, str):
        return settings.partition("/")[0] == measure
    if isinstance(settings, Mapping):
        return any(_mentions(one, measure) for one in settings.values())
    return isinstance(settings, list) and any(_mentions(one, measure) for one in settings)


def _open_store(recipe: Recipe, manifest: Manifest, bars: Bars) -> FeatureStore:
    backbone = load_backbone(recipe.model)
    rows = np.arange(manifest.num_utterances)
    key = fingerprint_of(store_inputs(backbone, manifest, rows, recipe.features))
    folder = Path(recipe.output) / "features" / key[:16]
    with bars("store aligner outputs") as progress:
        return fill_store(
            backbone, manifest, rows, folder, settings=recipe.features, progress=progress
        )


def _followed_plan(recipe: Recipe, prepared: Prepared) -> Plan:
    """Read the plan of a run's folder, or compile it where there is none."""
    folder = recipe.folder / "plan"
    if not (folder / "plan.json").exists():
        return write_plan(recipe, prepared, folder, overwrite=False)
    plan = load_plan(folder)
    plan.check_pool(prepared.pool)
    _check_rule(plan, recipe, recipe.folder)
    return plan


def _adaptive_plan(recipe: Recipe, prepared: Prepared) -> AdaptivePlan | None:
    """Begin the plan of a schedule that decides while the run trains; None for any other.

    Raises:
        ScheduleError: If the recipe deals in a way that cannot grow, or there is nothing to
            probe the model on.
    """
    schedule = recipe.schedule
    if not is_adaptive(schedule):
        return None
    if recipe.deal != Deal():
        raise ScheduleError(
            "a schedule that decides while the run trains deals rows and repeats groups",
            where="deal",
            hint="leave deal out",
        )
    steps, batch_size = recipe.train.num_steps, recipe.train.batch_size
    plan = GrowingPlan(schedule, prepared.pool, Budget(steps, batch_size, recipe.seed))
    probes: dict[str, np.ndarray] = {}
    if schedule.needs:
        tasks = prepared.pool.names["task"]
        probes = choose_probes(prepared.manifest, schedule.probe_split, tasks, schedule.probe_size)
        absent = [task for task in tasks if task not in probes]
        if absent:
            raise ScheduleError(
                f"split {schedule.probe_split!r} has no row of task {', '.join(absent)} to probe",
                where="schedule.probe_split",
                hint="name a split that has every task and is not trained on",
            )
    return AdaptivePlan(schedule, plan, probes)


def _check_rule(plan: Plan, recipe: Recipe, folder: Path) -> None:
    """Refuse to follow a plan that the recipe would not have dealt."""
    wanted = schedule_as_table(recipe.schedule), asdict(recipe.deal), recipe.seed
    if (dict(plan.schedule), dict(plan.deal), plan.seed) == wanted:
        return
    raise ScheduleError(
        "the plan was dealt by another schedule, deal or seed than the recipe's",
        where=str(folder / "plan"),
        hint="remove the folder, or give the run another name",
    )


def _store_folder(recipe: Recipe, store: FeatureStore) -> Path:
    return Path(recipe.output) / "features" / store.fingerprint[:16]


def _trained(recipe: Recipe, folder: Path) -> Backbone:
    if recipe.train.phase == "align":
        path = str(folder / "weights")
        return load_backbone(ModelSettings(recipe.model.kind, path, recipe.model.dtype))
    backbone = load_backbone(recipe.model)
    load_adapter(backbone, folder / "adapter")
    return backbone
