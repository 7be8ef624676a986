import json
import os
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from maqam.corpora.importing import run
from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings
from maqam.data.manifest import read_manifest
from maqam.errors import ManifestError
from tests.corpora.importing.killed import KILLED
from tests.factories import make_tone

NEMO = ImportSettings(kind="nemo", task="asr")


def write_rows(folder, num_rows):
    """Rows of one clip; every tenth has no audio."""
    make_tone(folder / "a.wav", seconds=0.1)
    rows = [
        {"audio_filepath": "a.wav" if n % 10 else "x.wav", "text": f"قول {n}"}
        for n in range(num_rows)
    ]
    source = folder / "nemo.jsonl"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return source


def stop_at(wanted):
    def progress(done, total):
        if done >= wanted:
            raise KeyboardInterrupt

    return progress


def same(one, other):
    assert (one.num_rows, one.reasons) == (other.num_rows, other.reasons)
    assert read_manifest(one.manifest).fingerprint == read_manifest(other.manifest).fingerprint
    assert one.rejects.read_text() == other.rejects.read_text()


def test_an_interrupted_import_goes_on_to_the_same_result(tmp_path):
    source = write_rows(tmp_path, 3000)
    whole = import_corpus(source, tmp_path / "whole", NEMO, num_workers=1)
    with pytest.raises(KeyboardInterrupt):
        import_corpus(source, tmp_path / "out", NEMO, num_workers=1, progress=stop_at(2048))
    assert not (tmp_path / "out" / "manifest.parquet").exists()
    calls = []
    again = import_corpus(
        source, tmp_path / "out", NEMO, num_workers=1, progress=lambda done, _: calls.append(done)
    )
    assert calls == [3000]
    same(again, whole)


