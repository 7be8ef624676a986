import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from maqam.data.manifest import read_manifest
from maqam.errors import AudioError, StoreError
from maqam.features import extract
from maqam.features.extract import fill_part, fill_store, join_parts, store_contents
from maqam.features.settings import FeatureSettings
from maqam.features.store import FeatureStore
from maqam.models.audio_states import encoded_states
from tests.factories import make_tone

from .corpus import make_backbone, make_manifest

pytestmark = pytest.mark.torch

SECONDS = [1.2, 0.0, 3.1, 0.4, 2.05, 0.0, 0.9]
ROWS = np.arange(len(SECONDS))
EXACT = FeatureSettings(dtype="float32", batch_seconds=4.0)


@pytest.fixture(scope="module")
def backbone():
    return make_backbone()


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return make_manifest(tmp_path_factory.mktemp("corpus"), SECONDS)


@pytest.fixture
def own_manifest(tmp_path):
    return make_manifest(tmp_path / "corpus", [0.5, 0.0, 0.7])


def inputs_of(backbone, manifest, rows, settings):
    return store_contents(backbone, manifest, rows, settings).inputs


def filled(backbone, manifest, rows, folder, settings=EXACT, progress=None):
    contents = store_contents(backbone, manifest, rows, settings)
    return fill_store(backbone, contents, folder, progress=progress)


def alone(backbone, manifest, row):
    return encoded_states(backbone, manifest)([row])[0]


def test_a_row_gets_the_same_states_whatever_lies_beside_it(backbone, manifest, tmp_path):
    store = filled(backbone, manifest, ROWS, tmp_path)
    for row, states in zip(ROWS, store(ROWS), strict=True):
        expected = alone(backbone, manifest, row)
        assert states.shape == expected.shape
        assert torch.allclose(states, expected, atol=1e-4)


def test_the_size_of_batches_does_not_change_the_store(backbone, manifest, tmp_path):
    settings = FeatureSettings(dtype="float32", batch_seconds=1000.0)
    one_batch = fill_store(
        backbone, store_contents(backbone, manifest, ROWS, settings), tmp_path / "a"
    )
    small = filled(backbone, manifest, ROWS, tmp_path / "b")
    for first, second in zip(one_batch(ROWS), small(ROWS), strict=True):
        assert torch.allclose(first, second, atol=1e-4)
    assert one_batch.fingerprint == small.fingerprint


def test_states_have_the_width_the_dialogue_expects_and_need_no_gradient(backbone, manifest):
    (states,) = encoded_states(backbone, manifest)([0])
    assert states.shape == (backbone.dialogue.num_audio_tokens(120), backbone.audio_dim)
    assert states.dtype == torch.float32
    assert not states.requires_grad


def test_text_rows_have_no_frames_and_a_zero_mean(backbone, manifest, tmp_path):
    store = filled(backbone, manifest, ROWS, tmp_path)
    assert store([1])[0].shape == (0, backbone.audio_dim)
    assert encoded_states(backbone, manifest)([1])[0].shape == (0, backbone.audio_dim)
    assert not store.pooled([1, 5]).any()
    assert np.flatnonzero(store.num_frames(ROWS) == 0).tolist() == [1, 5]


def test_means_are_those_of_the_states_before_rounding(backbone, manifest, tmp_path):
    store = fill_store(
        backbone, store_contents(backbone, manifest, ROWS, FeatureSettings()), tmp_path
    )
    expected = alone(backbone, manifest, 2).mean(dim=0)
    assert np.allclose(store.pooled([2])[0], expected, atol=1e-5)


def test_a_pool_of_text_rows_only_makes_a_store(backbone, manifest, tmp_path):
    store = fill_store(
        backbone, store_contents(backbone, manifest, np.array([1, 5]), EXACT), tmp_path
    )
    assert store.num_frames([1, 5]).tolist() == [0, 0]


def test_progress_counts_seconds_up_to_their_total(backbone, manifest, tmp_path):
    seen = []
    filled(backbone, manifest, ROWS, tmp_path, progress=lambda *done: seen.append(done))
    done = [one for one, _ in seen]
    assert len(seen) > 1
    assert done == sorted(done)
    assert seen[-1] == (round(sum(SECONDS)), round(sum(SECONDS)))


