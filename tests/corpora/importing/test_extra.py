"""Columns of a source that import does not read stay, whatever reader made the row."""

import datetime
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maqam.corpora.importing.extra import MORE, MOST_COLUMNS, ExtraColumns
from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings
from maqam.data.manifest import read_manifest, write_manifest
from maqam.data.pool import pool_from_manifest
from maqam.errors import ManifestError
from maqam.schedule import Curriculum, make_plan
from tests.corpora.cards.corpora import make_corpus
from tests.corpora.formats.archives import write_tar
from tests.corpora.formats.importing import imported, write
from tests.corpora.importing.killed import KILLED
from tests.factories import make_manifest, make_tone

MORE_OF_A_ROW = {"snr": 31.5, "gender": "f", "nested": {"a": [1]}, "label": "x"}
WANTED = {"snr": 31.5, "gender": "f", "nested": '{"a": [1]}', "source_label": "x"}


def _nemo(folder: Path) -> Path:
    row = {"audio_filepath": "a.wav", "text": "نعم", **MORE_OF_A_ROW}
    return write(folder / "rows.jsonl", json.dumps(row))


def _table(folder: Path) -> Path:
    return write(
        folder / "rows.jsonl", json.dumps({"path": "a.wav", "text": "نعم", **MORE_OF_A_ROW})
    )


def _swift(folder: Path) -> Path:
    row = {"query": "<audio>Q", "response": "نعم", "audios": "a.wav", **MORE_OF_A_ROW}
    return write(folder / "rows.jsonl", json.dumps(row))


def _llamafactory(folder: Path) -> Path:
    row = {"instruction": "<audio>Q", "output": "نعم", "audios": ["a.wav"], **MORE_OF_A_ROW}
    return write(folder / "rows.jsonl", json.dumps(row))


def _lhotse(folder: Path) -> Path:
    rest = {"gender": "f", "custom": {name: MORE_OF_A_ROW[name] for name in ("nested", "label")}}
    cut = {
        "id": "one",
        "custom": {"snr": 31.5},
        "recording": {"sources": [{"type": "file", "source": str(folder / "a.wav")}]},
        "supervisions": [{"id": "s", "text": "نعم", "speaker": "s1", **rest}],
    }
    return write(folder / "cuts.jsonl", json.dumps(cut))


def _huggingface(folder: Path) -> Path:
    clip = {"bytes": (folder / "a.wav").read_bytes(), "path": "a.wav"}
    pq.write_table(
        pa.Table.from_pylist([{"audio": clip, "text": "نعم", **MORE_OF_A_ROW}]),
        folder / "rows.parquet",
    )
    return folder / "rows.parquet"


def _webdataset(folder: Path) -> Path:
    parts = [("k.wav", (folder / "a.wav").read_bytes()), ("k.txt", "نعم")]
    return write_tar(folder / "s.tar", [*parts, ("k.json", json.dumps(MORE_OF_A_ROW))])


READERS = {
    "nemo": _nemo,
    "table": _table,
    "ms-swift": _swift,
    "llamafactory": _llamafactory,
    "lhotse": _lhotse,
    "huggingface": _huggingface,
    "webdataset": _webdataset,
}


@pytest.mark.parametrize("kind", READERS)
def test_columns_that_are_not_read_stay(tmp_path, kind):
    make_tone(tmp_path / "a.wav")
    (row,) = imported(READERS[kind](tmp_path), kind, tmp_path / "out").rows
    assert {name: row[name] for name in WANTED} == WANTED
    assert row["label"] is None


def test_files_of_utterances_and_speakers_are_columns_of_kaldi(tmp_path):
    write(tmp_path / "wav.scp", f"one {make_tone(tmp_path / 'a.wav')}")
    for name, line in (("text", "نعم"), ("utt2spk", "s1"), ("utt2snr", "31.5"), ("utt2dur", "1")):
        write(tmp_path / name, f"one {line}")
    write(tmp_path / "spk2gender", "s1 f")
    write(tmp_path / "spk2utt", "s1 one")
    (row,) = imported(tmp_path, "kaldi", tmp_path / "out").rows
    assert (row["gender"], row["snr"]) == ("f", 31.5)
    assert not {"dur", "utt", "spk"} & set(row)


