"""Embeddings made comparable and small: centred, scaled to length 1, cut to main directions.

Centring comes before scaling: pooled speech embeddings share one large common direction, and
without centring every cosine is close to 1. The principal components come from block power
iteration on the covariance, which at 1280 dimensions costs a fifth of a full decomposition.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

_CHUNK_BYTES = 4 << 20  # small enough to stay in a core's cache between its uses
_SAMPLE_PER_DIMENSION = 8
_LEAST_SAMPLED = 10_000
_MOST_SAMPLED = 200_000
_OVERSAMPLING = 32
_POWER_ITERATIONS = 8


@dataclass(frozen=True, slots=True)
class Projection:
    """The map from embeddings to the space that clusters live in.

    Attributes:
        mean: (dim,) float32, taken off first.
        components: (dim, num_dimensions) float32 orthonormal columns, strongest first.
    """

    mean: np.ndarray
    components: np.ndarray

    def apply(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the reduced embeddings.

        Args:
            embeddings: (num_rows, dim) of any float type; may be memory-mapped.

        Returns:
            (num_rows, num_dimensions) float32, each row of length at most 1.
        """
        reduced = np.empty((len(embeddings), self.components.shape[1]), dtype=np.float32)
        for rows in _chunks(*embeddings.shape):
            centred, lengths = _centred(embeddings[rows], self.mean)
            np.matmul(centred, self.components, out=reduced[rows])
            reduced[rows] /= lengths
        return reduced


def fit_projection(
    embeddings: np.ndarray, num_dimensions: int, generator: np.random.Generator
) -> Projection:
    """Find the mean and the main directions of embeddings.

    Args:
        embeddings: (num_rows, dim) of any float type; may be memory-mapped.
        num_dimensions: Directions to keep; all of them where there are fewer.
        generator: Draws the rows the directions are taken from (at most 200,000) and the start
            of the iteration.

    Raises:
        ValueError: If an embedding is not finite.

    Examples:
        >>> points = np.array([[0.0, 1.0], [0.0, -1.0], [0.0, 3.0], [0.0, -3.0]])
        >>> found = fit_projection(points, 1, np.random.default_rng(0))
        >>> np.abs(found.components.round(3)).ravel().tolist()
        [0.0, 1.0]
    """
    num_rows, dim = embeddings.shape
    total = np.zeros(dim)
    for rows in _chunks(num_rows, dim):
        total += embeddings[rows].sum(axis=0, dtype=np.float64)
    if not np.isfinite(total).all():
        raise ValueError("embeddings must be finite numbers")
    mean = (total / num_rows).astype(np.float32)
    covariance = _covariance(embeddings, mean, generator)
    return Projection(mean, _main_directions(covariance, min(num_dimensions, dim), generator))


def _main_directions(
    covariance: np.ndarray, num_dimensions: int, generator: np.random.Generator
) -> np.ndarray:
    """Return the (dim, num_dimensions) leading eigenvectors, strongest first.

    On one thread: steps this small spend their time waiting when two threads share a busy machine.
    """
    dim = len(covariance)
    width = min(dim, num_dimensions + _OVERSAMPLING)
    basis = generator.standard_normal((dim, width), dtype=np.float32)
    with threadpool_limits(limits=1, user_api="blas"):
        for _ in range(_POWER_ITERATIONS):
            basis, _ = scipy.linalg.qr(covariance @ basis, mode="economic")
        _, rotation = scipy.linalg.eigh(basis.T @ covariance @ basis)
        components: np.ndarray = basis @ rotation[:, ::-1][:, :num_dimensions]
    return components.astype(np.float32, order="C")


def _covariance(
    embeddings: np.ndarray, mean: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Return the (dim, dim) float32 covariance of unit rows, from a sample."""
    num_rows, dim = embeddings.shape
    most = min(num_rows, _MOST_SAMPLED, max(_LEAST_SAMPLED, _SAMPLE_PER_DIMENSION * dim))
    sample = np.sort(generator.choice(num_rows, most, replace=False))
    products = np.zeros((dim, dim), dtype=np.float32)
    total = np.zeros(dim)
    for rows in _chunks(most, 2048):
        units, lengths = _centred(embeddings[sample[rows]], mean)
        units /= lengths
        products += units.T @ units
        total += units.sum(axis=0, dtype=np.float64)
    centre = (total / most).astype(np.float32)
    return products / np.float32(most) - np.outer(centre, centre)


def _centred(embeddings: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return centred rows and their (num_rows, 1) lengths, above 0 even for a row of zeros."""
    centred = np.subtract(embeddings, mean, dtype=np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", centred, centred))
    return centred, np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]


def _chunks(num_rows: int, dim: int) -> Iterator[slice]:
    size = max(64, _CHUNK_BYTES // (4 * dim))
    for first in range(0, num_rows, size):
        yield slice(first, min(first + size, num_rows))
