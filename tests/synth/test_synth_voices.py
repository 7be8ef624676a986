"""Drawn voices: distinct, the same for ever, and really loaded by eSpeak NG."""

import hashlib
import tempfile

import numpy as np
import pytest

from maqam.data.manifest import read_manifest
from maqam.errors import MaqamError
from maqam.synth.corpus import make_corpus
from maqam.synth.espeak import SAMPLE_RATE, Delivery, data_folder, speak
from maqam.synth.plan import speakers_of
from maqam.synth.settings import SynthSettings
from maqam.synth.voices import NUM_DRAWN, data_with, drawn_name, voice_file

pytestmark = pytest.mark.slow

TEXT = "[[?alq'alb kab'i:r]]."
ALL = {drawn_name(index): voice_file(drawn_name(index)) for index in range(NUM_DRAWN)}
MANY = SynthSettings(
    train={"asr": 40}, dev={"asr": 1}, test={"asr": 1}, num_speakers=(988, 5, 7), noise_share=0
)


def key(content: str, name: str) -> list[float]:
    lines = [line.split()[1:] for line in content.splitlines() if line.split()[0] == name]
    return [float(value) for value in lines[0]]


def fundamental(samples: np.ndarray) -> float:
    """Median over loud frames of the rate, 60 to 400 Hz, at which a frame repeats itself."""
    low, high = SAMPLE_RATE // 400, SAMPLE_RATE // 60
    found = []
    for start in range(0, len(samples) - 2048, 1024):
        frame = samples[start : start + 2048].astype(float)
        if frame.std() > 0.3 * samples.std():
            alike = np.correlate(frame, frame, "full")[2047:]
            found.append(SAMPLE_RATE / (low + np.argmax(alike[low:high])))
    return float(np.median(found))


def test_every_voice_is_another_one_and_stays_what_it_is():
    sounds = {content.split("\n", 2)[2] for content in ALL.values()}
    assert len(ALL) == NUM_DRAWN == len(sounds)
    everything = "".join(ALL[name] for name in sorted(ALL)).encode()
    assert hashlib.blake2b(everything, digest_size=8).hexdigest() == "fb0b1930afc8b62a"


@pytest.mark.parametrize("name", ["drawn-000", "drawn-500", "drawn-935"])
def test_a_voice_has_the_keys_of_espeak(name):
    content = ALL[name]
    base, top = key(content, "pitch")
    assert 65 <= base <= 240
    assert 1.2 <= top / base <= 1.82
    assert content.startswith("language variant\n")
    assert content.count("\nformant ") == 9


def test_all_voices_at_once_are_heard_beside_those_of_espeak():
    own = speak(TEXT, Delivery("m3"))
    low = min(ALL, key=lambda name: key(ALL[name], "pitch")[0])
    high = max(ALL, key=lambda name: key(ALL[name], "pitch")[0])
    before = sorted(path.name for path in data_folder().rglob("*"))
    with data_with(ALL, data_folder()) as data:
        assert np.array_equal(speak(TEXT, Delivery("m3"), data), own)
        spoken = {name: speak(TEXT, Delivery(name), data) for name in (low, high)}
        assert np.array_equal(speak(TEXT, Delivery(low), data), spoken[low])
    assert fundamental(spoken[high]) > 1.5 * fundamental(spoken[low])
    assert not data.exists()
    assert sorted(path.name for path in data_folder().rglob("*")) == before


def test_a_voice_that_is_not_laid_out_is_refused():
    with (
        data_with(["drawn-000", "m3"], data_folder()) as data,
        pytest.raises(MaqamError, match="no voice variant 'drawn-001'"),
    ):
        speak(TEXT, Delivery("drawn-001"), data)


def test_only_training_speakers_are_drawn():
    usual, many = speakers_of(SynthSettings()), speakers_of(MANY)
    assert (many["dev"], many["test"]) == (usual["dev"], usual["test"])
    assert len(set(many["train"])) == 988
    assert {name for name in many["train"] if name.startswith("drawn-")} == set(ALL)


def test_a_corpus_of_drawn_voices_is_the_same_for_any_number_of_workers(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    found = []
    for workers in (1, 3):
        manifest = read_manifest(make_corpus(tmp_path / str(workers), MANY, num_workers=workers))
        audio = sorted((tmp_path / str(workers) / "audio").iterdir())
        found.append([hashlib.sha256(path.read_bytes()).digest() for path in audio])
        speakers = manifest.column("speaker")[manifest.select(split="train")]
        assert sum(name.startswith("espeak-drawn-") for name in speakers) > 30
    assert found[0] == found[1]
    assert not list(temporary.glob("maqam-voices-*"))
