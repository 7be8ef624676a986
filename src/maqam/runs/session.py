"""One run's data, model and features: each made once, and only when something asks for it.

What two recipes have in common, sessions made by `of` share: a study loads its backbone once.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from maqam.data.pool import pool_from_manifest
from maqam.errors import ConfigError, RunError, ScheduleError
from maqam.features.clusters import RowClusters, load_or_cluster
from maqam.features.extract import (
    StoreContents,
    encoder_fingerprint,
    fill_part,
    fill_store,
    join_parts,
    states_bytes,
    store_contents,
)
from maqam.features.quality import agreements
from maqam.features.reduction import fit_projection
from maqam.features.settings import FeatureSettings, Keep
from maqam.features.store import FeatureStore
from maqam.features.unreadable import all_unreadable
from maqam.files import write_json
from maqam.models.adapters import load_adapter, remove_adapter
from maqam.models.fingerprints import checkpoint_stamp
from maqam.models.loading import load_backbone
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.models.settings import ModelSettings
from maqam.recipe import Recipe
from maqam.run_layout import ADAPTER_WEIGHTS, UNREADABLE, RunLayout
from maqam.runs.planning import PlanningSession, columns_needed, needs_features
from maqam.runs.plans import check_tensors
from maqam.runs.processes import Processes
from maqam.schedule import Pool
from maqam.seeding import generator
from maqam.train.record import weights_fingerprint

MOST_STATES_BYTES = 20 * 10**9
FINGERPRINTS = "fingerprints.json"


class Session(PlanningSession):
    """What a run needs beside its data: the backbone, aligner outputs, clusters."""

    def of(self, recipe: Recipe) -> "Session":
        """Return a session of another recipe that shares what both need."""
        other = Session(recipe, self.bars, self.say)
        other._made = self._made
        return other

    @property
    def backbone(self) -> AudioLLM:
        """The model as its checkpoint has it, without adapters, in evaluation mode.

        One backbone is held at a time; `forget_backbone` must follow whatever changes its weights.
        """
        backbone = self._loaded
        remove_adapter(backbone)
        backbone.model.eval()
        return backbone

    @property
    def _loaded(self) -> AudioLLM:
        """The model as it stands, the adapters of a run on its LLM or not: what audio goes through.

        A finished run that is scored must keep its adapters while features are made for it.
        """
        key = ("backbone", self.recipe.model)
        if key not in self._made:
            self.forget_backbone()
        return self._once(key, lambda: load_backbone(self.recipe.model))

    def forget_backbone(self) -> None:
        """Let go of the backbone, whose weights have changed or which is not needed any more."""
        for key in [one for one in self._made if one[0] == "backbone"]:
            del self._made[key]

    def trained(self, files: RunLayout) -> AudioLLM:
        """Return the model that a run trained: its weights, or the backbone with its adapter.

        The backbone must not be asked for afterwards: that takes adapters off.

        Args:
            files: A finished run of this recipe.

        Raises:
            RunError: If the adapter is damaged.
            ModelError: If weights or adapter do not load.
        """
        if self.recipe.train.writes_weights:
            self.forget_backbone()
            model = self.recipe.model
            return load_backbone(ModelSettings(model.kind, str(files.weights), model.dtype))
        if (weights := files.adapter / ADAPTER_WEIGHTS).is_file():
            check_tensors(weights, str(files.folder))
        backbone = self.backbone
        load_adapter(backbone, files.adapter)
        return backbone

    @property
    def weights_fingerprint(self) -> str:
        """Hash of all weights of the checkpoint."""
        return self._fingerprint("weights", lambda: weights_fingerprint(self.backbone))

    @property
    def level(self) -> Keep:
        """What of the aligner outputs is kept: "states", "pooled" means or "none".

        Raises:
            ConfigError: If the recipe keeps nothing, and its schedule needs clusters.
        """
        keep, recipe = self.recipe.features.keep, self.recipe
        if recipe.train.phase == "align":
            return "none"
        if keep == "none" and needs_features(recipe):
            raise ConfigError(
                f"schedule {recipe.schedule.kind} is dealt by clusters or embeddings of audio, "
                "and nothing is kept to make them from",
                where="features.keep",
                hint="set features.keep: pooled",
            )
        if keep != "auto":
            return keep
        if self._once(("fit", recipe.model, *self._data_key()), self._states_fit):
            return "states"
        return "pooled" if needs_features(recipe) else "none"

    @property
    def store(self) -> FeatureStore | None:
        """What is kept of the training rows; None where nothing is."""
        return None if self.level == "none" else self._store(self.train_rows)

    def audio_states(self, rows: np.ndarray) -> AudioStates | None:
        """Return the stored aligner outputs of manifest rows; None where audio is encoded anew.

        Args:
            rows: Manifest rows beside those of the training split.
        """
        if self.level != "states":
            return None
        store, own = self._store(self.train_rows), np.unique(rows)
        others = np.setdiff1d(own, store.rows)
        if not len(others):
            return store
        beside = self._store(others)
        return beside if len(others) == len(own) else JoinedStates(store, beside)

    @property
    def clusters(self) -> RowClusters:
        """Clusters of the training rows.

        Raises:
            ScheduleError: If the encoder trains, so that there are no aligner outputs to cluster.
        """
        key = ("clusters", *self._pool_key())
        return self._once(key, self._make_clusters)

    def hearing(self, rows: np.ndarray) -> AbstractContextManager[None]:
        """Open what tells of all rows whose audio cannot be read, where one ends a stage."""
        return all_unreadable(self.manifest, rows, self.recipe.folder / UNREADABLE, self.bars)

    def describe_features(self) -> dict[str, Any]:
        """Return what `maqam features` reports: sizes, and how clusters relate to labels."""
        store = self.store
        if store is None:
            why = "the encoder trains" if self.recipe.train.phase == "align" else "features.keep"
            return {"utterances": len(self.train_rows), "store": f"none: {why}"}
        clusters = self.clusters
        columns = {
            name: self.manifest.column(name)[clusters.rows]
            for name in ("task", "dialect", "speaker")
        }
        known = {
            name: np.array(["-" if value is None else value for value in values], dtype=str)
            for name, values in columns.items()
        }
        found: dict[str, Any] = {
            "utterances": len(store.rows),
            "kept": self.level,
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

    def fill_features(self) -> None:
        """Compute what the run needs of the aligner outputs, every process its part.

        All processes of a launch must call it; what is on disk already is kept.
        """
        level = self.level
        Processes().wait()  # a level depends on the free disk, which filling changes
        if level == "states" or (level == "pooled" and needs_features(self.recipe)):
            self._store(self.train_rows)

    def _make_pool(self) -> Pool:
        needed = columns_needed(self.recipe)
        if not needs_features(self.recipe):
            return super()._make_pool()
        rows = self.train_rows
        clusters = self.clusters.labels_of(rows) if "cluster" in needed else None
        embeddings = self._embeddings() if "embedding" in needed else None
        return pool_from_manifest(
            self.manifest, rows, clusters=clusters, values=self._values(), embeddings=embeddings
        )

    def _make_clusters(self) -> RowClusters:
        store = self._kept_store(f"schedule {self.recipe.schedule.kind} needs clusters", "schedule")
        return load_or_cluster(
            store,
            self.train_rows,
            store.folder,
            settings=self.recipe.features,
            seed=self.recipe.seed,
        )

    def _embeddings(self) -> np.ndarray:
        """Return the reduced embeddings of rows that batches are picked by; 0 for text."""
        store, rows = self._kept_store("a pick needs embeddings", "deal.pick"), self.train_rows
        pooled, spoken = store.pooled(rows), store.num_frames(rows) > 0
        rng = generator(self.recipe.seed, "pick projection")
        projection = fit_projection(pooled[spoken], self.recipe.features.num_dimensions, rng)
        reduced = np.zeros((len(rows), projection.components.shape[1]), dtype=np.float32)
        reduced[spoken] = projection.apply(pooled[spoken])
        return reduced

    def _kept_store(self, need: str, where: str) -> FeatureStore:
        store = self.store
        if store is None:
            raise ScheduleError(
                f"{need}, and phase align has none: its encoder trains",
                where=where,
                hint="leave it out, or use phase tune",
            )
        return store

    def _store(self, rows: np.ndarray) -> FeatureStore:
        settings = replace(self.recipe.features, keep=self.level)
        key = ("store", self.recipe.model, settings, *self._data_key(), rows.tobytes())
        return self._once(key, lambda: self._heard(rows, settings))

    def _heard(self, rows: np.ndarray, settings: FeatureSettings) -> FeatureStore:
        with self.hearing(rows):
            return self._fill(rows, settings)

    def _fill(self, rows: np.ndarray, settings: FeatureSettings) -> FeatureStore:
        weights = self._fingerprint("encoder", lambda: encoder_fingerprint(self._loaded))
        contents = store_contents(self._loaded, self.manifest, rows, settings, weights=weights)
        folder = Path(self.recipe.output) / "features" / contents.fingerprint[:16]
        processes = Processes()
        if not FeatureStore.is_whole(folder):
            self.say(self._size(contents, folder))
            if older := FeatureStore.num_older(folder.parent, contents.inputs):
                self.say(
                    f"{older} feature stores of an earlier maqam in {folder.parent} know audio by "
                    "its size only: they are not used and can be removed"
                )
        with self.bars(f"encode audio (seconds), {settings.keep} kept") as progress:
            if processes.count == 1 or FeatureStore.is_whole(folder):
                return fill_store(self._loaded, contents, folder, progress=progress)
            part = processes.index, processes.count
            fill_part(self._loaded, contents, folder, part, progress=progress)
        processes.wait()
        with processes.first_goes_ahead():
            if processes.is_first:
                join_parts(contents, folder, processes.count)
        return FeatureStore(folder, contents.inputs)

    def _size(self, contents: StoreContents, folder: Path) -> str:
        """Tell what a store will take before a byte of it is written."""
        dim, rows = self._loaded.audio_dim, contents.rows
        size = len(rows) * dim * 4
        if contents.settings.keep == "states":
            width = 2 if contents.settings.dtype == "float32" else 1
            size += width * states_bytes(self.dialogue, self.manifest, rows, dim)
        what = "aligner outputs" if contents.settings.keep == "states" else "mean aligner outputs"
        return f"{what} of {len(rows):,} utterances take {size / 1e9:.2f} GB in {folder}"

    def _states_fit(self) -> bool:
        """Tell whether the aligner outputs of the training split are few enough to be kept."""
        output = Path(self.recipe.output)
        there = next(one for one in (output, *output.absolute().parents) if one.is_dir())
        needed = states_bytes(self.dialogue, self.manifest, self.train_rows, self._loaded.audio_dim)
        return needed <= min(MOST_STATES_BYTES, shutil.disk_usage(there).free / 2)

    def _fingerprint(self, name: str, compute: Callable[[], str]) -> str:
        """Hash weights of the backbone once; on disk it is known by its files' sizes and times."""
        settings = self.recipe.model
        return self._once(
            (name, settings), lambda: self._remembered(name, checkpoint_stamp(settings), compute)
        )

    def _remembered(self, name: str, stamp: str | None, compute: Callable[[], str]) -> str:
        if stamp is None:
            return compute()
        path = Path(self.recipe.output) / FINGERPRINTS
        known = _read(path)
        if found := known.get(f"{name} {stamp}"):
            return found
        computed = compute()
        with suppress(RunError):  # what cannot be kept is computed again
            write_json(path, {**known, f"{name} {stamp}": computed})
        return computed


class JoinedStates:
    """Aligner outputs of two stores as one.

    Args:
        first: The store of the training rows, whose fingerprint stands for both.
        second: That of further rows.
    """

    def __init__(self, first: FeatureStore, second: FeatureStore) -> None:
        self.fingerprint = first.fingerprint
        self._first, self._second = first, second

    def __call__(self, rows: Sequence[int]) -> list[Tensor]:
        """Return the aligner outputs [T_i, D] of manifest rows; zero length for text rows."""
        is_first = np.isin(np.asarray(rows), self._first.rows)
        return [
            (self._first if first else self._second)([row])[0]
            for row, first in zip(rows, is_first.tolist(), strict=True)
        ]


def _read(path: Path) -> dict[str, str]:
    """Return the fingerprints that are known, none where the file is broken."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
