"""`maqam data overlap` by the command line."""

import json
from pathlib import Path

import pytest

from .calls import assert_refused, maqam
from .conftest import World
from .corpus import edit_rows, make_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path / "corpus")


def test_two_splits_that_share_sentences_are_a_leak(corpus: Path) -> None:
    words = ("data", "overlap", corpus, corpus, "--train-split", "train", "--test-split", "test")
    result = maqam(*words)
    assert result.code == 1
    assert result.out.splitlines()[-1].startswith("LEAK: ")
    told = json.loads(maqam(*words, "--json").out)
    assert told["verdict"] == result.out.splitlines()[-1]
    assert [one["kind"] for one in told["shared"]][-2:] == ["sentence", "speaker"]


def test_sets_that_share_nothing_pass(corpus: Path, tmp_path: Path) -> None:
    other = make_corpus(tmp_path / "other")
    keep = {"train-did-0": corpus, "test-ser-1": other}
    for name, folder in keep.items():
        edit_rows(folder, lambda rows, name=name: only(rows, name))
    result = maqam("data", "overlap", corpus, other)
    assert result.code == 0, result.out
    assert result.out.splitlines()[-1].startswith("no shared audio or sentences")


def only(rows: list[dict[str, object]], name: str) -> None:
    rows[:] = [row for row in rows if row["id"] == name]


def test_a_split_that_is_not_there_is_named(corpus: Path) -> None:
    result = maqam("data", "overlap", corpus, corpus, "--test-split", "tset")
    assert_refused(result, "no split 'tset'")
    assert result.line("hint") == "hint: did you mean 'test'?"


@pytest.mark.torch
def test_a_report_of_a_run_prints_the_verdict(
    world: World, runs: list[Path], tmp_path: Path
) -> None:
    words = (world.corpus, world.corpus, "--train-split", "train", "--test-split", "test")
    found = maqam("data", "overlap", *words, "--json").out
    file, page = tmp_path / "overlap.json", tmp_path / "report.html"
    file.write_text(found, encoding="utf-8")
    assert maqam("report", runs[0], "-o", page, "--overlap", file).code == 0
    assert json.loads(found)["verdict"] in page.read_text(encoding="utf-8")
