import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from maqam.corpora.importing.run import import_corpus
from maqam.corpora.importing.sounds import AudioJobs, Measured, Unsound, measure, measured
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import Slice, Sound
from maqam.data.manifest import read_manifest
from maqam.errors import ManifestError
from tests.factories import make_tone


def test_processes_give_what_one_gives_in_the_same_order(tmp_path):
    for clip in range(30):
        make_tone(tmp_path / f"{clip}.wav", seconds=0.1 + clip / 100)
    rows = [
        {"audio_filepath": f"{n % 31}.wav", "offset": n / 4e5, "text": f"قول {n}"}
        for n in range(5000)
    ]
    source = tmp_path / "nemo.jsonl"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    settings = ImportSettings(kind="nemo", task="asr")
    one, three = (
        import_corpus(source, tmp_path / f"out-{workers}", settings, num_workers=workers)
        for workers in (1, 3)
    )
    assert one.num_rejected > 0
    assert one.reasons == three.reasons
    assert one.rejects.read_text() == three.rejects.read_text()
    assert read_manifest(one.manifest).fingerprint == read_manifest(three.manifest).fingerprint


def test_a_process_that_ends_is_an_error_and_the_import_goes_on_later(tmp_path):
    make_tone(tmp_path / "a.wav", seconds=0.1)
    source = tmp_path / "nemo.jsonl"
    source.write_text('{"audio_filepath": "a.wav", "text": "x"}\n' * 9000)
    settings = ImportSettings(kind="nemo", task="asr")

    def kill_workers(done, total):
        for task in Path("/proc/self/task").iterdir():
            for child in (task / "children").read_text().split():
                if b"importing.sounds" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)

    with pytest.raises(ManifestError, match="a process that reads audio ended with -9") as caught:
        import_corpus(source, tmp_path / "out", settings, num_workers=2, progress=kill_workers)
    assert "it continues" in caught.value.hint
    assert import_corpus(source, tmp_path / "out", settings, num_workers=2).num_imported == 9000


def test_processes_are_not_started_for_one_batch():
    batch = AudioJobs(["row"], [None])
    assert list(measured([batch], num_workers=10_000, decode=False)) == [(["row"], [None])]


def test_a_header_is_enough_unless_all_is_to_be_decoded(tmp_path):
    samples = np.full(1600, np.nan, dtype=np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    job = (Sound(str(tmp_path / "a.wav")), "")
    assert measure(job) == Measured(str(tmp_path / "a.wav"), 0.0, 0.1)
    found = measure(job, decode=True)
    assert isinstance(found, Unsound)
    assert "1600 samples are not finite" in found.text


def test_a_wav_cut_short_is_found_by_its_riff_size(tmp_path):
    file = make_tone(tmp_path / "a.wav")
    file.write_bytes(file.read_bytes()[:20_000])
    found = measure((Sound(str(file)), ""))
    assert isinstance(found, Unsound)
    assert "cut short: the header declares 32044 bytes, the file has 20000" in found.text


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".opus"])
def test_held_audio_gets_a_file_named_by_what_it_is(tmp_path, suffix):
    data = make_tone(tmp_path / f"a{suffix}").read_bytes()
    found = measure(
        (Sound("strange.bin" if suffix != ".mp3" else "a.mp3", held=data), f"{tmp_path}/x/1")
    )
    assert isinstance(found, Measured)
    assert found.path == f"{tmp_path}/x/1{'.ogg' if suffix == '.opus' else suffix}"
    assert found.seconds == pytest.approx(1.0, abs=0.1)


def test_held_audio_is_read_from_its_place_in_a_file(tmp_path):
    data = make_tone(tmp_path / "a.wav").read_bytes()
    (tmp_path / "all").write_bytes(b"before" + data + b"after")
    held = Slice(str(tmp_path / "all"), 6, len(data))
    assert measure((Sound("a.wav", held=held), f"{tmp_path}/1")).seconds == 1.0
    assert (tmp_path / "1.wav").read_bytes() == data


@pytest.mark.parametrize(
    ("name", "held", "words"),
    [
        ("a.txt", b"text", "no header of a known format"),
        ("a.wav", b"", "empty"),
        ("a.wav", b"RIFF", "not readable as audio"),
        ("a.flac", b"fLaC" + bytes(40), "not readable as audio"),
        ("a.wav", Slice("{folder}/all", 0, 1 << 40), "1099511627776 bytes"),
        ("a.wav", Slice("{folder}/all", 0, 99), "holds 4 of its 99 bytes"),
    ],
)
def test_held_audio_that_is_unsound_leaves_no_file(tmp_path, name, held, words):
    (tmp_path / "all").write_bytes(b"RIFF")
    if isinstance(held, Slice):
        held = Slice(str(tmp_path / "all"), held.offset, held.num_bytes)
    found = measure((Sound(name, held=held), f"{tmp_path}/1"))
    assert isinstance(found, Unsound)
    assert words in found.text
    assert [path.name for path in tmp_path.iterdir()] == ["all"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.raw", "unsupported format"),
        ("x" * 5000, "unreadable audio"),
        ("a\0b", "missing audio"),
        ("", "missing audio"),
        ("/dev/zero", "missing audio"),
        ("http://x/a.wav", "missing audio"),
    ],
)
def test_a_strange_path_is_unsound(tmp_path, path, kind):
    (tmp_path / "a.raw").write_bytes(bytes(100))
    found = measure((Sound(str(tmp_path / path)), ""))
    assert isinstance(found, Unsound)
    assert found.kind == kind