def test_votes_and_accents_of_common_voice_stay(tmp_path):
    make_tone(tmp_path / "clips/a.wav")
    header = "client_id\tpath\tsentence\tup_votes\tage\taccents\tsegment"
    source = write(tmp_path / "train.tsv", header, "s\ta.wav\tنعم\t2\ttwenties\tEgyptian\t")
    (row,) = imported(source, "common-voice").rows
    assert (row["up_votes"], row["age"], row["accents"]) == (2, "twenties", "Egyptian")
    assert "segment" not in row  # it has no value in any row


CARDS = {
    "sada22": {"gender": "Male", "age": "Adult", "raw_text": "نعم، سيدي", "Environment": "Clean"},
    "mgb-2": {"wmer": 20.0},
    "casablanca": {"gender": "female", "duration": 0.5},
    "fleurs-ar-eg": {"gender": "FEMALE", "raw_text": 'نعم "سيدي', "num_samples": 8000},
    "mega-ssum": {"text": "a long sentence"},
    "adi-17": {"source_label": "KSA"},
}


@pytest.mark.parametrize("card", CARDS)
def test_a_card_keeps_columns_and_gives_them_names_that_cards_share(tmp_path, card):
    corpus = make_corpus(card.removesuffix("-ar-eg"), tmp_path / "corpus")
    first = imported(corpus, card, tmp_path / "out", task=None).rows[0]
    assert {column: first[column] for column in CARDS[card]} == CARDS[card]
    assert not {"path", "file", "parent", "folder", "top", "stem", "line"} & set(first)


def test_what_is_said_stays_where_another_thing_is_asked(tmp_path):
    make_tone(tmp_path / "a.wav")
    source = write(tmp_path / "rows.csv", "path,text,summary,label", "a.wav,all of it,it,msa")
    for task, kept in (("ssum", {"text"}), ("asr", {"summary"}), ("did", {"text", "summary"})):
        (row,) = imported(source, "table", tmp_path / task, task=task).rows
        assert {"text", "summary"} & set(row) == kept


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["1", "2.5"], [1.0, 2.5]),
        (["1", "2"], [1, 2]),
        (["1", "2.50", "n/a"], ["1", "2.50", "n/a"]),
        (["007", "8"], ["007", "8"]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        (["", "3"], [None, 3]),
    ],
)
def test_a_column_of_a_table_is_of_numbers_if_all_of_it_is(tmp_path, values, wanted):
    make_tone(tmp_path / "a.wav")
    lines = [f"{n},a.wav,x,{value}" for n, value in enumerate(values)]
    source = write(tmp_path / "rows.csv", "id,path,text,code", *lines)
    found = [row["code"] for row in imported(source, "table").rows]
    assert found == wanted
    assert list(map(type, found)) == list(map(type, wanted))


def test_types_of_shards_are_united_whatever_comes_first():
    batches = [[{"c": 1}], [{"c": 2.5}], [{"c": "x"}], [{"d": True}, {"d": None}], [{"e": 1 << 70}]]
    batches = [[{k: v for k, v in row.items() if v is not None} for row in b] for b in batches]
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 3, 1, 4]):
        columns = ExtraColumns()
        parts = {at: columns.as_text(batches[at]) for at in order}
        typed = [columns.typed(parts[at]) for at in range(3)]
        assert [part["c"].to_pylist() for part in typed] == [["1"], ["2.5"], ["x"]]
        assert columns.typed(parts[3])["d"].to_pylist() == [True, None]
        assert columns.typed(parts[4])["e"].to_pylist() == [str(1 << 70)]


