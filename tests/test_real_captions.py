"""The list of spoken captions, on a made-up folder in the layout of Tux Paint's stamps."""

import doctest
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from maqam.cli.main import main as maqam
from maqam.data.manifest import read_manifest
from tests.real_scripts import REAL, real_script

TASKS = str(REAL / "tasks.yaml")
CAT = "A cat.\nar.utf8=.قطة\nfr.utf8=Un chat.\nes.utf8=Un gato.\nlt.utf8=\n"
KITTEN = "A kitten.\nar.utf8=هرة.\nfr.utf8=Un  CHAT\nes.utf8=Un gatito.\n"
DOG = "A dog.\nfr.utf8=Un chien.\nbe.utf8=Сабака.\n"


@pytest.fixture(scope="module")
def captions():
    return real_script("captions")


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    folder = tmp_path / "stamps"
    (folder / "animals" / "cats").mkdir(parents=True)
    for place, text in (("animals/cats/cat", CAT), ("animals/kitten", KITTEN), ("dog", DOG)):
        (folder / f"{place}.txt").write_text(text, encoding="utf-8")
    for name in (
        "animals/cats/cat_desc_fr.ogg",
        "animals/cats/cat_desc_es.ogg",
        "animals/cats/cat_desc_lt.ogg",
        "animals/cats/cat_desc.ogg",
        "animals/cats/cat_fr.ogg",  # the sound of a cat, as the French have it
        "animals/kitten_desc_fr.ogg",
        "dog_desc_be.ogg.ogg",
        "dog_desc_bg.ogg",
        "bird_desc_el.ogg",
        "bird_desc_pt_BR.wav",
    ):
        kind = {"format": "OGG", "subtype": "VORBIS"} if name.endswith("ogg") else {}
        soundfile.write(folder / name, 0.1 * np.sin(np.arange(8000) / 9), 8000, **kind)
    return folder


