"""The clusters of a pool's rows: made from a feature store, kept in one file.

Rows without audio have no embedding. They form a cluster of their own, the last one, so that a
schedule which visits clusters in turn treats them as one group.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from maqam.errors import StoreError, first_few
from maqam.features.kmeans import fit_clusters
from maqam.features.settings import FeatureSettings
from maqam.features.store import FeatureStore, fingerprint_of
from maqam.files import whole_file, writing

FORMAT_VERSION = 1
FILE_NAME = "clusters.npz"


@dataclass(frozen=True, slots=True)
class RowClusters:
    """The cluster of each row of a pool.

    Attributes:
        rows: (num_rows,) manifest rows, ascending.
        labels: (num_rows,) int32 cluster of each.
        num_clusters: Clusters, that of rows without audio included.
        inertia: Sum of squared distances to the own centroid, in the reduced space.
        fingerprint: Hash of the store, the rows, the settings and the seed they were made from.
        note: What the user should know about their number; empty when nothing.
    """

    rows: np.ndarray
    labels: np.ndarray
    num_clusters: int
    inertia: float
    fingerprint: str
    note: str

    def labels_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the (num_rows,) clusters of manifest rows.

        Raises:
            StoreError: If a row has no cluster.
        """
        found = np.searchsorted(self.rows, rows).clip(max=len(self.rows) - 1)
        absent = np.asarray(rows)[self.rows[found] != rows].tolist()
        if absent:
            raise StoreError(
                f"{len(absent)} manifest rows have no cluster: {first_few(absent)}",
                where="clusters",
                hint="run maqam features again",
            )
        labels: np.ndarray = self.labels[found]
        return labels


def cluster_rows(
    store: FeatureStore, rows: np.ndarray, *, settings: FeatureSettings, seed: int
) -> RowClusters:
    """Group manifest rows by their mean aligner output.

    Args:
        store: Where the embeddings are.
        rows: (num_rows,) manifest rows; repetitions count once.
        settings: Number of clusters and of dimensions.
        seed: The run's seed.

    Raises:
        ConfigError: If there are fewer rows with audio than clusters asked for.
        StoreError: If a row is not in the store.
    """
    unique = np.unique(rows)
    is_spoken = store.num_frames(unique) > 0
    labels = np.zeros(len(unique), dtype=np.int32)
    num_clusters, inertia, notes = 0, 0.0, []
    if is_spoken.any():
        found = fit_clusters(
            store.pooled(unique[is_spoken]),
            num_clusters=settings.num_clusters,
            seed=seed,
            num_dimensions=settings.num_dimensions,
        )
        labels[is_spoken] = found.labels
        num_clusters, inertia = found.num_clusters, found.inertia
        notes = [found.note] if found.note else []
    if not is_spoken.all():
        labels[~is_spoken] = num_clusters
        notes.append(f"{(~is_spoken).sum()} rows without audio form cluster {num_clusters}")
        num_clusters += 1
    fingerprint = _fingerprint(store, unique, settings, seed)
    return RowClusters(unique, labels, num_clusters, inertia, fingerprint, "; ".join(notes))


def load_or_cluster(
    store: FeatureStore, rows: np.ndarray, folder: Path, *, settings: FeatureSettings, seed: int
) -> RowClusters:
    """Return the clusters of a folder, made anew unless they are of these very inputs.

    Args:
        store: Where the embeddings are.
        rows: (num_rows,) manifest rows.
        folder: Where `clusters.npz` is, or goes.
        settings: Number of clusters and of dimensions.
        seed: The run's seed.

    Raises:
        StoreError: If the file cannot be read or written.
    """
    if (folder / FILE_NAME).is_file():
        kept = load_clusters(folder)
        if kept.fingerprint == _fingerprint(store, np.unique(rows), settings, seed):
            return kept
    clusters = cluster_rows(store, rows, settings=settings, seed=seed)
    save_clusters(clusters, folder)
    return clusters


def save_clusters(clusters: RowClusters, folder: Path) -> Path:
    """Write clusters as `clusters.npz`, whole or not at all.

    Raises:
        StoreError: If the folder cannot be written.
    """
    about = {
        "format_version": FORMAT_VERSION,
        "num_clusters": clusters.num_clusters,
        "inertia": clusters.inertia,
        "fingerprint": clusters.fingerprint,
        "note": clusters.note,
    }
    path = folder / FILE_NAME
    with (
        writing(path, "the clusters", error=StoreError),
        whole_file(path) as draft,
        draft.open("wb") as file,
    ):
        np.savez(file, about=json.dumps(about), rows=clusters.rows, labels=clusters.labels)
    return path


def load_clusters(folder: Path) -> RowClusters:
    """Read the clusters of a folder.

    Raises:
        StoreError: If there are none, or the file is broken or of another format.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise StoreError("there are no clusters here", where=str(path), hint="run maqam features")
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            rows, labels = file["rows"], file["labels"]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise StoreError(
            f"the clusters cannot be read: {error}",
            where=str(path),
            hint="remove the file and run maqam features",
        ) from error
    if about.pop("format_version", None) != FORMAT_VERSION:
        raise StoreError(
            f"the clusters are not of format {FORMAT_VERSION}",
            where=str(path),
            hint="remove the file and run maqam features",
        )
    return RowClusters(rows=rows, labels=labels, **about)


def _fingerprint(
    store: FeatureStore, rows: np.ndarray, settings: FeatureSettings, seed: int
) -> str:
    return fingerprint_of(
        {
            "store": store.fingerprint,
            "rows": hashlib.blake2b(rows.astype("<i8").tobytes(), digest_size=16).hexdigest(),
            "format_version": str(FORMAT_VERSION),
            "num_clusters": str(settings.num_clusters),
            "num_dimensions": str(settings.num_dimensions),
            "seed": str(seed),
        }
    )