def test_a_killed_import_goes_on_to_the_same_result(tmp_path):
    source = write_rows(tmp_path, 5000)
    words = [sys.executable, "-c", KILLED, str(source), str(tmp_path / "out")]
    done = subprocess.run(words, check=False, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    calls = []
    again = import_corpus(
        source, tmp_path / "out", NEMO, num_workers=1, progress=lambda done, _: calls.append(done)
    )
    assert calls[0] > 2048
    same(again, import_corpus(source, tmp_path / "whole", NEMO, num_workers=1))


def parquet_of(folder, seconds, number):
    """Write a dataset that holds its clips itself, of one length."""
    clip = make_tone(folder / "clip.wav", seconds=seconds).read_bytes()
    rows = [{"audio": {"bytes": clip, "path": "c.wav"}, "text": f"قول {n}"} for n in range(number)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    return folder / "rows.parquet"


def seconds_of_clips(manifest):
    """Measure the clips that a manifest names."""
    found = read_manifest(manifest)
    paths = [found.audio_path(row) for row in range(found.num_utterances)]
    return [soundfile.info(path).duration for path in paths]


def test_a_manifest_is_replaced_by_force_and_its_clips_go(tmp_path):
    held, out = ImportSettings(kind="huggingface", task="asr"), tmp_path / "out"
    import_corpus(parquet_of(tmp_path, 0.5, 5), out, held, num_workers=1)
    (out / "audio" / "notes.txt").write_text("mine")
    source = parquet_of(tmp_path, 0.25, 3)
    with pytest.raises(ManifestError, match="there is a manifest already") as caught:
        import_corpus(source, out, held, num_workers=1)
    assert "--force" in caught.value.hint
    again = import_corpus(source, out, held, num_workers=1, force=True)
    assert seconds_of_clips(again.manifest) == [0.25] * 3
    assert len([*out.rglob("*.wav")]) == 3
    assert (out / "audio" / "notes.txt").is_file()


def test_a_forced_import_that_is_interrupted_leaves_the_old_manifest_whole_and_goes_on(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(run, "_BATCH_ROWS", 4)
    held, out = ImportSettings(kind="huggingface", task="asr"), tmp_path / "out"
    import_corpus(parquet_of(tmp_path, 0.1, 5), out, held, num_workers=1)
    source = parquet_of(tmp_path, 0.05, 10)
    with pytest.raises(KeyboardInterrupt):
        import_corpus(source, out, held, num_workers=1, progress=stop_at(4), force=True)
    assert seconds_of_clips(out) == [0.1] * 5
    calls = []
    again = import_corpus(
        source, out, held, num_workers=1, progress=lambda done, _: calls.append(done), force=True
    )
    assert calls == [8, 10]
    assert set(seconds_of_clips(again.manifest)) == {0.05}
    assert len([*out.rglob("*.wav")]) == 10


def test_a_forced_import_that_finds_nothing_leaves_the_old_manifest(tmp_path):
    source, out = write_rows(tmp_path, 5), tmp_path / "out"
    import_corpus(source, out, NEMO, num_workers=1)
    source.write_text('{"audio_filepath": "none.wav", "text": "x"}\n')
    with pytest.raises(ManifestError, match="none of 1 rows"):
        import_corpus(source, out, NEMO, num_workers=1, force=True)
    assert read_manifest(out).num_utterances == 4


def test_ids_of_before_an_interruption_are_known_after_it(tmp_path):
    make_tone(tmp_path / "a.wav", seconds=0.1)
    row = {"id": "one", "audio_filepath": "a.wav", "text": "قول"}
    others = [{"audio_filepath": "a.wav", "text": "قول"}] * 1500
    source = tmp_path / "nemo.jsonl"
    source.write_text("".join(f"{json.dumps(one)}\n" for one in [row, *others, row]))
    with pytest.raises(KeyboardInterrupt):
        import_corpus(source, tmp_path / "out", NEMO, num_workers=1, progress=stop_at(1))
    again = import_corpus(source, tmp_path / "out", NEMO, num_workers=1)
    assert again.reasons == {"duplicate row": 1}


@pytest.mark.parametrize("what", ["settings", "source"])
def test_an_import_of_something_else_is_not_continued(tmp_path, what):
    source = write_rows(tmp_path, 2000)
    with pytest.raises(KeyboardInterrupt):
        import_corpus(source, tmp_path / "out", NEMO, num_workers=1, progress=stop_at(1))
    if what == "source":
        source.write_text(source.read_text() + "\n")
    other = ImportSettings(kind="nemo", task="ssum") if what == "settings" else NEMO
    words = {
        "settings": "another source or other settings was interrupted",
        "source": "the files of the source have changed .*: 1 then, 1 now",
    }
    with pytest.raises(ManifestError, match=words[what]):
        import_corpus(source, tmp_path / "out", other)


@pytest.mark.parametrize("change", ["none", "added", "removed", "longer"])
def test_an_import_goes_on_only_with_the_files_that_it_began_with(tmp_path, change):
    source, out = tmp_path / "in", tmp_path / "in/out"
    make_tone(source / "a.wav", seconds=0.1)
    for name in ("b", "d"):
        lines = (f"a 1 s 0.0 0.0{n % 9 + 1} {name}{n}\n" for n in range(1500))
        (source / f"{name}.stm").write_text("".join(lines))
    asked = ImportSettings(kind="stm", task="asr")
    with pytest.raises(KeyboardInterrupt):
        import_corpus(source, out, asked, num_workers=1, progress=stop_at(1))
    if change == "added":
        (source / "a.stm").write_text("a 1 s 0 0.1 first\n")
    if change == "removed":
        (source / "b.stm").unlink()
    if change == "longer":
        with (source / "d.stm").open("a") as stream:
            stream.write("a 1 s 0 0.1 last\n")
    if change == "none":
        report = import_corpus(source, out, asked, num_workers=1)
        assert (report.num_rows, report.num_rows - report.num_rejected) == (
            3000,
            report.num_imported,
        )
        return
    with pytest.raises(ManifestError, match="files of the source have changed") as caught:
        import_corpus(source, out, asked, num_workers=1)
    assert str(out / ".import") in caught.value.hint


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_an_interrupted_import_that_is_damaged_says_so(tmp_path, content):
    source = write_rows(tmp_path, 2000)
    with pytest.raises(KeyboardInterrupt):
        import_corpus(source, tmp_path / "out", NEMO, num_workers=1, progress=stop_at(1))
    (tmp_path / "out" / ".import" / "state.json").write_text(content)
    with pytest.raises(ManifestError, match="interrupted here is damaged"):
        import_corpus(source, tmp_path / "out", NEMO)


def test_the_folder_holds_nothing_else_at_the_end(tmp_path):
    import_corpus(write_rows(tmp_path, 20), tmp_path / "out", NEMO)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["manifest.parquet", "rejects.jsonl"]


def test_a_source_that_is_not_there_leaves_no_folder(tmp_path):
    with pytest.raises(ManifestError, match="there is no file here"):
        import_corpus(tmp_path / "none.jsonl", tmp_path / "out", NEMO)
    assert not (tmp_path / "out").exists()


def test_ids_are_unique_over_batches(tmp_path):
    make_tone(tmp_path / "a.wav", seconds=0.1)
    rows = [{"id": f"{n % 1500}", "audio_filepath": "a.wav", "text": "x"} for n in range(4000)]
    source = tmp_path / "nemo.jsonl"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    report = import_corpus(source, tmp_path / "out", NEMO, num_workers=1)
    assert (report.num_imported, report.reasons) == (1500, {"duplicate row": 2500})


@pytest.mark.parametrize("num_workers", [1, 2])
def test_recordings_of_one_sentence_are_numbered_and_go_on_so(tmp_path, num_workers):
    for name in range(5):
        make_tone(tmp_path / f"{name}.wav", seconds=0.1)
    rows = [
        {"id": f"{n % 400}", "audio_filepath": f"{n // 400}.wav", "text": "x"} for n in range(2000)
    ]
    source = tmp_path / "nemo.jsonl"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        import_corpus(source, out, NEMO, num_workers=num_workers, progress=stop_at(1))
    report = import_corpus(source, out, NEMO, num_workers=num_workers)
    assert (report.num_imported, report.num_ids_numbered) == (2000, 1600)
    ids = read_manifest(report.manifest).table.column("id").to_pylist()
    assert ids == [f"{n % 400}" + (f"-{n // 400 + 1}" if n >= 400 else "") for n in range(2000)]


def test_an_id_that_ends_in_a_number_is_not_given_twice(tmp_path):
    for name in "abcd":
        make_tone(tmp_path / f"{name}.wav", seconds=0.1)
    ids = ["s", "s", "s-2", "s"]
    rows = [
        {"id": id_, "audio_filepath": f"{name}.wav", "text": "x"}
        for id_, name in zip(ids, "abcd", strict=True)
    ]
    source = tmp_path / "nemo.jsonl"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    report = import_corpus(source, tmp_path / "out", NEMO)
    assert read_manifest(report.manifest).table.column("id").to_pylist() == [
        "s",
        "s-3",
        "s-2",
        "s-4",
    ]


@pytest.mark.parametrize("other", [{"offset": 0.02}, {"task": "did", "label": "msa"}])
def test_another_segment_or_task_is_no_copy(tmp_path, other):
    make_tone(tmp_path / "a.wav", seconds=0.1)
    row = {"id": "one", "audio_filepath": "a.wav", "text": "x"}
    source = tmp_path / "nemo.jsonl"
    source.write_text(f"{json.dumps(row)}\n{json.dumps({**row, **other})}\n")
    report = import_corpus(source, tmp_path / "out", NEMO)
    assert read_manifest(report.manifest).table.column("id").to_pylist() == ["one", "one-2"]
