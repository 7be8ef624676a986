import os
import shutil

import numpy as np
import pytest

from maqam.data.contents import contents_mark


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 500_000])
def test_a_mark_goes_with_contents_and_not_with_names_and_times(tmp_path, size):
    path, copy = tmp_path / "a", tmp_path / "b"
    path.write_bytes(np.random.default_rng(0).bytes(size))
    shutil.copyfile(path, copy)
    os.utime(copy, (1, 1))
    assert contents_mark(path) == contents_mark(copy)
    path.write_bytes(np.random.default_rng(1).bytes(size) + b"x")
    assert contents_mark(path) != contents_mark(copy)


@pytest.mark.parametrize("place", [0, 100, -1])
@pytest.mark.parametrize("size", [1000, 500_000])
def test_one_other_byte_at_the_head_or_the_tail_is_seen(tmp_path, size, place):
    data = bytearray(size)
    (tmp_path / "a").write_bytes(data)
    before = contents_mark(tmp_path / "a")
    data[place] = 1
    (tmp_path / "a").write_bytes(data)
    assert contents_mark(tmp_path / "a") != before


def test_what_is_no_file_has_no_mark(tmp_path):
    assert contents_mark(tmp_path / "none") is contents_mark(tmp_path) is None