def package(path: Path, folder: Path, inside: str) -> Path:
    """Write a Debian package: members of an ar archive, each at an even place."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        archive.add(folder, inside)
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": data.getvalue()}
    content = b"!<arch>\n"
    for name, one in members.items():
        content += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(one):<10}`\n".encode()
        content += one + b"\n" * (len(one) % 2)
    path.write_bytes(content)
    return path


def rows_of(captions, stamps: Path) -> dict[str, dict]:
    rows, _ = captions.rows_of(stamps)
    return {row["id"]: row for row in rows}


def test_a_caption_is_listed_with_its_transcript_and_its_arabic(captions, stamps) -> None:
    row = rows_of(captions, stamps)["animals/cats/cat_fr"]
    assert (row["audio"], row["spoken"]) == ("animals/cats/cat_desc_fr.ogg", "french")
    assert (row["text"], row["arabic"]) == ("Un chat.", ".قطة")


def test_every_recording_of_a_caption_is_a_row_or_counted_by_its_language(captions, stamps) -> None:
    rows, others = captions.rows_of(stamps)
    assert len(rows) + others.total() == len(list(stamps.rglob("*_desc*")))
    assert others == {"en": 1, "lt": 1, "pt_BR": 1}


def test_stamps_that_share_a_caption_are_one_group(captions, stamps) -> None:
    rows = rows_of(captions, stamps)
    groups = {name: row["group"] for name, row in rows.items()}
    assert groups["animals/kitten_fr"] == groups["animals/cats/cat_es"]
    assert groups["dog_be"] != groups["animals/cats/cat_es"]
    assert rows["animals/kitten_fr"]["draw"] == rows["animals/cats/cat_fr"]["draw"]


def test_the_examples_of_the_script_hold(captions) -> None:
    assert doctest.testmod(captions) == doctest.TestResults(failed=0, attempted=2)


def test_groups_are_joined_over_chains_and_languages(captions) -> None:
    stamps = {"a": {"fr": "x"}, "b": {"bg": "X.", "be": "y"}, "c": {"be": "y!"}, "d": {"be": "z"}}
    assert captions.groups_of(stamps) == {"a": "a", "b": "a", "c": "a", "d": "d"}


def test_a_package_of_debian_gives_the_stamps(captions, stamps, tmp_path) -> None:
    file = package(tmp_path / "stamps.deb", stamps, f"./{captions.STAMPS}")
    captions.main(["unpack", str(file), str(tmp_path / "out")])
    found = sorted(path.name for path in (tmp_path / "out" / captions.STAMPS).rglob("*.*"))
    assert found == sorted(path.name for path in stamps.rglob("*.*"))


def test_a_package_without_stamps_is_refused_and_leaves_nothing(captions, stamps, tmp_path) -> None:
    file = package(tmp_path / "other.deb", stamps, "./usr/share/games")
    with pytest.raises(SystemExit, match="no usr/share/tuxpaint/stamps in it"):
        captions.main(["unpack", str(file), str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_download_is_kept_if_it_is_the_file_that_was_meant(captions, tmp_path) -> None:
    source, file = tmp_path / "source.deb", tmp_path / "kept.deb"
    source.write_bytes(b"stamps")
    sha256 = hashlib.sha256(b"stamps").hexdigest()
    captions.main(["fetch", source.as_uri(), sha256, str(file)])
    assert file.read_bytes() == b"stamps"
    source.unlink()
    captions.main(["fetch", source.as_uri(), sha256, str(file)])  # it is there


def test_a_download_of_another_file_is_refused_and_not_kept(captions, tmp_path) -> None:
    source, file = tmp_path / "source.deb", tmp_path / "kept.deb"
    source.write_bytes(b"a page that says not found")
    with pytest.raises(SystemExit, match="not the file that was meant; its hash is"):
        captions.main(["fetch", source.as_uri(), "0" * 64, str(file)])
    assert not file.exists()


def test_a_download_that_cannot_be_had_names_the_mirror_setting(captions, tmp_path) -> None:
    absent = (tmp_path / "absent.deb").as_uri()
    with pytest.raises(SystemExit, match="give a mirror with DEBIAN="):
        captions.main(["fetch", absent, "0" * 64, str(tmp_path / "kept.deb")])


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"<html>not found</html>"])
def test_a_file_that_is_no_package_is_refused(captions, tmp_path, content) -> None:
    (tmp_path / "page.deb").write_bytes(content)
    with pytest.raises(SystemExit, match="no Debian package"):
        captions.main(["unpack", str(tmp_path / "page.deb"), str(tmp_path / "out")])


def test_a_folder_without_captions_is_refused(captions, tmp_path) -> None:
    with pytest.raises(SystemExit, match="no captions; give the folder"):
        captions.main(["list", str(tmp_path), "-o", str(tmp_path / "captions.jsonl")])


def test_the_import_has_every_caption_as_a_row_or_a_reject(captions, stamps, tmp_path) -> None:
    (stamps / "animals" / "kitten_desc_fr.ogg").write_bytes(b"OggS, and then nothing")
    listed = tmp_path / "captions.jsonl"
    captions.main(["list", str(stamps), "-o", str(listed)])
    reasons = {}
    for task in ("asr", "lid", "st"):
        out = tmp_path / task
        options = ["--task", task, "--tasks", TASKS, "--media-dir", str(stamps), "--decode"]
        assert maqam(["data", "import", "table", str(listed), "-o", str(out), *options]) == 0
        rejects = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
        reasons[task] = sorted(reject["reason"] for reject in rejects)
        manifest = read_manifest(out)
        assert manifest.num_utterances + len(rejects) == 6
        assert not manifest.is_synthetic
    assert reasons["asr"] == ["audio cut short", "no text", "no text"]
    assert reasons["lid"] == ["audio cut short"]
    assert reasons["st"] == ["audio cut short"] + ["no arabic"] * 3


def test_the_tasks_have_all_languages_that_are_listed(captions, stamps, tmp_path) -> None:
    listed = tmp_path / "captions.jsonl"
    captions.main(["list", str(stamps), "-o", str(listed)])
    options = ["--task", "lid", "--tasks", TASKS, "--media-dir", str(stamps)]
    maqam(["data", "import", "table", str(listed), "-o", str(tmp_path / "lid"), *options])
    manifest = read_manifest(tmp_path / "lid")
    assert set(manifest.column("label")) == {
        "belarusian",
        "bulgarian",
        "french",
        "greek",
        "spanish",
    }
    assert set(manifest.tasks["lid"].labels) == set(captions.LANGUAGES.values())
