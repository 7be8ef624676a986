import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maqam.errors import ManifestError
from tests.corpora.formats.archives import clip
from tests.corpora.formats.importing import imported
from tests.factories import make_tone

AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture
def wav(tmp_path):
    return clip(tmp_path)


def table(rows, schema=None):
    return pa.Table.from_pylist(rows, schema=schema)


def write_parquet(file, rows, schema=None):
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(rows, schema), file, row_group_size=2)
    return file


def row(wav, text="نعم", **more):
    return {"audio": {"bytes": wav, "path": "x.wav"}, "transcription": text, **more}


def test_audio_bytes_are_written_as_they_are(tmp_path, wav):
    rows = [row(wav, f"قول {n}", speaker_id=n) for n in range(5)]
    found = imported(write_parquet(tmp_path / "rows.parquet", rows), "huggingface")
    assert [(one["target"], one["speaker"]) for one in found.rows] == [
        (f"قول {n}", str(n)) for n in range(5)
    ]
    assert found.ids == [f"rows-{n}" for n in range(1, 6)]
    assert (found.folder / found.rows[4]["audios"][0]).read_bytes() == wav


def test_files_of_a_folder_tell_the_split(tmp_path, wav):
    for name in ("Egypt/validation-00000-of-00001", "Egypt/test-00000-of-00001", "train/0000"):
        write_parquet(tmp_path / "set" / f"{name}.parquet", [row(wav)])
    found = imported(tmp_path / "set", "huggingface", tmp_path / "out")
    assert {one["id"]: one["split"] for one in found.rows} == {
        "Egypt/test-00000-of-00001-1": "test",
        "Egypt/validation-00000-of-00001-1": "dev",
        "train/0000-1": "train",
    }


@pytest.mark.parametrize("is_stream", [True, False])
def test_arrow_files_are_read(tmp_path, wav, is_stream):
    file = tmp_path / "set" / "train" / "data-00000-of-00001.arrow"
    file.parent.mkdir(parents=True)
    rows = table([row(wav), row(wav)])
    new = pa.ipc.new_stream if is_stream else pa.ipc.new_file
    with pa.OSFile(str(file), "wb") as sink, new(sink, rows.schema) as writer:
        writer.write_table(rows)
    assert len(imported(tmp_path / "set", "huggingface", tmp_path / "out").rows) == 2


def test_numbers_of_classes_are_named(tmp_path, wav):
    feature = {"names": ["EGY", "LEV"], "_type": "ClassLabel"}
    metadata = {b"huggingface": json.dumps({"info": {"features": {"label": feature}}}).encode()}
    schema = pa.schema([("audio", AUDIO), ("label", pa.int64())], metadata=metadata)
    rows = [row(wav, label=1), row(wav, label=7)]
    source = write_parquet(tmp_path / "rows.parquet", rows, schema)
    found = imported(source, "huggingface", task="did", labels={"LEV": "levantine"})
    assert [one["label"] for one in found.rows] == ["levantine"]
    assert found.reasons == ["no label"]


def test_a_path_stands_for_bytes_that_are_not_there(tmp_path, wav):
    make_tone(tmp_path / "x.wav")
    schema = pa.schema([("audio", AUDIO), ("transcription", pa.string())])
    rows = [row(None), row(b"")]
    found = imported(write_parquet(tmp_path / "rows.parquet", rows, schema), "huggingface")
    assert [one["audios"] for one in found.rows] == [[str(tmp_path / "x.wav")]] * 2


def test_plain_bytes_and_plain_paths_are_audio_too(tmp_path, wav):
    make_tone(tmp_path / "x.wav")
    sources = [
        write_parquet(tmp_path / "bytes.parquet", [{"audio": wav, "text": "x"}]),
        write_parquet(tmp_path / "paths.parquet", [{"path": "x.wav", "text": "x"}]),
        write_parquet(tmp_path / "given.parquet", [{"sound": wav, "text": "x"}]),
    ]
    for source in sources:
        settings = {"columns": {"audio": "sound"}} if source.stem == "given" else {}
        found = imported(source, "huggingface", tmp_path / f"out-{source.stem}", **settings)
        assert len(found.rows) == 1


def test_text_summaries_need_no_audio(tmp_path):
    source = write_parquet(tmp_path / "rows.parquet", [{"text": "طويل", "summary": "قصير"}])
    assert imported(source, "huggingface", task="tsum").rows[0]["target"] == "قصير"


def test_rows_that_cannot_be_utterances_are_rejected(tmp_path, wav):
    rows = [row(wav), row(b"RIFF"), row(wav, None), {"audio": None, "transcription": "x"}]
    rows += [{"audio": {"bytes": None, "path": None}, "transcription": "x"}]
    found = imported(write_parquet(tmp_path / "rows.parquet", rows), "huggingface")
    assert found.reasons == ["damaged audio", "no text", "no audio", "no audio"]


def test_a_damaged_file_is_a_reject_and_the_others_are_read(tmp_path, wav):
    good = write_parquet(tmp_path / "set" / "b.parquet", [row(wav)])
    (tmp_path / "set" / "a.parquet").write_bytes(good.read_bytes()[:-100])
    (tmp_path / "set" / "c.arrow").write_bytes(b"nonsense" * 10)
    found = imported(tmp_path / "set", "huggingface", tmp_path / "out")
    assert (found.ids, found.reasons) == (["b-1"], ["unreadable file"] * 2)


def test_a_column_that_is_not_there_is_an_error(tmp_path, wav):
    source = write_parquet(tmp_path / "rows.parquet", [row(wav)])
    with pytest.raises(ManifestError, match="it has no column 'words'"):
        imported(source, "huggingface", columns={"text": "words"})


def test_a_folder_without_files_is_an_error(tmp_path):
    with pytest.raises(ManifestError, match="there are no Parquet or Arrow files here"):
        imported(tmp_path, "huggingface", tmp_path / "out")


@pytest.mark.parametrize("name", ["none.parquet", "data/none.parquet", "/none/rows", "none"])
def test_a_path_that_leads_nowhere_is_no_name_of_the_hub(tmp_path, name):
    with pytest.raises(ManifestError, match="there is no such file or folder"):
        imported(Path(name), "huggingface", tmp_path / "out")


def test_a_pipe_that_is_named_like_a_source_is_not_waited_for(tmp_path):
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "in" / "a.parquet")
    with pytest.raises(ManifestError, match=r"there (is|are) no"):
        imported(tmp_path / "in", "huggingface", tmp_path / "out")


def test_a_row_group_that_expands_without_bound_is_left(tmp_path, wav):
    good = write_parquet(tmp_path / "set" / "a.parquet", [row(wav)])
    bomb = good.with_name("b.parquet")
    zeros = pa.array([bytes(90 << 20)] * 3, pa.binary())
    whole = pa.table({"audio": zeros, "text": ["x"] * 3})
    options = {"use_dictionary": False, "write_statistics": False}
    pq.write_table(whole, bomb, compression="zstd", **options)
    assert bomb.stat().st_size < 1 << 20
    found = imported(tmp_path / "set", "huggingface", tmp_path / "out")
    assert (found.ids, found.reasons) == (["a-1"], ["unreadable file"])
    assert "a row group expands to" in found.rejects[0]["text"]
