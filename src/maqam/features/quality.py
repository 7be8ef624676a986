"""What clusters have to do with tasks, dialects and speakers, and how even they are.

With hundreds of clusters and five labels the usual scores mislead: 500 random clusters of 5,000
rows reach a homogeneity of .18 and a purity of .60. So homogeneity is reported above what the same
clusters get from shuffled labels, and mutual information adjusted for chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, homogeneity_score

from maqam.seeding import generator

_MOST_ROWS = 50_000
_NUM_SHUFFLES = 20


@dataclass(frozen=True, slots=True)
class ClusterSizes:
    """How rows spread over clusters.

    Attributes:
        num_clusters: Clusters that hold a row.
        smallest: Rows of the smallest.
        median: Median rows.
        largest: Rows of the largest.
        imbalance: Sum of squared sizes times `num_clusters` over the squared number of rows:
            1 when all are equal, `num_clusters` when one holds nearly everything.
    """

    num_clusters: int
    smallest: int
    median: float
    largest: int
    imbalance: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much clusters tell of one column.

    Attributes:
        column: Its name, such as "dialect".
        num_rows: Rows with a value, of which at most 50,000 were scored.
        num_values: Distinct values among them.
        adjusted_mutual_information: 0 by chance, 1 for the same grouping.
        homogeneity: Fraction of the column's entropy that the cluster takes away, in [0, 1].
        chance_homogeneity: The same for shuffled values: what many small clusters get for free.
        homogeneity_above_chance: 0 by chance, 1 when every cluster holds a single value; negative
            when below chance.
        remaining_entropy: Entropy of the column within clusters over its entropy, in [0, 1].
    """

    column: str
    num_rows: int
    num_values: int
    adjusted_mutual_information: float
    homogeneity: float
    chance_homogeneity: float
    homogeneity_above_chance: float
    remaining_entropy: float


def cluster_sizes(labels: np.ndarray) -> ClusterSizes:
    """Describe the sizes of clusters.

    Args:
        labels: (num_rows,) cluster of each row, at least one row.

    Examples:
        >>> cluster_sizes(np.array([0, 0, 0, 1])).imbalance
        1.25
    """
    sizes = np.unique(labels, return_counts=True)[1]
    return ClusterSizes(
        num_clusters=len(sizes),
        smallest=int(sizes.min()),
        median=float(np.median(sizes)),
        largest=int(sizes.max()),
        imbalance=float(len(sizes) * np.square(sizes, dtype=np.float64).sum() / sizes.sum() ** 2),
    )


def agreements(
    labels: np.ndarray, columns: Mapping[str, Sequence[str | None] | np.ndarray], *, seed: int = 0
) -> list[Agreement]:
    """Score what clusters tell of each column.

    Args:
        labels: (num_rows,) cluster of each row.
        columns: Values of each row by column name; None where a row has none.
        seed: Seed of the shuffles, and of the choice of rows where there are too many.

    Returns:
        One for each column with two values or more, in the order given; a column with fewer has
        nothing to tell and is left out.

    Examples:
        >>> clusters = np.repeat(np.arange(4), 25)
        >>> dialects = np.repeat(["egyptian", "gulf"], 50)
        >>> [scored] = agreements(clusters, {"dialect": dialects, "source": ["x"] * 100})
        >>> round(scored.homogeneity_above_chance, 3), round(scored.remaining_entropy, 3)
        (1.0, 0.0)
    """
    scored = (
        _agreement(name, labels, np.asarray(values, dtype=object), seed)
        for name, values in columns.items()
    )
    return [one for one in scored if one is not None]


def _agreement(name: str, labels: np.ndarray, values: np.ndarray, seed: int) -> Agreement | None:
    rng = generator(seed, "agreement", name)
    here = np.flatnonzero([value is not None for value in values])
    num_rows = len(here)
    if num_rows > _MOST_ROWS:
        here = rng.choice(here, _MOST_ROWS, replace=False)
    distinct, codes = np.unique(values[here].astype(str), return_inverse=True)
    if len(distinct) < 2:
        return None
    clusters = labels[here]
    homogeneity = float(homogeneity_score(codes, clusters))
    by_chance = [homogeneity_score(rng.permutation(codes), clusters) for _ in range(_NUM_SHUFFLES)]
    chance = float(np.mean(by_chance))
    room = 1 - chance  # none where every row is a cluster of its own
    return Agreement(
        column=name,
        num_rows=num_rows,
        num_values=len(distinct),
        adjusted_mutual_information=float(adjusted_mutual_info_score(codes, clusters)),
        homogeneity=homogeneity,
        chance_homogeneity=chance,
        homogeneity_above_chance=(homogeneity - chance) / room if room > 1e-9 else 0.0,
        remaining_entropy=1 - homogeneity,
    )
