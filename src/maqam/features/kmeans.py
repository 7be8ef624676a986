"""K-means for utterance embeddings: PCA, greedy k-means++, then Lloyd by plain matrix products.

The iterations run in the reduced space, first on a sample and then on all rows, which is what
makes it several times faster than clustering the embeddings themselves
(`benchmarks/clustering.py`). Where two centroids are equally near, the one with the lower number
wins. The same seed gives the same labels on one machine; another number of threads or another
BLAS may round the last digit differently and flip such near-ties.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from maqam.errors import ConfigError
from maqam.features.reduction import Projection, fit_projection
from maqam.seeding import generator

PAPER_NUM_CLUSTERS = 500
ROWS_PER_CLUSTER = 20  # ours, for pools that 500 clusters would cut too fine

_SEEDING_PER_CLUSTER = 16  # rows a centroid that k-means++ sees
_SAMPLE_PER_CLUSTER = 32  # rows a centroid of the first iterations
_MAX_ITERATIONS = 25
_SMALLEST_GAIN = 2e-3  # fraction of the inertia below which another pass is not worth its time
_CHUNK_SCORES = 1 << 20
_CHUNK_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Clusters:
    """Groups of similar embeddings.

    Attributes:
        labels: (num_rows,) int32 cluster of each row; every cluster has a row.
        centroids: (num_clusters, num_dimensions) float32, in the reduced space.
        projection: The map from embeddings to the reduced space.
        inertia: Sum of squared distances to the own centroid, in the reduced space.
        note: What the user should know about the number of clusters; empty when nothing.
    """

    labels: np.ndarray
    centroids: np.ndarray
    projection: Projection
    inertia: float
    note: str

    @property
    def num_clusters(self) -> int:
        """Number of groups."""
        return len(self.centroids)

    def assign(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the (num_rows,) int32 nearest cluster of other embeddings (num_rows, dim)."""
        return _nearest(self.projection.apply(embeddings), self.centroids)[0]


def fit_clusters(
    embeddings: np.ndarray,
    *,
    num_clusters: int | None = None,
    seed: int,
    num_dimensions: int = 128,
) -> Clusters:
    """Group embeddings by K-means.

    Args:
        embeddings: (num_rows, dim) finite, of any float type; may be memory-mapped.
        num_clusters: How many groups; see `choose_num_clusters` for what None means.
        seed: The run's seed.
        num_dimensions: Principal components kept before clustering.

    Raises:
        ValueError: If embeddings are not (num_rows, dim) with at least a row, or not finite.
        ConfigError: If there are fewer rows than clusters.

    Examples:
        >>> embeddings = np.array([[0.0, 1], [0, 2], [5, 0], [6, 0]])
        >>> found = fit_clusters(embeddings, num_clusters=2, seed=0)
        >>> bool(found.labels[0] == found.labels[1] != found.labels[2] == found.labels[3])
        True
    """
    if embeddings.ndim != 2 or not embeddings.size:
        raise ValueError(f"embeddings must be (num_rows, dim), not empty; got {embeddings.shape}")
    count, note = choose_num_clusters(num_clusters, len(embeddings))
    projection = fit_projection(embeddings, num_dimensions, generator(seed, "kmeans", "projection"))
    points = projection.apply(embeddings)
    centroids = _seeds(points, count, generator(seed, "kmeans", "seeds"))
    sampled = _SAMPLE_PER_CLUSTER * count
    if len(points) > 2 * sampled:
        sample = _sample(points, sampled, generator(seed, "kmeans", "sample"))
        centroids = _lloyd(sample, centroids)[1]
    labels, centroids, inertia = _lloyd(points, centroids)
    return Clusters(labels, centroids, projection, inertia, note)


