import numpy as np
import pytest

from maqam.features.npy_file import GrowingArray


@pytest.mark.parametrize(("dtype", "width"), [("<f2", 3), ("<f4", 3), ("<i8", 0)])
def test_what_was_appended_is_a_plain_npy_file(tmp_path, dtype, width):
    path = tmp_path / "array.npy"
    rows = np.arange(30).reshape(10, 3) if width else np.arange(10)
    array = GrowingArray(path, dtype, width=width)
    for part in (rows[:4], rows[4:4], rows[4:]):
        array.append(part)
    array.finish()
    read = np.load(path, mmap_mode="r", allow_pickle=False)
    assert read.dtype == np.dtype(dtype)
    assert np.array_equal(read, rows)


def test_an_array_without_rows_is_readable(tmp_path):
    GrowingArray(tmp_path / "array.npy", "<f4", width=3).finish()
    assert np.load(tmp_path / "array.npy", mmap_mode="r").shape == (0, 3)


def test_an_unfinished_file_says_it_has_no_rows(tmp_path):
    array = GrowingArray(tmp_path / "array.npy", "<i8")
    array.append(np.arange(5))
    array.close()
    assert np.load(tmp_path / "array.npy").shape == (0,)


def test_rows_behind_those_kept_are_cut_off(tmp_path):
    path = tmp_path / "array.npy"
    array = GrowingArray(path, "<i8")
    array.append(np.arange(5))
    array.close()
    again = GrowingArray(path, "<i8", num_rows=2)
    again.append(np.array([7]))
    again.finish()
    assert np.load(path).tolist() == [0, 1, 7]


def test_a_file_with_fewer_rows_than_are_to_be_kept_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"array\.npy holds fewer than 2 rows"):
        GrowingArray(tmp_path / "array.npy", "<i8", num_rows=2)
    GrowingArray(tmp_path / "array.npy", "<i8").finish()
    with pytest.raises(ValueError, match=r"array\.npy holds fewer than 2 rows"):
        GrowingArray(tmp_path / "array.npy", "<i8", num_rows=2)