def test_a_finished_store_is_opened_without_running_the_encoder(
    backbone, manifest, tmp_path, monkeypatch
):
    first = filled(backbone, manifest, ROWS, tmp_path)
    monkeypatch.setattr(extract, "encode_rows", None)
    again = fill_store(
        backbone, store_contents(backbone, manifest, np.tile(ROWS, 2), EXACT), tmp_path
    )
    assert again.fingerprint == first.fingerprint


def test_a_fill_broken_off_between_batches_ends_as_if_it_never_stopped(
    backbone, manifest, tmp_path
):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_store(
            backbone, store_contents(backbone, manifest, ROWS, EXACT), tmp_path / "a", progress=stop
        )
    with pytest.raises(StoreError, match="half written"):
        FeatureStore(tmp_path / "a")
    filled(backbone, manifest, ROWS, tmp_path / "a")
    filled(backbone, manifest, ROWS, tmp_path / "b")
    for name in ("states.npy", "offsets.npy", "rows.npy", "pooled.npy", "store.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_other_weights_rows_or_formats_are_refused_by_name(backbone, manifest, tmp_path):
    filled(backbone, manifest, ROWS, tmp_path)
    for model, rows, settings, name in (
        (make_backbone(seed=1), ROWS, EXACT, "weights"),
        (backbone, ROWS[:3], EXACT, "audio"),
        (backbone, ROWS, FeatureSettings(), "dtype"),
    ):
        with pytest.raises(StoreError, match=f"made with other {name}$"):
            filled(model, manifest, rows, tmp_path, settings)


def test_the_llm_does_not_count_but_the_aligner_does(manifest):
    backbone = make_backbone()
    before = inputs_of(backbone, manifest, ROWS, EXACT)
    with torch.no_grad():
        backbone.model.lm_head.weight.add_(1.0)
    assert inputs_of(backbone, manifest, ROWS, EXACT) == before
    with torch.no_grad():
        backbone.model.model.audio_tower.proj.bias.add_(1.0)
    assert inputs_of(backbone, manifest, ROWS, EXACT)["weights"] != before["weights"]


def test_a_replaced_audio_file_changes_the_inputs(backbone, own_manifest):
    rows = np.arange(3)
    before = inputs_of(backbone, own_manifest, rows, EXACT)
    path = own_manifest.audio_path(0)
    path.write_bytes(path.read_bytes() + b"\0\0")
    assert inputs_of(backbone, own_manifest, rows, EXACT)["audio"] != before["audio"]


def test_a_corpus_moved_elsewhere_keeps_its_inputs(backbone, own_manifest, tmp_path):
    rows = np.arange(3)
    moved = read_manifest(shutil.copytree(own_manifest.folder, tmp_path / "moved"))
    before = inputs_of(backbone, own_manifest, rows, EXACT)
    assert inputs_of(backbone, moved, rows, EXACT) == before


def test_missing_audio_is_counted_before_anything_is_written(backbone, own_manifest, tmp_path):
    for row in (0, 2):
        own_manifest.audio_path(row).unlink()
    with pytest.raises(AudioError, match=r"2 audio files are missing: .*0\.wav"):
        fill_store(
            backbone,
            store_contents(backbone, own_manifest, np.arange(3), EXACT),
            tmp_path / "store",
        )
    assert not (tmp_path / "store").exists()


def test_broken_audio_stops_the_fill_and_a_mended_file_lets_it_go_on(
    backbone, own_manifest, tmp_path
):
    path = own_manifest.audio_path(0)
    whole = path.read_bytes()
    settings = FeatureSettings(dtype="float32", batch_seconds=0.1)
    path.write_bytes(whole[:-1000])
    with pytest.raises(AudioError, match="cut short"):
        fill_store(
            backbone, store_contents(backbone, own_manifest, np.arange(3), settings), tmp_path / "s"
        )
    path.write_bytes(whole)
    store = fill_store(
        backbone, store_contents(backbone, own_manifest, np.arange(3), settings), tmp_path / "s"
    )
    assert store.num_frames([0, 1, 2]).tolist() == [12, 0, 17]


def test_audio_without_a_single_token_is_named(backbone, tmp_path):
    manifest = make_manifest(tmp_path, [0.5, 0.015])
    with pytest.raises(AudioError, match="the audio of 1 rows is too short for an audio token: 1"):
        encoded_states(backbone, manifest)([0, 1])


def test_rows_with_several_audio_files_are_refused(backbone, own_manifest):
    column = own_manifest.table.schema.get_field_index("audios")
    audios = [["audio/0.wav", "audio/2.wav"], [], ["audio/2.wav"]]
    own_manifest.table = own_manifest.table.set_column(column, "audios", [audios])
    with pytest.raises(AudioError, match="1 rows name more than one audio file: 0"):
        inputs_of(backbone, own_manifest, np.arange(3), EXACT)


def test_a_store_the_disk_cannot_hold_is_refused_at_once(backbone, manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(StoreError, match=r"needs 0\.0 GB more, the disk has 0\.0 GB"):
        filled(backbone, manifest, ROWS, tmp_path)


def test_rows_go_longest_first_in_batches_of_the_given_seconds():
    rows, seconds = np.arange(6), np.array([9.0, 4.0, 3.0, 2.0, 0.0, 0.0])
    batches = [batch.tolist() for batch in extract._batches(rows, seconds, 7.0)]
    assert batches == [[0], [1, 2], [3, 4, 5]]
    assert list(extract._batches(rows[:0], seconds[:0], 7.0)) == []


@pytest.mark.parametrize("keep", ["states", "pooled"])
@pytest.mark.parametrize("num_parts", [2, 3])
def test_parts_of_several_processes_join_to_the_bytes_of_one(
    backbone, manifest, tmp_path, keep, num_parts
):
    settings = FeatureSettings(keep=keep, batch_seconds=2.0)
    contents = store_contents(backbone, manifest, ROWS, settings)
    alone = fill_store(backbone, contents, tmp_path / "one")
    for index in reversed(range(num_parts)):
        fill_part(backbone, contents, tmp_path / "many", (index, num_parts))
    assert join_parts(contents, tmp_path / "many", num_parts).fingerprint == alone.fingerprint
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == names
    for name in names:
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_a_store_of_means_holds_no_states(backbone, manifest, tmp_path):
    means = filled(backbone, manifest, ROWS, tmp_path / "m", FeatureSettings(keep="pooled"))
    states = filled(backbone, manifest, ROWS, tmp_path / "s", FeatureSettings(keep="states"))
    assert not (tmp_path / "m" / "states.npy").exists()
    assert np.array_equal(means.pooled(ROWS), states.pooled(ROWS))
    assert np.array_equal(means.num_frames(ROWS), states.num_frames(ROWS))
    assert means.fingerprint != states.fingerprint
    with pytest.raises(StoreError, match="keeps the means of aligner outputs only"):
        means([0])


def test_other_audio_of_equal_size_changes_the_inputs_and_a_touched_file_does_not(
    backbone, own_manifest
):
    rows = np.arange(3)
    before = inputs_of(backbone, own_manifest, rows, EXACT)
    path = own_manifest.audio_path(0)
    os.utime(path, (1, 1))
    assert inputs_of(backbone, own_manifest, rows, EXACT) == before
    size = path.stat().st_size
    make_tone(path, seconds=0.5, hertz=1234.0)
    assert path.stat().st_size == size
    assert inputs_of(backbone, own_manifest, rows, EXACT)["audio"] != before["audio"]


def test_stores_of_before_are_counted(backbone, own_manifest, tmp_path):
    rows = np.arange(3)
    inputs = inputs_of(backbone, own_manifest, rows, EXACT)
    filled(backbone, own_manifest, rows, tmp_path / "new")
    assert FeatureStore.num_older(tmp_path, inputs) == 0
    old = shutil.copytree(tmp_path / "new", tmp_path / "old") / "store.json"
    record = json.loads(old.read_text())
    del record["inputs"]["audio key"]
    old.write_text(json.dumps(record))
    assert FeatureStore.num_older(tmp_path, inputs) == 1
    assert FeatureStore.num_older(tmp_path, {**inputs, "weights": "others"}) == 0