def test_names_that_the_manifest_has_are_not_taken(tmp_path):
    make_tone(tmp_path / "a.wav")
    extra = {"audios": "x", "source_audios": "y", "synthetic": "no", "channel": 3, "": 1}
    extra["sampling_weight"] = 9
    row = {"audio_filepath": "a.wav", "text": "نعم", **extra}
    (found,) = imported(write(tmp_path / "n.jsonl", json.dumps(row)), "nemo").rows
    assert found["audios"] == [str(tmp_path / "a.wav")]
    assert (found["source_audios"], found["source_source_audios"]) == ("y", "x")
    assert (found["source_synthetic"], found["source_channel"], found["source_"]) == ("no", 3, 1)
    assert found["source_sampling_weight"] == 9
    assert not {"channel", "sampling_weight"} & set(found)


def test_more_columns_than_a_table_should_have_are_one_of_json(tmp_path):
    make_tone(tmp_path / "a.wav")
    row = {"audio_filepath": "a.wav", "text": "x"}
    lines = [json.dumps({**row, **{f"c{n}-{k}": k for k in range(700)}}) for n in range(2)]
    first, second = imported(write(tmp_path / "n.jsonl", *lines), "nemo").rows
    assert sum(name.startswith("c") for name in first) == MOST_COLUMNS
    assert first[MORE] is None
    assert json.loads(second[MORE]) == {f"c1-{k}": k for k in range(300, 700)}


@pytest.mark.parametrize("extra", [{"c": "\ud800"}, {"\ud800": 1}, {"c": "a\0"}, {"c": ["\ud800"]}])
def test_a_column_that_no_file_can_hold_is_a_reject(tmp_path, extra):
    make_tone(tmp_path / "a.wav")
    row = {"audio_filepath": "a.wav", "text": "x"}
    source = write(tmp_path / "n.jsonl", json.dumps(row), json.dumps({**row, **extra}))
    found = imported(source, "nemo")
    assert len(found.rows) == 1
    assert found.reasons[0] in ("not UTF-8", "NUL character")


