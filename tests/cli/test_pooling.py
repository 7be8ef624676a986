"""Manifests merged, split and selected from on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from maqam.data.manifest import Manifest, read_manifest
from tests.pooling.manifests import column, corpus, spoken

from .calls import assert_refused, maqam


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Manifest, Manifest]:
    emotions = [spoken(label, f"s{speaker}") for speaker in range(10) for label in ("sad", "angry")]
    lines = [{"seconds": 0.1 + index, "wmer": 10 * index, "split": "train"} for index in range(6)]
    lines += [{"split": "dev"}, {"split": "test"}]
    one = corpus(tmp_path / "mgb", "mgb-2", *lines)
    return one, corpus(tmp_path / "ksu", "ksu", *emotions)


@pytest.fixture
def pool(tmp_path: Path, parts: tuple[Manifest, Manifest]) -> Path:
    result = maqam("data", "merge", *(one.folder for one in parts), "-o", tmp_path / "pool")
    assert result.code == 0, result.err
    return tmp_path / "pool"


def test_a_merge_prints_a_line_for_each_corpus_and_the_path(tmp_path, parts):
    result = maqam("data", "merge", f"mgb={parts[0].folder}", parts[1].folder, "-o", tmp_path / "p")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith(("ksu ", "mgb "))] == [
        ["ksu", "20"],
        ["mgb", "8"],
    ]
    assert lines[-1] == str(tmp_path / "p" / "manifest.parquet")
    assert column(read_manifest(tmp_path / "p"), "id")[0] == "mgb/asr/utterance-0"


def test_relative_manifests_of_another_process_and_folder_find_their_audio(tmp_path, parts):
    words = [sys.executable, "-c", "from maqam.cli.main import run; run()", "data", "merge"]
    words += ["mgb", "../ksu/../ksu/manifest.parquet", "-o", "out/pool", "--json"]
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mgb").symlink_to(parts[0].folder)
    done = subprocess.run(words, cwd=tmp_path / "work", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = read_manifest(tmp_path / "work" / json.loads(done.stdout)["manifest"])
    folders = {Path(paths[0]).parent for paths in column(found, "audios")}
    assert folders == {one.folder.resolve() / "audio" for one in parts}


def test_a_split_deals_the_corpus_that_is_one_and_says_what_stayed(tmp_path, pool):
    result = maqam("data", "split", pool, "-o", tmp_path / "split", "--by", "speaker")
    assert result.code == 0, result.err
    assert "mgb-2: its own dev and test stayed; --all deals all its rows anew" in result.err
    assert "10 groups by speaker dealt" in result.out
    found = read_manifest(tmp_path / "split")
    assert column(found, "split").count("test") == 3
    again = maqam("data", "split", pool, "-o", tmp_path / "again", "--by", "speaker", "--json")
    assert json.loads(again.out)["num_rows"] == {"train": 22, "dev": 3, "test": 3}
    assert read_manifest(tmp_path / "again").fingerprint == found.fingerprint


def test_a_selection_tells_what_each_condition_took(tmp_path, pool):
    where = "task != 'asr' or seconds >= 0.3 and wmer <= 40"
    words = ("--where", where, "--cap", "label=5", "--seed", "3")
    result = maqam("data", "select", pool, "-o", tmp_path / "left", *words)
    assert result.code == 0, result.err
    assert result.out.splitlines()[:3] == [
        f"{where}: 4 rows taken away (2 rows have null among them)",
        "at most 5 rows of each label: 10 rows taken away (4 rows have null and are not capped)",
        "14 of 28 rows are left",
    ]
    record = maqam("data", "select", pool, "-o", tmp_path / "more", *words, "--json").out
    assert json.loads(record)["num_left"] == 14


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("select", "POOL", "-o", "OUT"), "nothing says which rows to keep"),
        (("select", "POOL", "-o", "OUT", "--where", "secnds > 1"), "no column 'secnds'"),
        (("select", "POOL", "-o", "OUT", "--where", "seconds > 'x'"), "holds numbers"),
        (("select", "POOL", "-o", "OUT", "--where", "seconds > 999"), "no row is left"),
        (("select", "POOL", "-o", "POOL", "--where", "seconds > 1"), "would replace"),
        (("select", "POOL", "-o", "OUT", "--cap", "label"), "'label' is no cap"),
        (("select", "POOL", "-o", "OUT", "--cap", "label=1", "--split", "tset"), "no split 'tset'"),
        (("select", "POOL", "-o", "OUT", "--cap", "label=-1"), "'label=-1' is no cap"),
        (("split", "POOL", "-o", "OUT", "--by", "speakr"), "no column 'speakr'"),
        (("split", "POOL", "-o", "OUT", "--by", "speaker", "--dev", "1"), "must lie in [0, 1)"),
        (("merge", "POOL", "NOWHERE", "-o", "OUT"), "there is no manifest here"),
        (("merge", "POOL", "-o", "POOL", "--force"), "would replace"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line_and_nothing_is_written(tmp_path, pool, words, said):
    places = {"POOL": pool, "OUT": tmp_path / "out", "NOWHERE": tmp_path / "nowhere"}
    assert_refused(maqam("data", *(str(places.get(word, word)) for word in words)), said)
    assert not (tmp_path / "out").exists()
