from dataclasses import replace

import numpy as np
import pytest

from maqam.errors import ConfigError, StoreError
from maqam.features import clusters as module
from maqam.features.clusters import cluster_rows, load_clusters, load_or_cluster, save_clusters
from maqam.features.settings import FeatureSettings
from maqam.features.store import StoreWriter

from .states import DIM, INPUTS

SPOKEN = 40


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Rows 0 to 39 spoken, in four groups; rows 40 to 43 text."""
    rng = np.random.default_rng(0)
    rows = np.arange(44)
    means = (10 * np.eye(DIM)[rows % 4] + rng.standard_normal((44, DIM)) / 10).astype(np.float32)
    means[SPOKEN:] = 0
    writer = StoreWriter(tmp_path_factory.mktemp("store"), INPUTS, rows, DIM, "float32")
    writer.append([means[row : row + 1] if row < SPOKEN else means[:0] for row in rows], means)
    return writer.finish()


SETTINGS = FeatureSettings(num_clusters=4)


def test_rows_are_grouped_and_rows_without_audio_form_the_last_cluster(store):
    found = cluster_rows(store, np.arange(44), settings=SETTINGS, seed=0)
    spoken = found.labels[:SPOKEN]
    assert all(len(np.unique(spoken[group::4])) == 1 for group in range(4))
    assert (found.labels[SPOKEN:] == 4).all()
    assert found.num_clusters == 5
    assert found.note == "4 rows without audio form cluster 4"


def test_a_small_pool_gets_a_cluster_every_twenty_rows_and_says_so(store):
    found = cluster_rows(store, np.arange(SPOKEN), settings=FeatureSettings(), seed=0)
    assert found.num_clusters == 2
    assert found.note.startswith("2 clusters for 40 rows, one every 20")


def test_a_pool_of_text_only_is_one_cluster(store):
    found = cluster_rows(store, np.array([41, 43]), settings=SETTINGS, seed=0)
    assert found.labels.tolist() == [0, 0]
    assert found.num_clusters == 1


def test_labels_are_found_by_manifest_row(store):
    found = cluster_rows(store, np.array([9, 4, 41, 9, 5, 6, 3]), settings=SETTINGS, seed=0)
    assert found.rows.tolist() == [3, 4, 5, 6, 9, 41]
    assert np.array_equal(found.labels_of(np.array([41, 3])), found.labels[[5, 0]])
    with pytest.raises(StoreError, match="2 manifest rows have no cluster: 7, 99"):
        found.labels_of(np.array([3, 7, 99]))


def test_more_clusters_than_spoken_rows_are_refused(store):
    with pytest.raises(ConfigError, match="there are 3"):
        cluster_rows(store, np.array([1, 2, 3, 41, 42]), settings=SETTINGS, seed=0)


def test_what_was_saved_is_read_back(store, tmp_path):
    found = cluster_rows(store, np.arange(44), settings=SETTINGS, seed=0)
    save_clusters(found, tmp_path / "new")
    read = load_clusters(tmp_path / "new")
    assert np.array_equal(read.rows, found.rows)
    assert np.array_equal(read.labels, found.labels)
    assert replace(read, rows=None, labels=None) == replace(found, rows=None, labels=None)


def test_clusters_are_made_once_for_the_same_inputs(store, tmp_path, monkeypatch):
    rows = np.arange(44)
    first = load_or_cluster(store, rows, tmp_path, settings=SETTINGS, seed=0)
    other = load_or_cluster(store, rows, tmp_path, settings=SETTINGS, seed=1)
    assert other.fingerprint != first.fingerprint
    monkeypatch.setattr(module, "cluster_rows", None)
    again = load_or_cluster(store, rows, tmp_path, settings=SETTINGS, seed=1)
    assert np.array_equal(again.labels, other.labels)


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_broken_file_is_refused(tmp_path, content):
    (tmp_path / "clusters.npz").write_bytes(content)
    with pytest.raises(StoreError, match="the clusters cannot be read"):
        load_clusters(tmp_path)


def test_no_file_and_another_format_are_refused(tmp_path):
    with pytest.raises(StoreError, match="there are no clusters here"):
        load_clusters(tmp_path)
    np.savez(tmp_path / "clusters.npz", about='{"format_version": 9}', rows=[], labels=[])
    with pytest.raises(StoreError, match="not of format 1"):
        load_clusters(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(store, tmp_path):
    (tmp_path / "file").write_text("")
    found = cluster_rows(store, np.arange(44), settings=SETTINGS, seed=0)
    with pytest.raises(StoreError, match="the clusters cannot be written"):
        save_clusters(found, tmp_path / "file" / "below")
