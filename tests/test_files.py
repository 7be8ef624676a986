"""Files and folders are whole or not there, and a disk that refuses is one sentence."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from maqam.errors import StoreError
from maqam.files import (
    lines_of,
    read_records,
    read_table,
    tensors_fault,
    whole_file,
    whole_folder,
    write_json,
    write_records,
    write_text,
    writing,
)


def fail() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_block_that_fails_leaves_the_earlier_file_alone(tmp_path):
    write_text(tmp_path / "a.txt", "old")

    def break_off():
        with whole_file(tmp_path / "a.txt") as draft:
            draft.write_text("ne")
            fail()

    with pytest.raises(OSError, match="No space left"):
        break_off()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}


def test_folders_above_a_file_are_made(tmp_path):
    write_json(tmp_path / "a" / "b" / "c.json", {"name": "لهجة"})
    assert (tmp_path / "a" / "b" / "c.json").read_text() == '{\n "name": "لهجة"\n}\n'


def test_a_folder_takes_the_place_of_another_only_when_it_is_whole(tmp_path):
    def write(text: str, fault: bool) -> None:
        with whole_folder(tmp_path / "out") as draft:
            (draft / "a").write_text(text)
            assert fault or text == "old" or (tmp_path / "out" / "a").read_text() == "old"
            if fault:
                fail()

    write("old", fault=False)
    with pytest.raises(OSError, match="No space left"):
        write("half", fault=True)
    assert (tmp_path / "out" / "a").read_text() == "old"
    write("new", fault=False)
    assert (tmp_path / "out" / "a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_put_in_place_keeps_the_earlier_one(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("old")
    usual = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.suffix == ".tmp":
            fail()
        return usual(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="No space left"), whole_folder(tmp_path / "out") as draft:
        (draft / "a").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "a").read_text() == "old"


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    for owner in (999_999_999, os.getppid()):
        (tmp_path / f".out.{owner}.tmp").mkdir()
    (tmp_path / ".output.999999999.tmp").mkdir()
    with whole_folder(tmp_path / "out"):
        pass
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted([f".out.{os.getppid()}.tmp", ".output.999999999.tmp", "out"])


def test_a_disk_that_refuses_is_one_sentence_of_the_class_asked_for(tmp_path):
    with (
        pytest.raises(StoreError) as caught,
        writing(tmp_path / "x", "the thing", error=StoreError),
    ):
        fail()
    assert str(caught.value) == (
        f"{tmp_path / 'x'}: the thing cannot be written: No space left on device"
    )
    assert caught.value.hint.startswith("make room on the disk")


def test_a_table_of_another_format_can_be_asked_for(tmp_path):
    (tmp_path / "a.json").write_text('{"format_version": 2}')
    assert read_table(tmp_path / "a.json", "", version=2) == {"format_version": 2}


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\r"])
def test_a_record_is_one_line_whatever_its_texts_hold(tmp_path, character):
    records = [{"text": f"a{character}b"}, {"text": "c"}]
    file = tmp_path / "records.jsonl"
    write_records(file, records)
    assert read_records(file) == records
    assert "".join(lines_of(file)) == file.read_bytes().decode()


def test_the_header_of_safetensors_tells_every_damage_of_size(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    file = tmp_path / "a.safetensors"
    safetensors.save_file({"a": np.zeros(9), "b": np.ones((2, 3))}, file, {"format": "pt"})
    whole = file.read_bytes()
    assert tensors_fault(file) is None
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        assert tensors_fault(file), size
    for other in (whole + b"0", b"<html>" * 100, b"\2" + b"\0" * 7 + b"[]"):
        file.write_bytes(other)
        assert tensors_fault(file)
    assert "cannot be read" in str(tensors_fault(tmp_path))
