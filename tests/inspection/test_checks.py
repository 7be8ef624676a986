import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from maqam.data.manifest import SCHEMA, read_manifest, write_manifest
from maqam.errors import ManifestError
from maqam.inspection import checks
from maqam.inspection.checks import check_manifest, write_sound_rows
from tests.factories import make_manifest, make_row, make_tone


def kinds(report):
    return [(finding.id, finding.kind) for finding in report.findings]


def manifest_of(folder, rows):
    """Write rows, sound or not, with a tone for each audio, and open them for a check."""
    folder.mkdir(exist_ok=True)
    for row in rows:
        for audio in row["audios"]:
            make_tone(folder / audio, seconds=0.5)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / "manifest.parquet")
    return read_manifest(folder, check_rows=False)


def test_a_sound_manifest_has_no_findings(tmp_path):
    report = check_manifest(make_manifest(tmp_path, 20))
    assert (report.num_utterances, report.findings) == (20, ())


@pytest.fixture
def damaged(tmp_path):
    """Twelve rows, seven of them with damaged audio."""
    folder = tmp_path / "damaged"
    manifest = make_manifest(folder, 12)
    audio = folder / "audio"
    (audio / "0.wav").unlink()
    (audio / "1.wav").write_bytes(b"")
    (audio / "2.wav").write_bytes((audio / "2.wav").read_bytes()[:5000])
    (audio / "3.wav").write_text("not audio" * 20)
    soundfile.write(audio / "5.wav", np.zeros(0), 16_000)
    soundfile.write(audio / "6.wav", np.full(8000, np.nan), 16_000, subtype="FLOAT")
    make_tone(audio / "7.wav", seconds=0.2)
    return manifest


def test_all_damaged_audio_is_found_in_the_order_of_the_manifest(damaged):
    report = check_manifest(damaged, num_workers=2)
    assert kinds(report) == [
        ("utterance-0", "missing audio"),
        ("utterance-1", "empty audio file"),
        ("utterance-2", "audio cut short"),
        ("utterance-3", "not audio"),
        ("utterance-5", "no samples"),
        ("utterance-6", "samples not finite"),
        ("utterance-7", "segment outside the file"),
    ]
    assert set(report.counts().values()) == {1}
    words = ["missing", "0 bytes", "cut short", "not readable", "zero", "not finite", "0.50 s"]
    assert all(word in finding.text for word, finding in zip(words, report.findings, strict=True))


def test_without_reading_only_missing_files_are_found(damaged):
    assert kinds(check_manifest(damaged, read=False)) == [("utterance-0", "missing audio")]


def test_any_number_of_workers_finds_the_same(damaged):
    assert check_manifest(damaged, num_workers=1) == check_manifest(damaged, num_workers=5)


def test_progress_ends_at_the_total(damaged, monkeypatch):
    monkeypatch.setattr(checks, "_WINDOW_ROWS", 5)
    told = []
    check_manifest(damaged, progress=lambda done, total: told.append((done, total)))
    assert told == [(5, 12), (10, 12), (12, 12)]


def test_unsound_rows_are_findings_of_their_own(tmp_path):
    rows = [
        make_row(0),
        make_row(5, id="utterance-0"),
        make_row(1, label="klingon", target="klingon"),
        make_row(2, split="eval"),
        make_row(3, target="", seconds=float("nan")),
        make_row(4, id=None),
    ]
    report = check_manifest(manifest_of(tmp_path, rows))
    assert kinds(report) == [
        ("utterance-0", "duplicate id"),
        ("utterance-1", "unknown label"),
        ("utterance-2", "unknown split"),
        ("utterance-3", "empty target"),
        ("utterance-3", "impossible times"),
        ("row 5", "missing value"),
    ]
    assert report.rejected_rows.tolist() == [1, 2, 3, 4, 5]
    assert report.rejected_ids[0] == "utterance-0"


def test_silence_is_rejected_and_clipping_is_a_remark(tmp_path):
    manifest = manifest_of(tmp_path, [make_row(index, seconds=0.5) for index in range(3)])
    soundfile.write(tmp_path / "audio/0.wav", np.zeros(8000), 16_000)
    soundfile.write(tmp_path / "audio/1.wav", np.tile([1.0, -1.0], 4000), 16_000)
    report = check_manifest(manifest)
    assert kinds(report) == [("utterance-0", "silent audio"), ("utterance-1", "clipped audio")]
    assert report.rejected_ids == ["utterance-0"]


def test_very_short_audio_is_a_remark(tmp_path):
    manifest = manifest_of(tmp_path, [make_row(0, seconds=0.05)])
    assert kinds(check_manifest(manifest)) == [("utterance-0", "short audio")]


def test_sound_and_rejected_rows_add_up(damaged, tmp_path):
    report = check_manifest(damaged)
    path, rejects = write_sound_rows(damaged, report, tmp_path / "clean")
    lines = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
    sound = read_manifest(path)
    assert sound.num_utterances + len(lines) == report.num_utterances
    assert [line["row"] for line in lines] == report.rejected_rows.tolist()
    assert lines[0]["reasons"][0]["kind"] == "missing audio"
    assert check_manifest(sound).findings == ()


def test_of_a_repeated_id_the_first_row_stays(tmp_path):
    rows = [make_row(0), make_row(5, id="utterance-0"), make_row(1)]
    manifest = manifest_of(tmp_path / "a", rows)
    path, rejects = write_sound_rows(manifest, check_manifest(manifest), tmp_path / "b")
    assert read_manifest(path).column("id").tolist() == ["utterance-0", "utterance-1"]
    assert len(rejects.read_text().splitlines()) == 1


def test_a_row_with_two_faults_is_one_line_with_two_reasons(tmp_path):
    manifest = manifest_of(tmp_path / "a", [make_row(0), make_row(1, split="x", start=-1.0)])
    _, rejects = write_sound_rows(manifest, check_manifest(manifest), tmp_path / "b")
    (line,) = map(json.loads, rejects.read_text().splitlines())
    assert [reason["kind"] for reason in line["reasons"]] == ["unknown split", "impossible times"]


def test_the_manifest_itself_is_not_replaced(damaged):
    with pytest.raises(ManifestError, match="would replace the manifest they come from"):
        write_sound_rows(damaged, check_manifest(damaged), damaged.folder)


def test_rejects_that_cannot_be_written_are_an_error(damaged, tmp_path):
    (tmp_path / "rejects.jsonl").mkdir()
    with pytest.raises(ManifestError, match=r"rejects\.jsonl: cannot be written"):
        write_sound_rows(damaged, check_manifest(damaged), tmp_path)
    assert not list(tmp_path.glob(".rejects*"))


def test_an_empty_manifest_has_no_findings(tmp_path):
    assert check_manifest(read_manifest(write_manifest([], tmp_path))).findings == ()
