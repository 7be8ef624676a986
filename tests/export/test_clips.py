from pathlib import Path

import numpy as np
import pytest
import soundfile

from maqam.data.audio import read_audio
from maqam.data.manifest import read_manifest, write_manifest
from maqam.errors import AudioError
from tests.export.plans import exported, lines, meta, plan_of, segments
from tests.factories import make_row, make_tone


@pytest.fixture
def cut(tmp_path):
    manifest = segments(tmp_path / "corpus")
    return exported(plan_of([[0, 1, 2, 3]]), manifest, tmp_path / "out"), tmp_path / "corpus"


def test_a_segment_is_handed_over_as_its_own_clip(cut):
    folder, corpus = cut
    clip = read_audio(lines(folder)[1]["audios"][0])
    source = read_audio(corpus / "long.wav", start=1.0, seconds=0.75)
    np.testing.assert_allclose(clip, source, atol=1 / 32768)


def test_the_start_of_a_longer_file_is_a_segment(cut):
    folder, _ = cut
    assert soundfile.info(lines(folder)[0]["audios"][0]).duration == 0.5


def test_a_segment_of_two_rows_is_cut_once(cut):
    folder, _ = cut
    rows = lines(folder)
    assert rows[1]["audios"] == rows[2]["audios"]


def test_a_whole_file_is_not_copied(cut):
    folder, corpus = cut
    assert lines(folder)[3]["audios"] == [str((corpus / "long.wav").resolve())]


def test_cut_clips_are_counted(cut):
    folder, _ = cut
    assert meta(folder)["cut_clips"] == {"count": 2, "seconds": 1.25}


def test_clips_lie_in_the_export(cut):
    folder, _ = cut
    assert Path(lines(folder)[1]["audios"][0]).parent == folder / "audio"


def test_clips_are_at_16_kilohertz(tmp_path):
    make_tone(tmp_path / "a.wav", seconds=2.0, sample_rate=44_100)
    rows = [make_row(0, task="asr", audios=["a.wav"], start=0.5, seconds=1.0)]
    manifest = read_manifest(write_manifest(rows, tmp_path))
    folder = exported(plan_of([[0]]), manifest, tmp_path / "out")
    assert soundfile.info(lines(folder)[0]["audios"][0]).samplerate == 16_000


def test_samples_above_one_are_not_clipped(tmp_path):
    loud = np.full(32_000, 1.5, dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", loud, 16_000, subtype="FLOAT")
    rows = [make_row(0, task="asr", audios=["a.wav"], start=0.5, seconds=1.0)]
    manifest = read_manifest(write_manifest(rows, tmp_path))
    folder = exported(plan_of([[0]]), manifest, tmp_path / "out")
    assert read_audio(lines(folder)[0]["audios"][0]).max() == 1.5


def test_a_file_shorter_than_its_row_says_is_an_error(tmp_path):
    make_tone(tmp_path / "a.wav", seconds=0.5)
    rows = [make_row(0, task="asr", audios=["a.wav"], seconds=3.0)]
    manifest = read_manifest(write_manifest(rows, tmp_path))
    with pytest.raises(AudioError, match=r"ends at 3\.00 s"):
        exported(plan_of([[0]]), manifest, tmp_path / "out")
