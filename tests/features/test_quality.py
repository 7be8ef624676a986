import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from maqam.features import quality
from maqam.features.quality import agreements, cluster_sizes


def test_sizes_are_counted():
    sizes = cluster_sizes(np.repeat([0, 3, 7], [2, 4, 6]))
    assert (sizes.num_clusters, sizes.smallest, sizes.median, sizes.largest) == (3, 2, 4.0, 6)
    assert sizes.imbalance == pytest.approx(3 * (4 + 16 + 36) / 144)


def test_many_random_clusters_tell_nothing_above_chance():
    rng = np.random.default_rng(0)
    clusters, dialects = rng.integers(200, size=2000), rng.choice(["a", "b", "c"], 2000)
    [scored] = agreements(clusters, {"dialect": dialects})
    assert scored.homogeneity > 0.08  # what the plain score would claim
    assert abs(scored.homogeneity_above_chance) < 0.02
    assert abs(scored.adjusted_mutual_information) < 0.02


def test_clusters_within_dialects_tell_all_of_them():
    dialects = np.repeat(["a", "b"], 100)
    clusters = np.arange(200) // 10
    [scored] = agreements(clusters, {"dialect": dialects})
    assert scored.homogeneity == pytest.approx(1.0)
    assert scored.homogeneity_above_chance == pytest.approx(1.0)
    assert scored.remaining_entropy == pytest.approx(0.0, abs=1e-9)
    assert scored.adjusted_mutual_information == pytest.approx(
        adjusted_mutual_info_score(dialects, clusters)
    )


def test_remaining_entropy_is_that_within_clusters_over_all():
    dialects = ["a", "a", "a", "b", "b", "b", "b", "a"]
    [scored] = agreements(np.repeat([0, 1], 4), {"dialect": dialects})
    within = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    assert scored.remaining_entropy == pytest.approx(within / 1.0)


def test_rows_without_a_value_do_not_count_and_a_constant_column_is_left_out():
    columns = {"dialect": ["a", None, "b", None], "source": ["x"] * 4, "label": [None] * 4}
    [scored] = agreements(np.array([0, 1, 2, 3]), columns)
    assert (scored.column, scored.num_rows, scored.num_values) == ("dialect", 2, 2)


def test_each_row_its_own_cluster_is_no_better_than_chance():
    [scored] = agreements(np.arange(4), {"dialect": ["a", "a", "b", "b"]})
    assert scored.chance_homogeneity == pytest.approx(1.0)
    assert scored.homogeneity_above_chance == 0.0


def test_many_rows_are_scored_on_a_seeded_choice_of_them(monkeypatch):
    monkeypatch.setattr(quality, "_MOST_ROWS", 100)
    rng = np.random.default_rng(0)
    clusters, values = rng.integers(5, size=1000), rng.choice(["a", "b"], 1000)
    first = agreements(clusters, {"dialect": values}, seed=1)
    assert first == agreements(clusters, {"dialect": values}, seed=1)
    assert first != agreements(clusters, {"dialect": values}, seed=2)
    assert first[0].num_rows == 1000
