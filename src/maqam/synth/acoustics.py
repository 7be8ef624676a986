"""What a room and a microphone add: loudness, reverberation, noise at a known SNR."""

import numpy as np

from maqam import extras
from maqam.synth import espeak

SAMPLE_RATE = 16000
NOISES = ("white", "pink", "babble")
_LOUDNESS_DB = -26.0


def to_model_rate(samples: np.ndarray) -> np.ndarray:
    """Resample the synthesizer's samples to 16 kHz and cut the silence at both ends.

    Args:
        samples: (num_samples,) int16 at the synthesizer's rate.

    Returns:
        (num_samples,) float32 in [-1, 1], with 80 ms of silence kept at each end.
    """
    samples = samples.astype(np.float32) / 32768
    loud = np.flatnonzero(np.abs(samples) > 1e-3)
    if loud.size:
        samples = samples[loud[0] : loud[-1] + 1]
    samples = extras.load("soxr").resample(samples, espeak.SAMPLE_RATE, SAMPLE_RATE)
    return np.pad(samples, SAMPLE_RATE * 80 // 1000).astype(np.float32)


def tilt(samples: np.ndarray, tilt_db: float) -> np.ndarray:
    """Raise or lower the band above 1 kHz smoothly: the effort in a voice.

    Examples:
        >>> bool(np.allclose(tilt(np.ones(64, np.float32), 0.0), 1))
        True
    """
    if tilt_db == 0:
        return samples
    spectrum = np.fft.rfft(samples)
    frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    above = 1 / (1 + np.exp(-(frequency - 1000) / 250))
    tilted = np.fft.irfft(spectrum * 10 ** (tilt_db * above / 20), len(samples))
    return np.asarray(tilted, dtype=np.float32)


def reverberate(samples: np.ndarray, rt60_seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Convolve with a synthetic room response: noise that decays by 60 dB in the given time.

    Args:
        samples: (num_samples,) float32.
        rt60_seconds: Reverberation time.
        rng: Draws the reflections.

    Returns:
        (num_samples,) float32, as long as the input and as loud.
    """
    length = max(1, int(rt60_seconds * SAMPLE_RATE))
    decay = np.exp(-6.908 * np.arange(length) / length)
    response = 0.25 * rng.standard_normal(length) * decay
    response *= 0.7 / np.linalg.norm(response)
    response[0] = 1.0
    wet = extras.load("scipy.signal").fftconvolve(samples, response)[: len(samples)]
    wet *= _rms(samples) / max(_rms(wet), 1e-9)
    return np.asarray(wet, dtype=np.float32)


def add_noise(samples: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Add noise so that the speech is `snr_db` decibels above it, averaged over the utterance.

    Examples:
        >>> speech, noise = np.ones(8, np.float32), np.full(8, 3, np.float32)
        >>> round(float(add_noise(speech, noise, 20.0)[0]), 3)
        1.1
    """
    scale = _rms(samples) / max(_rms(noise), 1e-9) * 10 ** (-snr_db / 20)
    return (samples + scale * noise).astype(np.float32)


def noise_of(kind: str, num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Make white or pink noise (babble is mixed from other voices by `mix_babble`)."""
    white = rng.standard_normal(num_samples)
    if kind == "white":
        return white.astype(np.float32)
    spectrum = np.fft.rfft(white)
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    return np.fft.irfft(spectrum, num_samples).astype(np.float32)


def mix_babble(voices: list[np.ndarray], num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Mix four stretches of other voices, each starting at a random place."""
    chosen = rng.integers(len(voices), size=4)
    mixed = np.zeros(num_samples, dtype=np.float32)
    for index in chosen:
        voice = voices[int(index)]
        start = int(rng.integers(len(voice)))
        mixed += np.resize(np.roll(voice, -start), num_samples)
    return mixed


def set_loudness(samples: np.ndarray, gain_db: float) -> np.ndarray:
    """Bring an utterance to the corpus' loudness plus a gain, without clipping."""
    target = 10 ** ((_LOUDNESS_DB + gain_db) / 20)
    louder = samples * (target / max(_rms(samples), 1e-9))
    return (louder / max(1.0, float(np.abs(louder).max()) / 0.99)).astype(np.float32)


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