def test_a_killed_import_goes_on_to_the_same_columns(tmp_path):
    make_tone(tmp_path / "a.wav", seconds=0.1)
    with (tmp_path / "n.jsonl").open("w") as stream:
        for n in range(4000):
            late = {"word": "x"} if n > 3500 else {}
            mixed = n if n < 2500 else n / 2
            row = {"audio_filepath": "a.wav", "text": f"{n}", "mixed": mixed, "code": n % 7, **late}
            stream.write(json.dumps({**row, "code": "last"} if n == 3999 else row) + "\n")
    source, out = tmp_path / "n.jsonl", tmp_path / "out"
    words = [sys.executable, "-c", KILLED, str(source), str(out)]
    done = subprocess.run(words, check=False, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    settings = ImportSettings(kind="nemo", task="asr")
    again = import_corpus(source, out, settings, num_workers=1)
    whole = import_corpus(source, tmp_path / "whole", settings, num_workers=2)
    one, other = (pq.read_table(report.manifest) for report in (again, whole))
    assert one.equals(other)
    types = {name: one.schema.field(name).type for name in ("mixed", "code", "word")}
    assert types == {"mixed": pa.float64(), "code": pa.string(), "word": pa.string()}
    assert one.column("code").to_pylist()[-2:] == [str(3998 % 7), "last"]


def test_a_number_of_a_table_is_a_measure_of_the_pool(tmp_path):
    make_tone(tmp_path / "a.wav")
    lines = [f"{n},a.wav,x,{20 - n / 2}" for n in range(4)]
    source = write(tmp_path / "rows.csv", "id,path,text,wmer", *lines)
    manifest = read_manifest(imported(source, "table").folder)
    pool = pool_from_manifest(manifest, np.arange(4))
    assert pool.values["wmer"].tolist() == [20.0, 19.5, 19.0, 18.5]
    schedule = Curriculum(by="wmer", num_bins=4, start=0.25)
    plan = make_plan(schedule, pool, steps=4, batch_size=1, seed=0)
    assert plan.rows[0].tolist() == 3  # the lowest is the easiest


def own_manifest(folder: Path) -> Path:
    """Write a manifest with segments, splits, labels of other tasks and columns of all types."""
    table = make_manifest(folder, 6).table
    rows = table.num_rows
    more = {
        "text": pa.array([None, "نعم", "", "a", "b", "c"]),
        "wmer": pa.array([1.5, None, 3.0, 4.0, 5.0, 6.0], pa.float32()),
        "votes": pa.array(range(rows), pa.int8()),
        "is_clean": pa.array([True, None, False] * 2),
        "tags": pa.array([["x"], [], None] * 2),
        "about": pa.array([{"a": 1, "b": "y"}] * rows),
        "day": pa.array([datetime.date(2024, 2, 29)] * rows),
        "time": pa.array([datetime.datetime(2024, 2, 29, 1, 2, 3)] * rows, pa.timestamp("us")),
        "empty": pa.array([None] * rows, pa.string()),
        "channel": pa.array([0, None] * 3, pa.int64()),
    }
    for name, values in more.items():
        table = table.append_column(name, values)
    write_manifest(table, folder)
    return folder


@pytest.mark.parametrize("kind", ["maqam", "ms-swift", "llamafactory", "huggingface"])
@pytest.mark.parametrize("is_folder", [True, False])
def test_a_manifest_comes_out_as_it_went_in(tmp_path, monkeypatch, kind, is_folder):
    folder = own_manifest(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    source = Path("in") if is_folder else Path("in/manifest.parquet")
    report = import_corpus(source, Path("out"), ImportSettings(kind=kind))
    assert report.num_rejected == 0
    before, after = read_manifest(folder), read_manifest(tmp_path / "out")
    own = [name for name in before.table.column_names if name != "audios"]
    for name in own:
        assert after.table.column(name).equals(before.table.column(name)), name
    for row in range(before.num_utterances):
        if before.table.column("audios")[row].as_py():
            assert after.audio_path(row).samefile(before.audio_path(row))
    again = import_corpus(Path("out"), Path("again"), ImportSettings(kind="maqam"))
    assert pq.read_table(again.manifest).equals(pq.read_table(report.manifest))


@pytest.mark.parametrize("kind", ["ms-swift", "llamafactory"])
def test_rows_of_a_manifest_as_json_lines_keep_all_columns(tmp_path, kind):
    manifest = read_manifest(own_manifest(tmp_path / "in"))
    rows = manifest.table.drop_columns(["day", "time"]).to_pylist()
    source = write(tmp_path / "in/rows.jsonl", *map(json.dumps, rows))
    found = imported(source, kind, tmp_path / "out", task=None).rows
    kept = [name for name in rows[0] if name not in ("audios", "tags", "about", "empty")]
    assert [{name: row[name] for name in kept} for row in found] == [
        {name: row[name] for name in kept} for row in rows
    ]
    assert json.loads(found[0]["about"]) == {"a": 1, "b": "y"}


def test_segments_of_a_manifest_are_kept_to_the_last_digit(tmp_path):
    folder = tmp_path / "in"
    make_tone(folder / "a.wav", seconds=2.0)
    source = write(
        folder / "n.jsonl",
        *(
            json.dumps({"audio_filepath": "a.wav", "text": "x", "offset": at, "duration": 0.3})
            for at in (0.1, 0.7, 1.7)
        ),
    )
    imported(source, "nemo", tmp_path / "m", split="dev")
    found = imported(tmp_path / "m", "maqam", tmp_path / "out", task=None).rows
    before = pq.read_table(tmp_path / "m/manifest.parquet").to_pylist()
    assert found == before


def test_a_manifest_takes_another_split_and_other_labels(tmp_path):
    source = tmp_path / "in"
    make_tone(source / "a.wav")
    write(source / "n.csv", "path,label", "a.wav,msa")
    imported(source / "n.csv", "table", tmp_path / "m", task="did")
    (row,) = imported(
        tmp_path / "m", "maqam", tmp_path / "out", task=None, split="test", labels={"msa": "gulf"}
    ).rows
    assert (row["split"], row["label"], row["target"]) == ("test", "gulf", "gulf")


def test_what_is_no_manifest_says_so(tmp_path):
    with pytest.raises(ManifestError, match="there is no manifest here"):
        imported(tmp_path, "maqam", tmp_path / "out")
