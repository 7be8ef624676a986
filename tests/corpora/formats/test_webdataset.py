import gzip
import json
import os
import tarfile
from pathlib import Path

import pytest

from maqam.data.manifest import read_manifest
from maqam.errors import ManifestError
from tests.corpora.formats.archives import clip, special, write_tar
from tests.corpora.formats.importing import imported


@pytest.fixture
def wav(tmp_path):
    return clip(tmp_path)


@pytest.mark.parametrize(("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz")])
def test_files_of_a_key_are_a_sample(tmp_path, wav, name, mode):
    flac = clip(tmp_path, 0.5, ".flac")
    about = json.dumps({"speaker": "s", "dialect": "gulf", "text": "no"})
    parts = [
        ("x/one.wav", wav),
        ("x/one.txt", "نعم\n"),
        ("x/one.json", about),
        ("x/two.seg.flac", flac),
        ("x/two.json", '{"text": "لا"}'),
    ]
    found = imported(write_tar(tmp_path / name, parts, mode), "webdataset")
    rows = [(row["id"], row["target"], row["speaker"], row["seconds"]) for row in found.rows]
    assert rows == [("x/one", "نعم", "s", 1.0), ("x/two", "لا", None, 0.5)]
    assert (found.folder / found.rows[0]["audios"][0]).read_bytes() == wav
    assert (found.folder / found.rows[1]["audios"][0]).read_bytes() == flac


def test_audio_is_found_from_the_manifest_on(tmp_path, wav):
    found = imported(write_tar(tmp_path / "a.tar", [("a.wav", wav), ("a.txt", "x")]), "webdataset")
    (tmp_path / "out").rename(tmp_path / "moved")
    assert found.rows[0]["audios"] == ["audio/000000/000000000.wav"]
    assert read_manifest(tmp_path / "moved").audio_path(0).read_bytes() == wav


def test_classes_are_labels(tmp_path, wav):
    source = write_tar(tmp_path / "a.tar", [("a.wav", wav), ("a.cls", "2")])
    (row,) = imported(source, "webdataset", task="did", labels={"2": "gulf"}).rows
    assert row["label"] == "gulf"


def test_a_folder_of_tars_is_read_in_order(tmp_path, wav):
    for name in ("b", "a"):
        write_tar(tmp_path / "tars" / f"{name}.tar", [(f"{name}.wav", wav), (f"{name}.txt", "x")])
    found = imported(tmp_path / "tars", "webdataset", tmp_path / "out")
    assert found.ids == ["a", "b"]


def test_columns_of_the_json_may_be_given(tmp_path, wav):
    source = write_tar(tmp_path / "a.tar", [("a.wav", wav), ("a.json", '{"words": "نعم"}')])
    (row,) = imported(source, "webdataset", columns={"text": "words"}).rows
    assert row["target"] == "نعم"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([("b.txt", "x")], "no audio"),
        ([("b.wav", None)], "no text"),
        ([("b.wav", b"RIFF"), ("b.txt", "x")], "damaged audio"),
        ([("b.wav", None), ("b.2.wav", None), ("b.txt", "x")], "several audios"),
        ([("b.wav", None), ("b.json", "{")], "not JSON"),
        ([("b.wav", None), ("b.json", "[]")], "not JSON"),
        ([("b.wav", None), ("b.txt", b"\xff")], "not UTF-8"),
        ([("b.wav", None), ("b.txt", b"x" * (9 << 20))], "text too long"),
        ([("b.wav", None), *((f"b.{n}", "x") for n in range(80))], "too many parts"),
        ([("a.wav", None), ("a.txt", "x")], "duplicate row"),
    ],
)
def test_a_sample_that_cannot_be_an_utterance_is_rejected(tmp_path, wav, parts, reason):
    given = [(name, wav if data is None else data) for name, data in parts]
    first = [("a.wav", wav), ("a.txt", "x"), ("c.bin", "between")]
    found = imported(write_tar(tmp_path / "a.tar", [*first, *given]), "webdataset")
    assert (found.ids, found.reasons) == (["a"], ["no text", reason])
    assert len(list((found.folder / "audio").rglob("*.*"))) == 1


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("../b.wav", None, "unsafe member"),
        ("x/../../b.wav", None, "unsafe member"),
        ("/tmp/b.wav", None, "unsafe member"),
        ("..\\b.wav", None, "unsafe member"),
        ("C:b.wav", None, "unsafe member"),
        ("b.wav", special(tarfile.SYMTYPE, "/etc/passwd"), "link in archive"),
        ("b.wav", special(tarfile.LNKTYPE, "a.wav"), "link in archive"),
        ("b.wav", special(tarfile.CHRTYPE), "no plain file"),
        ("b.wav", special(tarfile.FIFOTYPE), "no plain file"),
    ],
)
def test_a_hostile_member_is_rejected_and_nothing_leaves_the_folder(
    tmp_path, wav, name, data, reason
):
    parts = [("a.wav", wav), ("a.txt", "x"), (name, wav if data is None else data), ("z.wav", wav)]
    source = write_tar(tmp_path / "in" / "a.tar", [*parts, ("z.txt", "x")])
    found = imported(source, "webdataset", tmp_path / "deep" / "out")
    assert (found.ids, found.reasons) == (["a", "z"], [reason])
    outside = [path for path in tmp_path.rglob("*") if path.suffix == ".wav"]
    assert all(path.is_relative_to(found.folder / "audio") for path in outside)
    assert len(outside) == 2


