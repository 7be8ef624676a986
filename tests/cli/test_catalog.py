import json
import shlex
from pathlib import Path

import pytest

from maqam.corpora.cards.catalog import card_names
from maqam.corpora.importing.run import KINDS
from maqam.data.manifest import read_manifest
from tests.corpora.cards.corpora import make_corpus

from .calls import assert_refused, maqam


def test_the_taxonomy_of_dialects_shows_what_each_label_set_calls_a_country() -> None:
    result = maqam("data", "taxonomy", "dialect", "--json")
    rows = {row["code"]: row for row in json.loads(result.out)}
    assert rows["SA"]["labels"]["adi17"] == ["KSA"]
    assert rows["SA"]["within"] == "gulf"
    assert rows["SA"]["level"] == "country"


def test_labels_of_one_set_are_named_in_another() -> None:
    words = ("data", "taxonomy", "dialect", "EGY", "KSA", "--scheme", "adi17", "--to", "madar26")
    result = maqam(*words)
    assert result.code == 0
    assert "ALX ASW CAI" in result.out
    assert "JED RIY" in result.out


def test_the_taxonomy_of_emotions_is_a_table() -> None:
    result = maqam("data", "taxonomy", "emotion")
    assert result.code == 0
    assert "frustrated" in result.out


@pytest.mark.parametrize("name", ["eaed", "ravdess", "iemocap", "baved", "ksuemotions"])
def test_a_corpus_of_one_split_says_at_import_which_command_splits_it(
    name: str, tmp_path: Path
) -> None:
    source, out = make_corpus(name, tmp_path / "corpus"), tmp_path / "out"
    own = ()
    if name == "baved":  # it serves tasks of one's own only
        (tmp_path / "own.yaml").write_text(
            "{level: {prompts: {en: How loud?}, input: audio, labels: intensity, level: 2}}"
        )
        own = ("--tasks", tmp_path / "own.yaml", "--task", "level")
    result = maqam("data", "import", name, source, "-o", out, *own)
    assert result.code == 0, result.err
    (advice,) = [line for line in result.err.splitlines() if "all rows are train" in line]
    words = shlex.split(advice.partition("hold some out: maqam ")[2])
    assert words[:5] == ["data", "split", str(out), "-o", f"{out}-split"]
    split = maqam(*words, "--dev", "0", "--test", "0.4")
    assert split.code == 0, split.err
    found = read_manifest(tmp_path / "out-split").column("split")
    assert len(found) == read_manifest(out).num_utterances
    by_hand = maqam("data", "import", name, source, "-o", tmp_path / "dev", "--split", "dev", *own)
    assert "all rows are train" not in by_hand.err


def test_a_corpus_with_a_test_set_says_nothing_of_splitting(tmp_path: Path) -> None:
    source = make_corpus("mgb-2", tmp_path / "corpus")
    result = maqam("data", "import", "mgb-2", source, "-o", tmp_path / "out")
    assert result.code == 0
    assert "maqam data split" not in result.err


def test_labels_that_a_set_lacks_are_all_listed() -> None:
    result = maqam("data", "taxonomy", "dialect", "EGY", "ABC", "DEF", "--scheme", "adi17")
    assert_refused(result, "2 labels", "'ABC'", "'DEF'")


def test_labels_without_their_set_are_refused() -> None:
    assert_refused(maqam("data", "taxonomy", "dialect", "EGY"), "no scheme")


def test_the_catalog_lists_every_corpus_with_licence_and_hours() -> None:
    rows = {line.split()[0]: line for line in maqam("data", "catalog").out.splitlines() if line}
    assert "CC BY-NC-ND 4.0" in rows["casablanca"]
    assert "982" in rows["librispeech"]
    assert "unknown" in rows["baved"]
    assert "668" in rows["sada22"]
    assert len(rows) == 22  # with the heading and the line of the formats
    assert "ms-swift, llamafactory, nemo" in rows["formats,"]


