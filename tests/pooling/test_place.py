import pytest

from maqam.data.manifest import read_manifest
from maqam.errors import ManifestError
from maqam.pooling.place import write_pool
from maqam.pooling.select import select
from maqam.tasks import default_tasks

from .manifests import corpus


def test_a_manifest_that_is_there_is_replaced_only_by_force(tmp_path):
    found = corpus(tmp_path / "a", "a", {}, {})
    write_pool(found, tmp_path / "b")
    with pytest.raises(ManifestError, match="there is a manifest already") as caught:
        write_pool(found, tmp_path / "b")
    assert "--force" in caught.value.hint
    left, _ = select(found, "id == 'utterance-0'")
    assert read_manifest(write_pool(left, tmp_path / "b", force=True)).num_utterances == 1


def test_the_tasks_of_a_manifest_that_was_there_do_not_stay(tmp_path):
    changed = "did: {labels: [EG, SA]}"
    write_pool(corpus(tmp_path / "own", "a", {}, tasks=changed), tmp_path / "pool")
    rows = {"task": "did", "label": "gulf", "target": "gulf"}
    path = write_pool(corpus(tmp_path / "five", "a", rows), tmp_path / "pool", force=True)
    assert read_manifest(path).tasks == default_tasks()


def test_a_manifest_never_replaces_its_source(tmp_path):
    found = corpus(tmp_path / "a", "a", {})
    with pytest.raises(ManifestError, match="would replace the manifest that it is made from"):
        write_pool(found, tmp_path / "a" / ".." / "a", sources=(found.path,), force=True)


def test_a_manifest_without_rows_is_not_written(tmp_path):
    left, _ = select(corpus(tmp_path / "a", "a", {}), "seconds > 99")
    with pytest.raises(ManifestError, match="no row is left"):
        write_pool(left, tmp_path / "b")
    assert not (tmp_path / "b").exists()
