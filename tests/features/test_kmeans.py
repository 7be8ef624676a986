import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from maqam.errors import ConfigError
from maqam.features import kmeans
from maqam.features.kmeans import choose_num_clusters, fit_clusters


def make_groups(num_groups=12, each=30, dim=40, spread=0.1, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((num_groups, dim))
    groups = np.repeat(np.arange(num_groups), each)
    noise = spread * rng.standard_normal((len(groups), dim))
    return (centres[groups] + noise).astype(np.float32), groups


def test_well_separated_groups_are_found_whatever_the_seed():
    embeddings, groups = make_groups()
    for seed in range(5):
        found = fit_clusters(embeddings, num_clusters=12, seed=seed)
        assert adjusted_rand_score(groups, found.labels) == 1.0


def test_inertia_is_no_worse_than_scikit_learns_best_of_three():
    embeddings, _ = make_groups(num_groups=40, spread=1.5)
    found = fit_clusters(embeddings, num_clusters=25, seed=0, num_dimensions=40)
    points = found.projection.apply(embeddings)
    peer = KMeans(25, n_init=3, random_state=0).fit(points)
    assert found.inertia < 1.02 * peer.inertia_


def test_the_same_seed_gives_the_same_labels_and_another_seed_others():
    embeddings, _ = make_groups(spread=2.0)
    first = fit_clusters(embeddings, num_clusters=9, seed=3)
    again = fit_clusters(embeddings, num_clusters=9, seed=3)
    other = fit_clusters(embeddings, num_clusters=9, seed=4)
    assert np.array_equal(first.labels, again.labels)
    assert np.array_equal(first.centroids, again.centroids)
    assert not np.array_equal(first.labels, other.labels)


def test_a_pool_larger_than_the_sample_is_clustered_whole():
    embeddings, groups = make_groups(num_groups=3, each=300)
    found = fit_clusters(embeddings, num_clusters=3, seed=0)
    assert len(embeddings) > 2 * kmeans._SAMPLE_PER_CLUSTER * 3
    assert adjusted_rand_score(groups, found.labels) == 1.0


def test_labels_inertia_and_assignment_of_the_same_rows_agree():
    embeddings, _ = make_groups(spread=1.0)
    found = fit_clusters(embeddings, num_clusters=7, seed=0)
    points = found.projection.apply(embeddings)
    own = ((points - found.centroids[found.labels]) ** 2).sum()
    assert found.inertia == pytest.approx(own, rel=1e-3)
    assert np.array_equal(found.assign(embeddings), found.labels)
    assert found.labels.dtype == np.int32


@pytest.mark.parametrize("num_clusters", [1, 5, 20])
def test_no_cluster_is_empty_even_where_all_rows_are_equal(num_clusters):
    found = fit_clusters(np.ones((20, 3)), num_clusters=num_clusters, seed=0)
    assert np.bincount(found.labels, minlength=num_clusters).min() >= 1


def test_an_empty_cluster_takes_the_farthest_row_of_the_largest():
    points = np.array([[0.0], [1.0], [5.0], [9.0]], dtype=np.float32)
    centroids = np.array([[1.0], [9.0], [99.0]], dtype=np.float32)
    labels, distances = kmeans._nearest(points, centroids)
    assert labels.tolist() == [0, 0, 0, 1]
    kmeans._refill(points, centroids, labels, distances)
    assert labels.tolist() == [0, 0, 2, 1]
    assert centroids[2].tolist() == [5.0]
    assert distances.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_of_two_equally_near_centroids_the_lower_number_wins():
    centroids = np.array([[1.0], [-1.0], [1.0]], dtype=np.float32)
    labels, _ = kmeans._nearest(np.array([[0.0], [3.0]], dtype=np.float32), centroids)
    assert labels.tolist() == [0, 0]


def test_chunks_do_not_change_the_result(monkeypatch):
    embeddings, _ = make_groups(spread=1.0)
    whole = fit_clusters(embeddings, num_clusters=7, seed=0)
    monkeypatch.setattr(kmeans, "_CHUNK_SCORES", 1)
    monkeypatch.setattr(kmeans, "_CHUNK_ROWS", 17)
    assert np.array_equal(fit_clusters(embeddings, num_clusters=7, seed=0).labels, whole.labels)


def test_half_precision_and_memory_mapped_embeddings_are_taken(tmp_path):
    embeddings, groups = make_groups()
    np.save(tmp_path / "pooled.npy", embeddings.astype(np.float16))
    mapped = np.load(tmp_path / "pooled.npy", mmap_mode="r")
    found = fit_clusters(mapped, num_clusters=12, seed=0)
    assert adjusted_rand_score(groups, found.labels) == 1.0


@pytest.mark.parametrize(
    ("num_clusters", "num_rows", "expected"),
    [(None, 10_000, 500), (None, 9_999, 499), (None, 5, 1), (7, 100_000, 7), (100, 100, 100)],
)
def test_the_number_of_clusters_follows_the_pool(num_clusters, num_rows, expected):
    count, note = choose_num_clusters(num_clusters, num_rows)
    assert count == expected
    assert bool(note) == (num_clusters is None and expected != 500)


def test_more_clusters_than_rows_are_refused():
    with pytest.raises(ConfigError, match="9 clusters need as many rows with audio, there are 4"):
        fit_clusters(np.ones((4, 2)), num_clusters=9, seed=0)


def test_embeddings_that_are_no_table_or_not_finite_are_refused():
    with pytest.raises(ValueError, match=r"must be \(num_rows, dim\)"):
        fit_clusters(np.ones(4), seed=0)
    with pytest.raises(ValueError, match="not empty"):
        fit_clusters(np.ones((0, 4)), seed=0)
    with pytest.raises(ValueError, match="finite"):
        fit_clusters(np.array([[1.0, np.nan], [0.0, 1.0]]), num_clusters=1, seed=0)
