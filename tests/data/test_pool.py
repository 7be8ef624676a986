import numpy as np
import pytest

from maqam.data.manifest import read_manifest, write_manifest
from maqam.data.pool import pool_from_manifest
from maqam.errors import ScheduleError
from maqam.schedule import Pool
from tests.factories import make_row


@pytest.fixture
def manifest(tmp_path):
    return read_manifest(write_manifest([make_row(index) for index in range(40)], tmp_path))


def test_the_pool_is_the_one_made_from_the_plain_columns(manifest):
    rows = manifest.select(split="train")
    columns = {
        name: np.array([value or "-" for value in manifest.column(name)[rows]], dtype=str)
        for name in ("task", "label", "dialect", "speaker", "source")
    }
    seconds = {"seconds": manifest.column("seconds")[rows]}
    ids = list(manifest.column("id")[rows])
    plain = Pool.from_columns(columns, ids=ids, rows=rows, values=seconds)
    pool = pool_from_manifest(manifest, rows)
    assert pool.fingerprint == plain.fingerprint
    assert dict(pool.names) == dict(plain.names)


def test_a_plan_over_the_pool_names_rows_of_the_manifest(manifest):
    rows = manifest.select(split="train", task="did")
    pool = pool_from_manifest(manifest, rows)
    assert pool.rows.tolist() == rows.tolist()
    assert pool.names["task"] == ("did",)


def test_clusters_are_an_axis_of_their_own(manifest):
    pool = pool_from_manifest(manifest, np.array([3, 1, 2]), clusters=np.array([7, 0, 7]))
    assert pool.names["cluster"] == ("0", "7")
    assert pool.columns["cluster"].tolist() == [1, 0, 1]


def test_a_column_of_the_manifests_own_is_an_axis_or_a_measure(tmp_path):
    rows = [make_row(index) | {"mic": "ab"[index % 2], "snr": index / 2} for index in range(6)]
    pool = pool_from_manifest(read_manifest(write_manifest(rows, tmp_path)), np.arange(6))
    assert pool.names["mic"] == ("a", "b")
    assert pool.values["snr"].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]


def test_a_column_of_many_different_texts_is_no_axis(tmp_path, monkeypatch):
    monkeypatch.setattr("maqam.data.pool.MOST_GROUPS", 4)
    rows = [
        make_row(index) | {"mic": "ab"[index % 2], "text": f"قول {index}"} for index in range(6)
    ]
    pool = pool_from_manifest(read_manifest(write_manifest(rows, tmp_path)), np.arange(6))
    assert "mic" in pool.names
    assert "text" not in pool.names


def test_rows_in_another_order_give_the_same_codes(manifest):
    rows = np.array([4, 0, 3, 2, 1])
    pool = pool_from_manifest(manifest, rows)
    found = [pool.names["task"][code] for code in pool.columns["task"]]
    assert found == [manifest.row(int(row))["task"] for row in rows]


def test_no_rows_are_an_error(manifest):
    with pytest.raises(ScheduleError, match="the pool is empty"):
        pool_from_manifest(manifest, np.array([], dtype=np.int64))


def test_a_column_of_weights_is_an_axis_of_numbers_and_null_counts_one(tmp_path):
    rows = [make_row(index, sampling_weight=[2.5, None, 1.0][index % 3]) for index in range(6)]
    pool = pool_from_manifest(read_manifest(write_manifest(rows, tmp_path)), np.arange(6))
    codes, names = pool.axis("sampling_weight")
    assert [names[code] for code in codes] == ["2.5", "1", "1"] * 2
    assert "sampling_weight" not in pool.values


@pytest.mark.parametrize("weights", [[0.0, 1.0], [-1.0, 1.0], [float("nan"), 1.0], ["a", "b"]])
def test_a_weight_is_a_number_above_zero(tmp_path, weights):
    rows = [make_row(index, sampling_weight=one) for index, one in enumerate(weights)]
    manifest = read_manifest(write_manifest(rows, tmp_path))
    with pytest.raises(ScheduleError, match="not a finite number above 0"):
        pool_from_manifest(manifest, np.arange(2))
