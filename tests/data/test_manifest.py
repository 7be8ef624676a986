import errno
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maqam.data import manifest as manifest_module
from maqam.data import schema
from maqam.data.manifest import SCHEMA, read_manifest, write_manifest
from maqam.errors import ManifestError
from tests.factories import make_manifest, make_row


def make_rows(count=10):
    return [make_row(index) for index in range(count)]


def write_unchecked(rows, folder):
    """Write rows that `write_manifest` would refuse."""
    file = folder / "manifest.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), file)
    return file


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = make_rows()
    found = read_manifest(write_manifest(rows, tmp_path))
    assert found.rows(range(10)) == [{name: row[name] for name in SCHEMA.names} for row in rows]


def test_a_folder_stands_for_the_manifest_in_it(tmp_path):
    write_manifest(make_rows(), tmp_path)
    assert read_manifest(tmp_path).path == tmp_path / "manifest.parquet"


def test_extra_columns_are_kept_behind_the_schema(tmp_path):
    rows = [{"snr_db": 3.0 * index, **make_row(index)} for index in range(3)]
    found = read_manifest(write_manifest(rows, tmp_path))
    assert found.table.column_names == [*SCHEMA.names, "snr_db"]
    assert found.column("snr_db").tolist() == [0.0, 3.0, 6.0]


def test_a_chat_row_alone_is_what_other_trainers_read(tmp_path):
    row = make_manifest(tmp_path).row(0)
    assert row["messages"][-1] == {"role": "assistant", "content": row["target"]}
    assert row["audios"] == ["audio/0.wav"]


def test_select_gives_rows_of_a_split_and_task(tmp_path):
    found = read_manifest(write_manifest(make_rows(20), tmp_path))
    assert found.select(split="dev").tolist() == [8, 18]
    assert found.select(split="train", task="asr").tolist() == [0, 5, 10, 15]


def test_relative_audio_starts_from_the_folder_and_absolute_stays(tmp_path):
    rows = [make_row(0), make_row(1, audios=["/data/x.wav"])]
    found = read_manifest(write_manifest(rows, tmp_path))
    assert found.audio_path(0) == tmp_path / "audio/0.wav"
    assert str(found.audio_path(1)) == "/data/x.wav"


def test_the_audio_of_a_text_row_is_an_error(tmp_path):
    found = read_manifest(write_manifest(make_rows(), tmp_path))
    with pytest.raises(ManifestError, match="row 4 has no audio"):
        found.audio_path(4)


def test_codes_count_sorted_texts_and_null_is_a_dash(tmp_path):
    found = read_manifest(write_manifest(make_rows(6), tmp_path))
    codes, names = found.codes("label")
    assert [names[code] for code in codes] == ["-", "msa", "neutral", "-", "-", "-"]
    assert names == sorted(names)
    codes, names = found.codes("task", np.array([2, 1]))
    assert (codes.tolist(), names) == ([1, 0], ["did", "ser"])


def test_an_empty_manifest_is_one(tmp_path):
    found = read_manifest(write_manifest([], tmp_path))
    assert found.num_utterances == 0
    assert found.codes("task")[1] == []


def test_the_fingerprint_ignores_place_and_row_groups(tmp_path):
    rows = make_rows(30)
    here = read_manifest(write_manifest(rows, tmp_path / "a"))
    file = tmp_path / "there.parquet"
    pq.write_table(here.table, file, row_group_size=7)
    assert read_manifest(file).fingerprint == here.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x"},
        {"start": 1e-9},
        {"seconds": 0.75},
        {"dialect": None},
        {"speaker": "-"},
        {"audios": ["audio/1.wav"]},
        {"synthetic": False},
        {"target": "x"},
    ],
)
def test_the_fingerprint_tells_every_value(tmp_path, change):
    rows = make_rows(5)
    before = read_manifest(write_manifest(rows, tmp_path)).fingerprint
    rows[0] = make_row(0, **change)
    assert read_manifest(write_manifest(rows, tmp_path)).fingerprint != before


def test_the_fingerprint_tells_the_order(tmp_path):
    rows = make_rows(5)
    before = read_manifest(write_manifest(rows, tmp_path)).fingerprint
    assert read_manifest(write_manifest(rows[::-1], tmp_path)).fingerprint != before


BAD_ROWS = [
    ({"task": "asrr"}, "unknown task in row 'utterance-0': task is 'asrr', not one of asr, did"),
    ({"task": "did", "label": "klingon", "target": "klingon"}, "unknown label .* is 'klingon'"),
    ({"task": "did", "label": None, "target": "msa"}, "unknown label .* label is None"),
    ({"task": "did", "label": "msa", "target": "gulf"}, "label is 'msa' but the target 'gulf'"),
    ({"split": "eval"}, "split is 'eval', not one of train, dev, test"),
    ({"target": ""}, "empty target in row 'utterance-0': target is ''"),
    ({"target": " \n"}, "empty target"),
    ({"start": -0.5}, "impossible times .* start is -0.5"),
    ({"seconds": -1.0}, "seconds is -1.0"),
    ({"seconds": float("nan")}, "seconds is nan"),
    ({"start": float("inf")}, "start is inf"),
    ({"seconds": 0.0}, "seconds is 0.0"),
    ({"audios": []}, "no audio .* task 'asr' needs audio"),
    ({"audios": [""]}, "no audio"),
    ({"audios": ["a.wav", "b.wav"]}, "several audios"),
    ({"messages": [{"role": "user", "content": "x"}]}, "do not hold one <audio> .*'audio/0.wav'"),
    ({"messages": [{"role": "user", "content": "<audio>"}]}, "answer unlike target"),
    ({"messages": []}, "answer unlike target"),
    ({"messages": [{"role": "bot", "content": "<audio>"}]}, "unknown role"),
    ({"source": None, "split": None}, "missing value in row 'utterance-0': no source, split"),
    ({"messages": None, "audios": None}, "missing value .* no messages, audios"),
    ({"start": None}, "missing value .* no start"),
    ({"target": None, "id": None}, "missing value in row 'row 0': no id, target"),
]


