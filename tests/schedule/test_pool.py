import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.errors import ScheduleError
from maqam.schedule import Pool

COLUMNS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), min_size=1, max_size=60
)


@settings(max_examples=40, deadline=None)
@given(values=COLUMNS)
def test_codes_and_names_give_back_the_columns(values):
    letters, numbers, flags = zip(*values, strict=True)
    pool = Pool.from_columns({"task": letters, "cluster": numbers, "flag": flags})
    for axis, column in zip(("task", "cluster", "flag"), (letters, numbers, flags), strict=True):
        read = [pool.names[axis][code] for code in pool.columns[axis]]
        assert read == [str(value) for value in column]


def test_rows_and_ids_are_numbers_when_absent():
    pool = Pool.from_columns({"task": ["asr", "did", "asr"]})
    assert pool.rows.tolist() == pool.uids.tolist() == [0, 1, 2]


def test_rows_of_the_manifest_are_kept():
    pool = Pool.from_columns({"task": ["asr", "did"]}, rows=np.array([9, 4]))
    assert pool.rows.tolist() == [9, 4]
    assert pool.rows.dtype == np.int64


def test_clusters_are_ordered_as_numbers_not_as_words():
    assert Pool.from_columns({"cluster": [10, 9, 2]}).names["cluster"] == ("2", "9", "10")


def test_an_empty_label_is_a_group_of_its_own():
    pool = Pool.from_columns({"task": ["asr", "ser", "ser"], "label": ["", "sad", "happy"]})
    assert pool.names["label"] == ("", "happy", "sad")
    assert pool.columns["label"].tolist() == [0, 2, 1]


def test_a_pool_without_columns_counts_its_ids():
    assert Pool.from_columns({}, ids=["a", "b"]).num_utterances == 2


def test_an_empty_pool_is_refused():
    with pytest.raises(ScheduleError, match="pool: the pool is empty") as caught:
        Pool.from_columns({"task": []})
    assert caught.value.hint == "check split and filters"


def test_repeated_ids_are_named():
    with pytest.raises(ScheduleError, match=r"pool: ids repeat: 'b', 'b'$"):
        Pool.from_columns({"task": ["asr"] * 4}, ids=["a", "b", "c", "b"])


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"must be equally long, got \[2, 3\]"):
        Pool.from_columns({"task": ["asr"] * 2}, ids=["a", "b", "c"])


def changed(**changes):
    values = {"task": ["asr", "did", "did"], "ids": ["x", "y", "z"], "rows": [0, 1, 2], **changes}
    return Pool.from_columns(
        {"task": values["task"]}, ids=values["ids"], rows=np.array(values["rows"])
    )


def test_equal_pools_have_one_fingerprint():
    assert changed().fingerprint == changed().fingerprint
    assert len(changed().fingerprint) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"task": ["asr", "asr", "did"]},
        {"task": ["asr", "ser", "ser"]},
        {"ids": ["x", "y", "w"]},
        {"rows": [0, 1, 3]},
    ],
    ids=["group", "name of a group", "id", "row"],
)
def test_any_change_shows_in_the_fingerprint(change):
    assert changed(**change).fingerprint != changed().fingerprint


@settings(max_examples=40, deadline=None)
@given(values=COLUMNS)
def test_cells_are_the_combinations_that_occur_with_their_sizes(values):
    letters, numbers, _ = zip(*values, strict=True)
    cells = Pool.from_columns({"task": letters, "cluster": numbers}).cells(("task", "cluster"))
    pairs = [
        (cells.names["task"][task], cells.names["cluster"][cluster])
        for task, cluster in zip(cells.codes["task"], cells.codes["cluster"], strict=True)
    ]
    own = [(letter, str(number)) for letter, number in zip(letters, numbers, strict=True)]
    assert pairs == sorted(set(own))
    assert cells.sizes.tolist() == [own.count(pair) for pair in pairs]
    assert [pairs[cell] for cell in cells.of_utterance] == own


def test_no_axes_make_one_cell_of_all():
    cells = Pool.from_columns({"task": ["asr", "did"]}).cells(())
    assert cells.num_cells == 1
    assert cells.sizes.tolist() == [2]


def test_an_absent_axis_is_named_beside_those_there_are():
    pool = Pool.from_columns({"task": ["asr"], "label": ["a"]})
    with pytest.raises(ScheduleError, match="schedule: the pool has no column dialect") as caught:
        pool.cells(("task", "dialect"))
    assert caught.value.hint == "it has task, label"


def test_absent_clusters_name_the_command_that_makes_them():
    with pytest.raises(ScheduleError, match="the pool has no column cluster") as caught:
        Pool.from_columns({"task": ["asr"]}).cells(("task", "cluster"))
    assert (
        caught.value.hint == "maqam features makes clusters, for phase tune; phase align has none"
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
@pytest.mark.parametrize("base", [0, 100, -100, 2**40, 2**63])
def test_numbers_of_any_range_are_coded_as_by_sorting(dtype: str, base: int) -> None:
    info = np.iinfo(dtype)
    low = min(max(base, int(info.min)), int(info.max) - 20)
    drawn = np.random.default_rng(0).integers(0, 20, 300).astype(dtype)
    column = drawn + np.array(low, dtype=dtype)
    column[7] = info.max if base == 100 else column[7]
    found, codes = np.unique(column, return_inverse=True)
    pool = Pool.from_columns({"cluster": column})
    assert pool.names["cluster"] == tuple(str(one) for one in found)
    assert np.array_equal(pool.columns["cluster"], codes)
    assert pool.columns["cluster"].dtype == np.int32
