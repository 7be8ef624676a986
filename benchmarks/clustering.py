"""Clustering of ADS embeddings: Maqam against faiss' Kmeans and scikit-learn's MiniBatchKMeans.

The data is synthetic: Gaussian groups of 1280 dimensions whose sizes follow Zipf's law, more groups
than clusters. Every peer gets the same array and clusters it with its own defaults (faiss: 25
iterations, random start). Inertia is measured in the ORIGINAL space for all alike: the means of
each method's groups, then every row to the nearest mean. Rounds are interleaved and ratios are
taken within a round, so that other work on the machine weighs on all of them.

    pip install maqam[bench]
    python benchmarks/clustering.py
"""

import argparse
import os
import time
from collections.abc import Callable

import faiss
import numpy as np
from sklearn.cluster import MiniBatchKMeans

from maqam.features.kmeans import _means, _nearest, fit_clusters

Method = Callable[[np.ndarray, int, int], np.ndarray]


def make_embeddings(num_rows: int, dim: int, num_groups: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, num_groups + 1)
    centres = rng.standard_normal((num_groups, dim), dtype=np.float32)
    embeddings = centres[rng.choice(num_groups, num_rows, p=shares / shares.sum())]
    for first in range(0, num_rows, 4096):
        part = embeddings[first : first + 4096]
        part += spread * rng.standard_normal(part.shape, dtype=np.float32)
    return embeddings


def maqam(embeddings: np.ndarray, num_clusters: int, seed: int) -> np.ndarray:
    return fit_clusters(embeddings, num_clusters=num_clusters, seed=seed).labels


def faiss_defaults(embeddings: np.ndarray, num_clusters: int, seed: int) -> np.ndarray:
    found = faiss.Kmeans(embeddings.shape[1], num_clusters, seed=seed + 1)
    found.train(embeddings)
    return found.index.search(embeddings, 1)[1][:, 0]


def minibatch(embeddings: np.ndarray, num_clusters: int, seed: int) -> np.ndarray:
    return MiniBatchKMeans(num_clusters, random_state=seed).fit(embeddings).labels_


METHODS: dict[str, Method] = {
    "maqam": maqam,
    "faiss Kmeans (defaults)": faiss_defaults,
    "sklearn MiniBatchKMeans (defaults)": minibatch,
}


def inertia_of(embeddings: np.ndarray, labels: np.ndarray) -> float:
    groups = np.unique(labels, return_inverse=True)[1]
    centroids = _means(embeddings, groups, int(groups.max()) + 1)
    return float(_nearest(embeddings, centroids)[1].sum(dtype=np.float64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=1280)
    parser.add_argument("--clusters", type=int, default=500)
    parser.add_argument("--groups", type=int, default=2000)
    parser.add_argument("--spread", type=float, default=1.0, help="of a group; centres have 1")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    embeddings = make_embeddings(given.rows, given.dim, given.groups, given.spread)
    print(
        f"{given.rows} x {given.dim} synthetic rows of {given.groups} Zipf-sized Gaussian groups, "
        f"K = {given.clusters}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    inertias: dict[str, list[float]] = {name: [] for name in METHODS}
    for seed in range(given.rounds):
        for name, method in METHODS.items():
            begun = time.perf_counter()
            labels = method(embeddings, given.clusters, seed)
            seconds[name].append(time.perf_counter() - begun)
            inertias[name].append(inertia_of(embeddings, labels))
            print(f"  round {seed}: {name}: {seconds[name][-1]:.1f} s", flush=True)
    ours, inertia = np.array(seconds["maqam"]), np.array(inertias["maqam"])
    print(f"{'method':38}{'seconds':>9}{'its time / ours':>24}{'inertia':>11}{'its / ours':>12}")
    for name in METHODS:
        ratios = np.array(seconds[name]) / ours
        spread = f"{np.median(ratios):.1f} ({ratios.min():.1f} to {ratios.max():.1f})"
        print(
            f"{name:38}{np.median(seconds[name]):9.1f}{spread:>24}{np.median(inertias[name]):11.4g}"
            f"{np.median(np.array(inertias[name]) / inertia):12.4f}"
        )


if __name__ == "__main__":
    main()
