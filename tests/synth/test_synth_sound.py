"""The synthesizer's door, prosody, room and noise."""

import hashlib
import subprocess
import sys
import time

import numpy as np
import pytest

from maqam.errors import MaqamError
from maqam.synth import acoustics, espeak
from maqam.synth.espeak import Delivery, speak
from maqam.synth.grammar import make_sentence
from maqam.synth.phonology import letters_to_phones
from maqam.synth.prosody import EMOTION_CUES, VARIANTS, deliver, script
from maqam.synth.settings import SynthSettings
from maqam.tasks import default_tasks

DIALECTS = default_tasks()["did"].labels
EMOTIONS = default_tasks()["ser"].labels

TEXT = "[[?alq'alb kab'i:r]]."


def test_what_is_spoken_does_not_depend_on_what_was_spoken_before():
    first = speak(TEXT, Delivery("m3"))
    speak("[[s'amaka]].", Delivery("Alicia"))
    assert np.array_equal(speak(TEXT, Delivery("m3")), first)


def test_a_breathy_voice_has_the_same_noise_at_another_second():
    code = (
        "import hashlib; from maqam.synth.espeak import Delivery, speak;"
        f"print(hashlib.sha256(speak({TEXT!r}, Delivery('Alicia')).tobytes()).hexdigest())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    time.sleep(1.1)
    samples = speak(TEXT, Delivery("Alicia"))
    assert hashlib.sha256(samples.tobytes()).hexdigest() == said.stdout.strip()


def test_voices_and_prosody_change_the_samples():
    spoken = [
        speak(TEXT, delivery)
        for delivery in (
            Delivery("m3"),
            Delivery("Alicia"),
            Delivery("m3", pitch=80),
            Delivery("m3", pitch_range=5),
        )
    ]
    assert len({samples.tobytes() for samples in spoken}) == 4
    assert len(speak(TEXT, Delivery("m3", rate=100))) > len(speak(TEXT, Delivery("m3", rate=200)))


def test_a_child_that_fails_is_reported(monkeypatch):
    monkeypatch.setattr(espeak, "_CALLBACK", None)
    with pytest.raises(MaqamError, match="voice m3: espeak-ng spoke nothing"):
        speak(TEXT, Delivery("m3"))


def test_an_unknown_voice_is_named():
    with pytest.raises(MaqamError, match="no voice variant 'Nobody'"):
        speak(TEXT, Delivery("Nobody"))


@pytest.mark.parametrize("variety", DIALECTS)
def test_every_phoneme_of_a_variety_is_one_that_the_synthesizer_speaks(variety):
    rng = np.random.default_rng(0)
    delivery, cues = deliver("m3", variety, "neutral", rng)
    for _ in range(5):
        sentence = make_sentence(variety, rng)
        samples = speak(script((sentence,), variety, cues, rng), delivery)
        phones = sum(len(letters_to_phones(token.spoken)) for token in sentence.tokens)
        assert len(samples) / 22050 > 0.03 * phones


def test_emotions_take_the_direction_of_the_literature():
    angry, happy, sad = (EMOTION_CUES[name] for name in ("angry", "happy", "sad"))
    assert sad.pitch < 0 < angry.pitch < happy.pitch
    assert sad.pitch_range < 1 < angry.pitch_range
    assert sad.rate < 1 < happy.rate < angry.rate
    assert sad.gain_db < 0 < happy.gain_db < angry.gain_db
    assert set(EMOTION_CUES) == set(EMOTIONS)


def test_a_speaker_keeps_a_habitual_pitch():
    rng = np.random.default_rng(0)
    pitches = {
        variant: np.mean([deliver(variant, "msa", "neutral", rng)[0].pitch for _ in range(50)])
        for variant in VARIANTS[:2]
    }
    assert abs(pitches["m3"] - pitches["Alicia"]) > 3


def test_noise_is_added_at_the_ratio_that_was_asked_for():
    rng = np.random.default_rng(0)
    speech = rng.standard_normal(16000).astype(np.float32)
    for kind in ("white", "pink"):
        noisy = acoustics.add_noise(speech, acoustics.noise_of(kind, 16000, rng), 12.0)
        ratio = 10 * np.log10(np.mean(speech**2) / np.mean((noisy - speech) ** 2))
        assert ratio == pytest.approx(12.0, abs=0.01)


def test_a_room_response_decays_by_60_db_in_its_reverberation_time():
    impulse = np.zeros(16000, np.float32)
    impulse[0] = 1
    wet = acoustics.reverberate(impulse, 0.4, np.random.default_rng(0))
    early, late = np.mean(wet[1:641] ** 2), np.mean(wet[5760:6400] ** 2)
    assert 10 * np.log10(early / late) == pytest.approx(54, abs=4)


def test_pink_noise_has_less_energy_above():
    noise = acoustics.noise_of("pink", 16000, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise)) ** 2
    assert power[100:200].sum() > 3 * power[4000:4100].sum()


def test_babble_is_as_long_as_asked():
    voices = [np.ones(10, np.float32), np.zeros(7, np.float32)]
    assert acoustics.mix_babble(voices, 25, np.random.default_rng(0)).shape == (25,)


def test_loudness_is_set_without_clipping():
    spiky = np.zeros(1000, np.float32)
    spiky[0] = 1.0
    assert np.abs(acoustics.set_loudness(spiky, 20.0)).max() == pytest.approx(0.99)


def test_tilt_raises_the_high_band_only():
    time = np.arange(16000) / 16000
    low, high = (np.sin(2 * np.pi * hertz * time).astype(np.float32) for hertz in (100, 4000))
    assert acoustics.tilt(low, 6.0).std() == pytest.approx(low.std(), rel=0.02)
    assert acoustics.tilt(high, 6.0).std() == pytest.approx(2 * high.std(), rel=0.02)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"train": {"asrr": 1}}, "train counts tasks"),
        ({"dev": {"asr": -1}}, "negative count"),
        ({"noise_share": 1.5}, "noise_share must lie in"),
        ({"num_speakers": (995, 5, 5)}, "num_speakers must be"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(values, problem):
    with pytest.raises(ValueError, match=problem):
        SynthSettings(**values)
