import os

import pytest

from maqam.errors import ConfigError, ManifestError
from tests.corpora.formats.importing import imported
from tests.factories import make_tone


@pytest.fixture
def source(tmp_path):
    return tmp_path / "corpus"


def test_a_folder_is_a_class_and_paths_are_ids(source):
    make_tone(source / "happy" / "actor" / "1.wav")
    make_tone(source / "ANG" / "1.FLAC")
    found = imported(source, "classes", task="ser", labels={"ANG": "angry"})
    assert [(row["id"], row["label"], row["split"], row["source"]) for row in found.rows] == [
        ("ANG/1.FLAC", "angry", "train", "corpus"),
        ("happy/actor/1.wav", "happy", "train", "corpus"),
    ]


def test_splits_may_stand_above_the_classes(source):
    make_tone(source / "valid" / "msa" / "1.wav")
    make_tone(source / "test" / "gulf" / "deep" / "1.wav")
    found = imported(source, "classes", task="did")
    assert [(row["label"], row["split"], row["dialect"]) for row in found.rows] == [
        ("gulf", "test", "gulf"),
        ("msa", "dev", "msa"),
    ]


def test_files_that_are_no_clips_of_a_class_are_rejected(source):
    make_tone(source / "sad" / "1.wav")
    make_tone(source / "top.wav")
    make_tone(source / "bored" / "1.wav")
    (source / "sad" / "notes.txt").write_text("x")
    (source / "sad" / "2.wav").write_text("x")
    (source / "sad" / ".hidden").write_text("x")
    found = imported(source, "classes", task="ser")
    assert found.ids == ["sad/1.wav"]
    assert {one["id"]: one["reason"] for one in found.rejects} == {
        "top.wav": "no class",
        "bored/1.wav": "no label of ser",
        "sad/notes.txt": "no audio file",
        "sad/2.wav": "not audio",
    }


def test_links_out_of_the_source_are_not_followed(source, tmp_path):
    make_tone(tmp_path / "other" / "secret.wav")
    make_tone(source / "sad" / "1.wav")
    (source / "sad" / "2.wav").symlink_to(tmp_path / "other" / "secret.wav")
    (source / "sad" / "3.wav").symlink_to("1.wav")
    (source / "sad" / "loop.wav").symlink_to("loop.wav")
    (source / "sad" / "more").symlink_to(tmp_path / "other")
    found = imported(source, "classes", task="ser")
    assert found.ids == ["sad/1.wav", "sad/3.wav"]
    assert {one["id"]: one["reason"] for one in found.rejects} == {
        "sad/2.wav": "path outside the source",
        "sad/loop.wav": "unreadable audio",
    }


def test_a_file_whose_name_is_not_utf_8_is_rejected(source):
    make_tone(source / "sad" / "1.wav")
    os.link(source / "sad" / "1.wav", os.fsencode(source / "sad") + b"/\xff.wav")
    found = imported(source, "classes", task="ser")
    assert (found.ids, found.reasons) == (["sad/1.wav"], ["unsupported format"])


def test_a_task_without_labels_is_refused(source):
    with pytest.raises(ConfigError, match="classes are no task 'asr'"):
        imported(source, "classes", task="asr")


def test_a_folder_that_is_not_there_is_an_error(source):
    with pytest.raises(ManifestError, match="there is no folder here"):
        imported(source, "classes", task="did")