def choose_num_clusters(num_clusters: int | None, num_rows: int) -> tuple[int, str]:
    """Settle how many clusters a pool gets.

    Args:
        num_clusters: The setting; None for the paper's 500, or a cluster every 20 rows where
            that is fewer.
        num_rows: Embeddings to group.

    Returns:
        The number of clusters, and a note for the user when it is not the paper's.

    Raises:
        ConfigError: If more clusters are asked for than there are rows.

    Examples:
        >>> choose_num_clusters(None, 50_000)
        (500, '')
        >>> choose_num_clusters(None, 1000)
        (50, '50 clusters for 1000 rows, one every 20: 500 need 10000 rows')
    """
    if num_clusters is not None:
        if num_clusters > num_rows:
            raise ConfigError(
                f"{num_clusters} clusters need as many rows with audio, there are {num_rows}",
                where="features.num_clusters",
                hint="leave it out, for a cluster every 20 rows",
            )
        return num_clusters, ""
    count = max(1, min(PAPER_NUM_CLUSTERS, num_rows // ROWS_PER_CLUSTER))
    if count == PAPER_NUM_CLUSTERS:
        return count, ""
    needed = PAPER_NUM_CLUSTERS * ROWS_PER_CLUSTER
    return count, (
        f"{count} clusters for {num_rows} rows, one every {ROWS_PER_CLUSTER}: "
        f"{PAPER_NUM_CLUSTERS} need {needed} rows"
    )


def _lloyd(points: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Move centroids to the mean of their rows until that no longer pays.

    Returns:
        Labels, centroids, and the inertia of the one under the other.
    """
    labels, distances = _nearest(points, centroids)
    inertia = float(distances.sum(dtype=np.float64))
    for _ in range(_MAX_ITERATIONS):
        before = inertia
        _refill(points, centroids, labels, distances)
        centroids = _means(points, labels, len(centroids))
        labels, distances = _nearest(points, centroids)
        inertia = float(distances.sum(dtype=np.float64))
        if before - inertia <= _SMALLEST_GAIN * before:
            break
    _refill(points, centroids, labels, distances)
    return labels, centroids, float(distances.sum(dtype=np.float64))


def _nearest(points: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest centroid of each row, the lowest of equals, and its squared distance."""
    labels = np.empty(len(points), dtype=np.int32)
    distances = np.empty(len(points), dtype=np.float32)
    columns = np.ascontiguousarray(centroids.T)
    half_norms = 0.5 * np.einsum("kd,kd->k", centroids, centroids)
    size = max(64, _CHUNK_SCORES // len(centroids))
    scores = np.empty((size, len(centroids)), dtype=np.float32)
    for first in range(0, len(points), size):
        chunk = points[first : first + size]
        near = np.matmul(chunk, columns, out=scores[: len(chunk)])
        near -= half_norms  # largest where |point - centroid| is smallest
        best = near.argmax(axis=1)
        labels[first : first + size] = best
        norms = np.einsum("nd,nd->n", chunk, chunk)
        distances[first : first + size] = norms - 2 * near[np.arange(len(chunk)), best]
    np.maximum(distances, 0, out=distances)
    return labels, distances


def _means(points: np.ndarray, labels: np.ndarray, num_clusters: int) -> np.ndarray:
    """Return the (num_clusters, dim) mean of each cluster's rows; none may be empty."""
    total = np.zeros((num_clusters, points.shape[1]))
    for first in range(0, len(points), _CHUNK_ROWS):
        chunk = points[first : first + _CHUNK_ROWS]
        places = (labels[first : first + _CHUNK_ROWS], np.arange(len(chunk)))
        ones = np.ones(len(chunk), dtype=np.float32)
        members = scipy.sparse.csr_matrix((ones, places), shape=(num_clusters, len(chunk)))
        total += members @ chunk
    total /= np.bincount(labels, minlength=num_clusters)[:, None]
    return total.astype(np.float32)


def _refill(
    points: np.ndarray, centroids: np.ndarray, labels: np.ndarray, distances: np.ndarray
) -> None:
    """Move the farthest row of the largest cluster to each empty one, in place."""
    counts = np.bincount(labels, minlength=len(centroids))
    for empty in np.flatnonzero(counts == 0):
        largest = counts.argmax()
        members = np.flatnonzero(labels == largest)
        moved = members[distances[members].argmax()]
        labels[moved], distances[moved], centroids[empty] = empty, 0.0, points[moved]
        counts[largest] -= 1
        counts[empty] += 1


def _seeds(points: np.ndarray, num_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Choose (num_clusters, dim) starting centroids by greedy k-means++ on a sample.

    Each is the best of 2 + ln(num_clusters) rows drawn by their squared distance to the centroids
    there are, as in Arthur and Vassilvitskii (2007) and scikit-learn. The products are too small
    for two threads: waiting for each other made them ten times slower on a busy machine.
    """
    points = _sample(points, _SEEDING_PER_CLUSTER * num_clusters, rng)
    norms, doubled = np.einsum("nd,nd->n", points, points), -2 * points.T
    num_candidates = 2 + int(np.log(num_clusters))
    chosen = [int(rng.integers(len(points)))]
    with threadpool_limits(limits=1, user_api="blas"):
        closest = np.maximum(points[chosen] @ doubled + norms + norms[chosen], 0)[0]
        while len(chosen) < num_clusters:
            closest[chosen] = 0.0  # rounding must not let a row be drawn twice
            mass = np.cumsum(closest, dtype=np.float64)
            if mass[-1] <= 0:
                left = np.setdiff1d(np.arange(len(points)), chosen)
                chosen += left[: num_clusters - len(chosen)].tolist()
                break
            drawn = mass.searchsorted(rng.random(num_candidates) * mass[-1], side="right")
            drawn = drawn.clip(max=len(points) - 1)  # where the product rounds up to the sum
            after = points[drawn] @ doubled
            after += norms
            after += norms[drawn, None]
            np.minimum(after, closest, out=after)
            best = int(after.sum(axis=1).argmin())
            chosen.append(int(drawn[best]))
            closest = np.maximum(after[best], 0)
    return points[chosen]


def _sample(points: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    if len(points) <= most:
        return points
    return points[np.sort(rng.choice(len(points), most, replace=False))]
