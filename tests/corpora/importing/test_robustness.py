"""Damage that is common enough to have a name, at every format that can have it."""

import json
import tracemalloc

import numpy as np
import pytest
import soundfile

from tests.corpora.formats.importing import imported, write
from tests.corpora.importing.sources import SOURCES
from tests.factories import make_tone

TEXTS = {  # the file of each format that holds its rows
    "ms-swift": "rows.jsonl",
    "llamafactory": "rows.jsonl",
    "nemo": "nemo.jsonl",
    "kaldi": "segments",
    "common-voice": "train.tsv",
    "table": "rows.csv",
    "shar": "shar/cuts.000000.jsonl",
}


@pytest.fixture(params=TEXTS)
def text_source(request, tmp_path):
    """Return kind, source and file of rows of a format of text."""
    kind, make = SOURCES[request.param]
    folder = tmp_path / "in"
    return kind, make(folder), folder / TEXTS[request.param]


def test_windows_ends_and_a_byte_order_mark_change_nothing(text_source, tmp_path):
    kind, source, file = text_source
    plain = imported(source, kind, tmp_path / "plain").rows
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    found = imported(source, kind, tmp_path / "out")
    assert found.rows == plain
    assert found.rejects == []


def test_a_line_of_ten_megabytes_is_rejected_and_the_others_are_read(text_source, tmp_path):
    kind, source, file = text_source
    lines = file.read_bytes().splitlines()
    lines.insert(len(lines) - 1, b"x" * 10_000_000)
    file.write_bytes(b"\n".join(lines) + b"\n")
    tracemalloc.start()
    found = imported(source, kind, tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if kind == "lhotse":  # the audio of the long cut is beside the next one
        assert set(found.reasons) == {"line too long", "no audio"}
    else:
        assert (len(found.rows), found.reasons) == (3, ["line too long"])
    assert peak < 60_000_000


def test_a_line_that_is_not_utf_8_is_rejected_and_the_others_are_read(text_source, tmp_path):
    kind, source, file = text_source
    lines = file.read_bytes().splitlines()
    lines[-1] = "عربي".encode("cp1256")
    file.write_bytes(b"\n".join(lines) + b"\n")
    found = imported(source, kind, tmp_path / "out")
    assert len(found.rows) == 2
    assert "not UTF-8" in found.reasons


def test_a_row_that_comes_twice_is_rejected_once(text_source, tmp_path):
    kind, source, file = text_source
    if kind == "nemo":  # its rows have no ids
        row = {**json.loads(file.read_text().splitlines()[0]), "id": "one"}
        write(file, json.dumps(row), json.dumps(row))
    elif kind != "lhotse":
        lines = file.read_bytes().splitlines()
        file.write_bytes(b"\n".join([*lines, lines[-1]]) + b"\n")
    else:
        lines = file.read_text().splitlines()
        write(file, *lines, lines[-1])
    reasons = imported(source, kind, tmp_path / "out").reasons
    assert reasons == (["no audio"] if kind == "lhotse" else ["duplicate row"])


def test_directions_of_writing_are_kept(tmp_path):
    make_tone(tmp_path / "a.wav")
    text = "\u200fقال \u2066OK\u2069 \u202eعكس\u202c"
    row = {"audio_filepath": "a.wav", "text": text}
    (found,) = imported(write(tmp_path / "nemo.jsonl", json.dumps(row)), "nemo").rows
    assert found["target"] == text


@pytest.fixture
def clip(tmp_path):
    """Imports one row of a clip of the given samples."""

    def run(samples, sample_rate=16_000, subtype="FLOAT", **settings):
        soundfile.write(tmp_path / "a.wav", samples, sample_rate, subtype=subtype)
        row = json.dumps({"audio_filepath": "a.wav", "text": "قول"})
        return imported(write(tmp_path / "nemo.jsonl", row), "nemo", **settings)

    return run


@pytest.mark.parametrize(
    ("samples", "seconds"),
    [
        (np.zeros(1), 1 / 16_000),
        (np.full(1600, 0.5), 0.1),
        (np.zeros((1600, 8)), 0.1),
    ],
)
def test_strange_audio_that_is_sound_is_imported(clip, samples, seconds):
    assert clip(samples).rows[0]["seconds"] == seconds


@pytest.mark.parametrize(("level", "kind"), [(0.0, "silent audio"), (0.5, "constant audio")])
def test_decoding_rejects_audio_in_which_there_is_no_sound(clip, level, kind):
    assert clip(np.full(1600, level), decode=True).reasons == [kind]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_no_samples_are_found_by_decoding(clip, value):
    samples = np.zeros(1600)
    samples[7] = value
    (reject,) = clip(samples, decode=True).rejects
    assert "1 samples are not finite" in reject["text"]


def test_a_clip_without_samples_is_rejected(clip):
    (reject,) = clip(np.zeros(0)).rejects
    assert (reject["reason"], "zero samples" in reject["text"]) == ("no samples", True)


def test_a_file_of_three_hours_is_read_by_its_header_and_its_segment(tmp_path):
    file = tmp_path / "long.flac"
    with soundfile.SoundFile(file, "w", samplerate=8000, channels=1, format="FLAC") as sound:
        minute = np.tile(np.array([900, -900], dtype=np.int16), 4000 * 60)
        for _ in range(180):
            sound.write(minute)
    rows = [{"text": "كل"}, {"text": "آخر", "offset": 10_799.0, "duration": 1.0}]
    lines = [json.dumps({"audio_filepath": "long.flac", **row}) for row in rows]
    source = write(tmp_path / "nemo.jsonl", *lines)
    assert [row["seconds"] for row in imported(source, "nemo").rows] == [10_800.0, 1.0]
    write(source, lines[1])
    assert imported(source, "nemo", tmp_path / "decoded", decode=True).rows[0]["start"] == 10_799.0


def test_a_header_that_declares_years_is_unsound(tmp_path):
    file = make_tone(tmp_path / "a.flac")
    data = bytearray(file.read_bytes())
    at = data.index(b"fLaC") + 8 + 13  # the low 36 bits of these 8 bytes count the samples
    data[at : at + 5] = bytes([data[at] | 0x0F]) + b"\xff" * 4
    file.write_bytes(data)
    row = json.dumps({"audio_filepath": "a.flac", "text": "قول"})
    source = write(tmp_path / "nemo.jsonl", row)
    assert imported(source, "nemo", decode=True).reasons == ["audio cut short"]