@pytest.mark.parametrize(("change", "words"), BAD_ROWS)
def test_an_unsound_row_is_named_when_read_and_when_written(tmp_path, change, words):
    rows = [make_row(0, **{"task": "asr", **change}), *make_rows(9)[1:]]
    with pytest.raises(ManifestError, match=words):
        write_manifest(rows, tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ManifestError, match=words):
        read_manifest(write_unchecked(rows, tmp_path))


@pytest.mark.parametrize(("change", "words"), BAD_ROWS)
def test_an_unsound_row_hides_no_other(tmp_path, change, words):
    rows = [make_row(0, **{"task": "asr", **change}), make_row(1, split="never")]
    with pytest.raises(ManifestError, match="unknown split"):
        write_manifest(rows, tmp_path)


def test_duplicate_ids_are_counted(tmp_path):
    rows = [make_row(0), make_row(1), make_row(5, id="utterance-0"), make_row(6, id="utterance-1")]
    with pytest.raises(ManifestError, match="duplicate id in 2 rows, 'utterance-0', 'utterance-1'"):
        write_manifest(rows, tmp_path)


def test_of_many_faults_five_are_named_and_all_are_counted(tmp_path):
    rows = [make_row(index, split="x") for index in range(8)]
    with pytest.raises(ManifestError, match=r"in 8 rows, 'utterance-0', .* and 3 more"):
        write_manifest(rows, tmp_path)


def test_all_kinds_of_faults_are_named_at_once(tmp_path):
    rows = [make_row(0, target=""), make_row(1, split="x"), make_row(2, seconds=-1.0)]
    with pytest.raises(ManifestError, match=r"unknown split.*empty target.*impossible times"):
        write_manifest(rows, tmp_path)


def test_faults_are_found_beyond_the_first_batch_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "_BATCH_ROWS", 4)
    rows = [*make_rows(10), make_row(10, split="x")]
    with pytest.raises(ManifestError, match="unknown split in row 'utterance-10'"):
        write_manifest(rows, tmp_path)


def test_missing_columns_are_named(tmp_path):
    rows = [{key: value for key, value in make_row(0).items() if key not in ("target", "start")}]
    with pytest.raises(ManifestError, match="the columns start, target are missing"):
        write_manifest(rows, tmp_path)


def test_a_column_of_another_type_is_named(tmp_path):
    table = pa.Table.from_pylist(make_rows(2), schema=SCHEMA)
    wrong = table.set_column(9, "start", pa.array([["a"], ["b"]]))
    with pytest.raises(ManifestError, match=r"column 'start' is list.*, not double"):
        write_manifest(wrong, tmp_path)


def test_a_value_of_another_type_is_named(tmp_path):
    with pytest.raises(ManifestError, match="column 'seconds' does not hold double"):
        write_manifest([make_row(0, seconds="long")], tmp_path)
    table = pa.Table.from_pylist(make_rows(1), schema=SCHEMA)
    with pytest.raises(ManifestError, match=r"a value is of another type: .*'long'"):
        write_manifest(table.set_column(10, "seconds", pa.array(["long"])), tmp_path)


def test_no_manifest_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(ManifestError, match="there is no manifest here") as caught:
        read_manifest(tmp_path)
    assert "maqam data import" in caught.value.hint


def test_a_truncated_manifest_is_an_error(tmp_path):
    file = write_manifest(make_rows(), tmp_path)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ManifestError, match="not readable as a manifest"):
        read_manifest(file)


def test_a_manifest_of_a_later_format_is_refused(tmp_path):
    table = pa.Table.from_pylist(make_rows(1), schema=SCHEMA)
    later = table.replace_schema_metadata({b"maqam_format_version": b"2"})
    pq.write_table(later, tmp_path / "manifest.parquet")
    with pytest.raises(ManifestError, match="format version 2, this maqam reads version 1"):
        read_manifest(tmp_path)


def test_a_full_disk_leaves_the_earlier_manifest(tmp_path, monkeypatch):
    file = write_manifest(make_rows(3), tmp_path)

    def fill(table, where, **_):
        where.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(manifest_module.pq, "write_table", fill)
    with pytest.raises(ManifestError, match="cannot be written: No space left"):
        write_manifest(make_rows(5), tmp_path)
    assert read_manifest(file).num_utterances == 3
    assert [one.name for one in tmp_path.iterdir()] == ["manifest.parquet"]


def test_unsound_rows_can_be_opened_for_a_check(tmp_path):
    write_unchecked([make_row(0, split="x")], tmp_path)
    assert read_manifest(tmp_path, check_rows=False).num_utterances == 1
