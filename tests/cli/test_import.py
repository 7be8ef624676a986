"""`maqam data import` of what other people's tools write."""

import json
from pathlib import Path

import pytest

from maqam.data.manifest import read_manifest
from tests.factories import make_tone

from .calls import assert_refused, maqam


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for name in "ab":
        make_tone(tmp_path / f"{name}.wav")
    file = tmp_path / "rows.csv"
    file.write_text("wav,words,country\na.wav,نعم,KSA\nb.wav,لا,EGY\nnone.wav,لا,EGY\n")
    return file


def test_columns_and_a_label_set_make_a_table_a_manifest(table: Path, tmp_path: Path) -> None:
    words = ("--column", "audio=wav", "--column", "dialect=country", "--label-set", "adi17")
    names = ("--task", "did", "--split", "test", "--corpus", "mine", "--language", "en")
    out = tmp_path / "out"
    result = maqam("data", "import", "table", table, "-o", out, *words, *names, "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert (told["num_rows"], told["rejected"]) == (3, {"unreadable audio": 1})
    rows = read_manifest(out).table.to_pylist()
    assert [(row["label"], row["dialect"], row["split"]) for row in rows] == [
        ("gulf", "gulf", "test"),
        ("egyptian", "egyptian", "test"),
    ]
    assert {row["source"] for row in rows} == {"mine"}


def test_a_label_that_is_given_wins_over_the_label_set(table: Path, tmp_path: Path) -> None:
    words = ("--column", "audio=wav", "--column", "label=country", "--label-set", "adi17")
    more = ("--task", "did", "--label", "KSA=msa", "--decode", "--workers", "1")
    result = maqam("data", "import", "table", table, "-o", tmp_path / "out", *words, *more)
    assert result.code == 0, result.err
    assert "1 of 3 rows rejected" in result.err
    assert read_manifest(tmp_path / "out").column("label").tolist() == ["msa", "egyptian"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--column", "audio"), "'audio' is no pair"),
        (("--column", "=x"), "'=x' is no pair"),
        (("--label", "KSA=desert"), "no label 'desert'"),
        (("--label-set", "adi18"), "no label set 'adi18'"),
        (("--column", "text=none"), "it has no column 'none'"),
        (("--task", "asr"), "no column is known to hold audio paths"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_one_line(
    table: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    result = maqam("data", "import", "table", table, "-o", tmp_path / "out", *words)
    assert_refused(result, said)
    assert not (tmp_path / "out").exists()


def test_a_second_import_does_not_replace_the_first(table: Path, tmp_path: Path) -> None:
    words = ("--column", "audio=wav", "--column", "text=words", "--task", "asr")
    first = maqam("data", "import", "table", table, "-o", tmp_path / "out", *words)
    assert first.code == 0, first.err
    again = maqam("data", "import", "table", table, "-o", tmp_path / "out", *words)
    assert_refused(again, "there is a manifest already")