def test_the_help_of_import_names_every_format_and_every_card() -> None:
    text = " ".join(maqam("data", "import", "--help").out.replace("-\n", "-").split())
    joined = text.replace("- ", "-")
    assert not [name for name in (*KINDS, *card_names()) if name not in joined]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("mgb2", "mgb-2"), ("adi17", "adi-17"), ("common_voice", "common-voice"), ("Kaldi", "kaldi")],
)
def test_a_near_miss_of_a_kind_is_answered_with_its_name(
    asked: str, meant: str, tmp_path: Path
) -> None:
    result = maqam("data", "import", asked, tmp_path, "-o", tmp_path / "out")
    assert_refused(result, f"no kind {asked!r}")
    assert result.line("hint") == f"hint: did you mean {meant!r}?"


@pytest.mark.parametrize(
    "words",
    [
        ("data", "import", "table", "none.csv", "-o", "out", "--split", "tset"),
        ("data", "overlap", "none", "none", "--train-split", "tset"),
        ("eval", "none", "--split", "tset"),
        ("judge", "none", "none.yaml", "--split", "tset"),
    ],
)
def test_a_split_that_is_none_is_refused_before_anything_is_read(words: tuple[str, ...]) -> None:
    result = maqam(*words)
    assert_refused(result, "no split 'tset'")
    assert result.line("hint") == "hint: did you mean 'test'?"


def test_a_task_that_is_none_lists_those_there_are(tmp_path: Path) -> None:
    result = maqam("data", "import", "table", "x.csv", "-o", tmp_path / "out", "--task", "asrr")
    assert_refused(result, "no task 'asrr'")
    assert "asr, did, ser, ssum, tsum" in result.line("hint")


def test_the_catalog_as_json_holds_whole_cards() -> None:
    cards = {card["name"]: card for card in json.loads(maqam("data", "catalog", "--json").out)}
    assert cards["masc"]["hours"]["total"] == 1000
    assert cards["baved"]["hours"]["total"] is None
    assert json.loads(maqam("data", "catalog", "masc", "--json").out) == cards["masc"]


def test_one_card_is_shown_with_its_licence_overlaps_and_parts() -> None:
    result = maqam("data", "catalog", "masc")
    assert "licence: CC BY 4.0 or CC BY-NC 4.0 (seen)" in result.out
    assert "overlap with adi-17" in result.out
    assert "part clean-train (train): subtitles subsets/clean_train.csv" in result.out


def test_a_corpus_without_a_card_is_refused() -> None:
    assert_refused(maqam("data", "catalog", "eyase"), "no card 'eyase'")


def test_a_corpus_is_imported_by_its_card(tmp_path: Path) -> None:
    source = make_corpus("masc", tmp_path / "corpus")
    result = maqam("data", "import", "masc", source, "-o", tmp_path / "out")
    assert result.code == 0, result.err
    assert result.out.strip().endswith("manifest.parquet")
    assert "MASC, licence CC BY 4.0 or CC BY-NC 4.0: two mirrors disagree" in result.err
    assert "overlap with adi-17: 2 videos" in result.err
    assert "parts found: clean-train, noisy-train, clean-dev, noisy-test" in result.err
    assert "not found: noisy-dev, clean-test" in result.err


def test_levels_of_intensity_are_not_imported_as_emotions(tmp_path: Path) -> None:
    source = make_corpus("baved", tmp_path / "corpus")
    result = maqam("data", "import", "baved", source, "-o", tmp_path / "out", "--task", "ser")
    assert_refused(result, "BAVED serves no task", "three levels of intensity", "labels intensity")


def test_a_format_that_is_neither_read_nor_has_a_card_is_refused(tmp_path: Path) -> None:
    assert_refused(maqam("data", "import", "eyase", tmp_path, "-o", tmp_path / "out"), "'eyase'")


def test_a_file_of_a_corpus_that_no_part_reads_is_named(tmp_path: Path) -> None:
    source = make_corpus("nadi-2025", tmp_path / "corpus")
    (source / "data/test-00000-of-00001.parquet").rename(source / "data/blind.parquet")
    result = maqam("data", "import", "nadi-2025", source, "-o", tmp_path / "out")
    assert result.code == 0, result.err
    assert "1 files are of no part and not read: data/blind.parquet" in result.err
    again = maqam("data", "import", "nadi-2025", source, "-o", tmp_path / "again", "--json")
    assert json.loads(again.out)["unread_files"] == ["data/blind.parquet"]
