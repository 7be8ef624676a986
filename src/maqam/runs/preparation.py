"""Data, features and the pool of a recipe; what is on disk already is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maqam.data.manifest import Manifest, read_manifest
from maqam.data.pool import pool_from_manifest
from maqam.errors import ScheduleError
from maqam.features.clusters import RowClusters, load_or_cluster
from maqam.features.extract import fill_store, store_inputs
from maqam.features.quality import agreements
from maqam.features.reduction import fit_projection
from maqam.features.store import FeatureStore, fingerprint_of
from maqam.models.checkpoint import load_dialogue
from maqam.models.loading import load_backbone
from maqam.progress import Bars
from maqam.recipe import Recipe
from maqam.schedule import Pool, schedule_as_table
from maqam.seeding import generator
from maqam.synth.corpus import make_corpus
from maqam.train.rows import prepare_rows


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
        place = Path(recipe.data.manifest)
        return read_manifest(place, tasks=recipe.tasks_of(place))
    with bars("generate the corpus") as progress:
        folder = make_corpus(corpus_folder(recipe), recipe.data.synth, progress=progress)
    return read_manifest(folder, tasks=recipe.tasks_of(folder))


def corpus_folder(recipe: Recipe) -> Path:
    """Return where the embedded corpus of a recipe is kept."""
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
    """Return what `maqam features` reports: sizes, and how clusters relate to labels."""
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


def _tokens(recipe: Recipe, manifest: Manifest, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Count the tokens of rows, audio included, where the recipe deals or orders by them."""
    if recipe.deal.unit != "tokens" and not _mentions(schedule_as_table(recipe.schedule), "tokens"):
        return {}
    prepared = prepare_rows(load_dialogue(recipe.model), manifest, rows)
    return {"tokens": prepared.num_tokens[prepared.positions(rows)]}


def _embeddings(recipe: Recipe, store: FeatureStore, rows: np.ndarray) -> np.ndarray | None:
    """Return the reduced embeddings of rows where batches are picked by them; 0 for text."""
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


def _store_folder(recipe: Recipe, store: FeatureStore) -> Path:
    return Path(recipe.output) / "features" / store.fingerprint[:16]
