"""`maqam data import` of what other people's tools write."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maqam.data.manifest import read_manifest
from tests.corpora.formats.archives import write_tar
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
    assert (told["num_rows"], told["rejected"]) == (3, {"missing audio": 1})
    rows = read_manifest(out).table.to_pylist()
    assert [(row["label"], row["dialect"], row["split"]) for row in rows] == [
        ("gulf", "SA", "test"),
        ("egyptian", "EG", "test"),
    ]
    assert {row["source"] for row in rows} == {"mine"}


def test_a_label_that_no_row_has_is_said_with_the_one_that_is_meant(
    table: Path, tmp_path: Path
) -> None:
    words = ("--column", "audio=wav", "--column", "dialect=country", "--task", "did")
    labels = ("--label", "KSA=gulf", "--label", "EGYP=egyptian")
    result = maqam("data", "import", "table", table, "-o", tmp_path / "out", *words, *labels)
    assert "--label EGYP=... matched no row: did you mean 'EGY'?" in result.err
    assert "--label KSA=..." not in result.err


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("table", "test.csv", "audio,text\na.wav,نعم\n"),
        ("nemo", "ar.test.json", '{"audio_filepath": "a.wav", "text": "نعم"}\n'),
        (
            "ms-swift",
            "mgb_test.jsonl",
            '{"query": "<audio>Q", "response": "نعم", "audios": "a.wav"}',
        ),
    ],
)
def test_rows_of_a_file_that_is_called_a_split_are_of_it_unless_another_is_named(
    tmp_path: Path, kind: str, name: str, words: str
) -> None:
    make_tone(tmp_path / "a.wav")
    file = tmp_path / name
    file.write_text(words)
    command = ("data", "import", kind, file, "--task", "asr", "--media-dir", tmp_path, "-o")
    result = maqam(*command, tmp_path / "by-name")
    assert f"rows that name no split are test, as {name} is called" in result.err
    maqam(*command, tmp_path / "named", "--split", "dev")
    splits = [
        read_manifest(tmp_path / folder).column("split").tolist() for folder in ("by-name", "named")
    ]
    assert splits == [["test"], ["dev"]]


def test_a_kaldi_folder_that_is_called_a_split_is_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "data/dev_all"
    make_tone(folder / "a.wav")
    (folder / "wav.scp").write_text(f"a {folder}/a.wav\n")
    (folder / "text").write_text("a نعم\n")
    assert maqam("data", "import", "kaldi", folder, "--task", "asr", "-o", tmp_path / "o").code == 0
    assert read_manifest(tmp_path / "o").column("split").tolist() == ["dev"]


def test_labels_without_a_place_are_listed_once_with_the_command_that_places_them(
    tmp_path: Path,
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(
        "audio,emotion\n"
        + "".join(
            f"{at}.wav,{name}\n"
            for at, name in enumerate(("happy", "hapy", "hapy", "miffed", "surprised", "it's"))
        )
    )
    for at in range(6):
        make_tone(tmp_path / f"{at}.wav")
    out = tmp_path / "out"
    command = ("data", "import", "table", file, "--task", "ser", "-o")
    first = maqam(*command, out)
    assert first.code == 0, first.err
    for line in (
        "2 rows of 'hapy' rejected: --label hapy=happy maps it, --label hapy= leaves it out",
        "1 row of 'miffed' rejected: --label miffed=LABEL maps it, --label miffed= leaves it out",
        "1 row of 'surprised' rejected: --label surprised=LABEL maps it",
        "--label 'it'\"'\"'s=' leaves it out",
    ):
        assert first.err.count(line) == 1, first.err
    again = next(line for line in first.err.splitlines() if line.startswith("again: maqam "))
    words = shlex.split(again.removeprefix("again: maqam "))
    assert words[:3] == ["data", "import", "table"]
    assert {f"{out}-again", "--task", "ser"} <= set(words)
    mended = [word.replace("LABEL", "sad") for word in words]
    assert maqam(*mended).code == 0
    labels = read_manifest(f"{out}-again").column("label").tolist()
    assert labels == ["happy", "happy", "happy", "sad", "sad", "sad"]
    dropped = maqam(*command, tmp_path / "dropped", "--label", "hapy=", "--json")
    told = json.loads(dropped.out)
    assert told["rejected"]["label left out"] == 2
    assert "hapy" not in {way["word"] for way in told["labels"]}


def test_a_dialect_that_is_only_told_beside_is_kept_and_said(table: Path, tmp_path: Path) -> None:
    columns = ("audio=wav", "text=words", "dialect=country")
    words = [word for column in columns for word in ("--column", column)]
    result = maqam(
        "data", "import", "table", table, "-o", tmp_path / "out", "--task", "asr", *words
    )
    assert read_manifest(tmp_path / "out").column("dialect").tolist() == ["KSA", "EGY"]
    assert (
        "1 row of 'KSA' kept in column dialect: --label-set adi17 (or adi20) maps it" in result.err
    )
    assert "--label-set adi5 (or adi17, adi20) maps it, --label EGY= leaves it out" in result.err


def test_a_label_that_is_given_wins_over_the_label_set(table: Path, tmp_path: Path) -> None:
    words = ("--column", "audio=wav", "--column", "label=country", "--label-set", "adi17")
    more = ("--task", "did", "--label", "KSA=msa", "--decode", "--workers", "1")
    result = maqam("data", "import", "table", table, "-o", tmp_path / "out", *words, *more)
    assert result.code == 0, result.err
    assert "1 of 3 rows rejected" in result.err
    assert read_manifest(tmp_path / "out").column("label").tolist() == ["msa", "egyptian"]


def test_how_an_unusual_table_is_read_is_said(table: Path, tmp_path: Path) -> None:
    text = table.read_text("utf-8").replace(",", ";").replace("لا", "لا أدري")
    table.write_bytes(text.encode("windows-1256"))
    words = ("--column", "audio=wav", "--column", "text=words", "--task", "asr")
    result = maqam("data", "import", "table", table, "-o", tmp_path / "out", *words)
    assert result.code == 0, result.err
    assert "rows.csv: encoding windows-1256, cells parted by ';'" in result.err
    named = ("--delimiter", ";", "--encoding", "cp1256")
    again = maqam("data", "import", "table", table, "-o", tmp_path / "o2", *words, *named)
    assert again.code == 0, again.err
    assert read_manifest(tmp_path / "o2").column("target").tolist() == ["نعم", "لا أدري"]


ROWS_WITH_COLUMNS = {  # by format: the name of a file, and a row of text
    "table": ("rows.jsonl", '{"audio": "a.wav", "text": "نعم", "speakr": "s"}'),
    "nemo": ("nemo.json", '{"audio_filepath": "a.wav", "text": "نعم", "speakr": "s"}'),
}


@pytest.fixture(params=[*ROWS_WITH_COLUMNS, "webdataset"])
def rows_with_columns(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """Return a source whose rows have no header, only a clip, a text and a column speakr."""
    clip = make_tone(tmp_path / "a.wav")
    if request.param == "webdataset":
        about = '{"speakr": "s", "text": "نعم"}'
        return request.param, write_tar(
            tmp_path / "rows.tar", [("a.wav", clip.read_bytes()), ("a.json", about)]
        )
    name, row = ROWS_WITH_COLUMNS[request.param]
    (tmp_path / name).write_text(f"{row}\n", encoding="utf-8")
    return request.param, tmp_path / name


def test_a_column_that_no_row_has_is_said_with_the_one_that_is_meant(
    rows_with_columns: tuple[str, Path], tmp_path: Path
) -> None:
    command = ("data", "import", *rows_with_columns, "--task", "asr", "-o")
    wrong = maqam(*command, tmp_path / "wrong", "--column", "speaker=speaker")
    assert wrong.code == 0, wrong.err
    assert "--column speaker=speaker matched no row: did you mean 'speakr'?" in wrong.err
    right = maqam(*command, tmp_path / "right", "--column", "speaker=speakr", "--json")
    assert json.loads(right.out)["unmatched_columns"] == {}
    assert read_manifest(tmp_path / "right").column("speaker").tolist() == ["s"]


def test_a_column_without_which_no_row_is_sound_is_said_with_the_error(
    rows_with_columns: tuple[str, Path], tmp_path: Path
) -> None:
    command = ("data", "import", *rows_with_columns, "--task", "asr", "-o", tmp_path / "out")
    result = maqam(*command, "--column", "text=txet")
    assert_refused(result, "none of 1 rows can be imported: 1 no text")
    assert "no row has --column text=txet: did you mean 'text'?" in result.line("hint")


@pytest.mark.parametrize("kind", ["kaldi", "stm", "lhotse", "ms-swift", "classes", "fleurs"])
def test_a_column_is_refused_where_a_format_has_none_to_name(kind: str, tmp_path: Path) -> None:
    words = ("data", "import", kind, tmp_path, "-o", tmp_path / "out", "--column", "text=words")
    result = maqam(*words)
    assert_refused(result, f"{kind} has no column to name")
    assert "table" in result.line("hint")


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


def test_broken_tasks_do_not_hide_what_else_is_wrong(table: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text("asr: {metrics: [wer")
    right = maqam("data", "import", "table", table, "-o", tmp_path / "out")
    assert_refused(right, "tasks.yaml", "not YAML")
    assert ";" not in right.line("error")
    words = ("data", "import", "tabel", tmp_path / "nowhere", "-o", tmp_path / "out")
    wrong = maqam(*words, "--label-set", "adi71")
    assert_refused(wrong, "not YAML", "no kind 'tabel'", "nowhere", "no label set 'adi71'")
    assert "did you mean 'table'?" in wrong.line("hint")


def test_a_second_import_does_not_replace_the_first(table: Path, tmp_path: Path) -> None:
    words = ("--column", "audio=wav", "--column", "text=words", "--task", "asr")
    first = maqam("data", "import", "table", table, "-o", tmp_path / "out", *words)
    assert first.code == 0, first.err
    again = maqam("data", "import", "table", table, "-o", tmp_path / "out", *words)
    assert_refused(again, "there is a manifest already")
    by_force = ("-o", tmp_path / "out", "--force", "--split", "dev")
    assert maqam("data", "import", "table", table, *words, *by_force).code == 0
    assert set(read_manifest(tmp_path / "out").column("split")) == {"dev"}


def test_an_import_that_is_interrupted_is_continued_by_the_same_command(tmp_path: Path) -> None:
    make_tone(tmp_path / "a.wav", seconds=0.1)
    source, out = tmp_path / "nemo.jsonl", tmp_path / "out"
    lines = (f'{{"audio_filepath": "a.wav", "text": "قول {n}"}}\n' for n in range(30_000))
    source.write_text("".join(lines), encoding="utf-8")
    words = ("data", "import", "nemo", str(source), "-o", str(out), "--task", "asr")
    # as in a terminal: a shell without one has its background jobs ignore Ctrl-C
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code = f"{listen}from maqam.cli.main import run; run()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words, "--workers", "2"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    while not (out / ".import").exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    again = maqam(*words, "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["num_imported"] == 30_000
    assert [path.name for path in out.iterdir()].count(".import") == 0