def test_a_tar_that_was_cut_short_says_so(tmp_path, wav):
    parts = [
        (f"{n}{suffix}", data) for n in range(3) for suffix, data in ((".wav", wav), (".txt", "x"))
    ]
    whole = write_tar(tmp_path / "whole.tar", parts).read_bytes()
    for length in (len(wav) // 2, len(wav) + 600, len(wav) * 2, len(whole) - 10_240):
        source = tmp_path / f"{length}.tar"
        source.write_bytes(whole[:length])
        found = imported(source, "webdataset", tmp_path / f"out-{length}")
        assert "unreadable archive" in found.reasons, length


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path, wav):
    parts = [("a.wav", wav), ("a.txt", "x"), ("b.wav", wav), ("b.txt", "x")]
    data = bytearray(write_tar(tmp_path / "a.tar", parts).read_bytes())
    at = data.index(b"b.wav")
    data[at + 148 : at + 156] = b"garbage!"
    (tmp_path / "a.tar").write_bytes(data)
    found = imported(tmp_path / "a.tar", "webdataset")
    assert (found.ids, found.reasons) == (["a"], ["unreadable archive"])


def test_a_clip_that_declares_a_terabyte_is_rejected_at_once(tmp_path, wav):
    source = write_tar(tmp_path / "a.tar", [("a.wav", wav), ("a.txt", "x")])
    info = tarfile.TarInfo("b.wav")
    info.size = 1 << 40
    data = source.read_bytes()[: len(wav) // 512 * 512 + 512 * 4]
    source.write_bytes(data + info.tobuf() + wav)
    found = imported(source, "webdataset")
    assert found.ids == ["a"]
    assert set(found.reasons) <= {
        "unreadable audio",
        "audio too large",
        "no text",
        "unreadable archive",
    }


def test_a_tar_that_expands_without_end_is_left(tmp_path, wav):
    source = tmp_path / "a.tar.gz"
    info = tarfile.TarInfo("b.wav")
    info.size = 1 << 31
    zeros = bytes(1 << 20)
    start = write_tar(tmp_path / "s.tar", [("a.wav", wav), ("a.txt", "x")]).read_bytes()
    with gzip.open(source, "wb", compresslevel=1) as stream:
        stream.write(start[: len(wav) // 512 * 512 + 512 * 4] + info.tobuf())
        for _ in range(300):
            stream.write(zeros)
    found = imported(source, "webdataset")
    assert found.ids == ["a"]
    assert found.reasons == ["member too large", "unreadable archive"]


def test_what_is_no_tar_is_said(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"text" * 1000)
    assert imported(tmp_path / "a.tar", "webdataset").reasons == ["unreadable archive"]
    with pytest.raises(ManifestError, match="there is no tar here"):
        imported(tmp_path / "none.tar", "webdataset", Path(tmp_path / "o"))


def test_a_pipe_that_is_named_like_a_source_is_not_waited_for(tmp_path):
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "a.tar")
    with pytest.raises(ManifestError, match=r"there (is|are) no"):
        imported(tmp_path / "in", "webdataset", tmp_path / "out")
