import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import WhisperFeatureExtractor

from maqam.models.log_mel import log_mel, num_frames

LENGTHS = (1, 2, 159, 160, 161, 199, 200, 201, 399, 1600, 1601, 16_000, 31_999, 80_123, 479_520)
PEERS = {bins: WhisperFeatureExtractor(feature_size=bins) for bins in (80, 128)}


def speech_like(num_samples, seed=0):
    """Harmonics of a gliding pitch, syllables, pauses, and a little noise."""
    times = np.arange(num_samples) / 16_000
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * times)) / 16_000
    voice = sum(np.sin(harmonic * phase + harmonic) / harmonic for harmonic in range(1, 25))
    envelope = 0.1 * np.maximum(0, np.sin(2 * np.pi * 3 * times + 0.5))
    noise = 0.002 * np.random.default_rng(seed).standard_normal(num_samples)
    return (envelope * voice + noise).astype(np.float32)


def peer_frames(samples, bins=128, peer=None):
    made = (peer or PEERS[bins])(
        samples, sampling_rate=16_000, return_attention_mask=True, return_tensors="np"
    )
    return made["input_features"][0].T[: int(made["attention_mask"].sum())]


@pytest.mark.parametrize("bins", [80, 128])
@pytest.mark.parametrize("num_samples", LENGTHS)
def test_valid_frames_equal_whispers(num_samples, bins):
    samples = speech_like(num_samples)
    expected = peer_frames(samples, bins)
    found = log_mel(samples, num_mel_bins=bins)
    assert (found.shape, found.dtype) == (expected.shape, np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    num_samples=st.integers(1, 40_000),
    seed=st.integers(0, 9),
    decades=st.floats(-6, 0),
    is_noise=st.booleans(),
)
def test_any_length_and_loudness_equals_whispers(num_samples, seed, decades, is_noise):
    noise = np.random.default_rng(seed).standard_normal(num_samples)
    samples = (10**decades * (noise if is_noise else speech_like(num_samples, seed))).astype("f")
    np.testing.assert_allclose(log_mel(samples), peer_frames(samples), atol=1e-4)


@pytest.mark.parametrize("offset", [1, 100, 159, 200])
def test_a_click_at_the_very_end_sets_the_range_though_its_frame_is_dropped(offset):
    samples = 1e-4 * np.random.default_rng(0).standard_normal(3200).astype(np.float32)
    samples[-offset] = 1.0
    np.testing.assert_allclose(log_mel(samples), peer_frames(samples), atol=1e-4)


def test_silence_equals_whispers():
    samples = np.zeros(5000, dtype=np.float32)
    np.testing.assert_allclose(log_mel(samples), peer_frames(samples), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(num_samples=st.integers(201, 40_000), seed=st.integers(0, 9))
def test_a_clip_alone_equals_whispers_without_padding(num_samples, seed):
    samples = speech_like(num_samples, seed)
    peer = PEERS[128](samples, sampling_rate=16_000, padding="longest", return_tensors="np")
    found = log_mel(samples, is_alone=True)
    np.testing.assert_allclose(found, peer["input_features"][0].T, atol=1e-4)


def test_a_clip_that_fills_whispers_window_hears_its_end_reflected():
    samples = speech_like(480_000)
    found, expected = log_mel(samples, is_alone=True), peer_frames(samples)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert not np.allclose(log_mel(samples)[-1], expected[-1], atol=1e-4)


def test_clips_over_30_seconds_equal_a_longer_window():
    samples = speech_like(16_000 * 40 + 77)
    peer = WhisperFeatureExtractor(feature_size=128, chunk_length=50)
    np.testing.assert_allclose(log_mel(samples), peer_frames(samples, peer=peer), atol=1e-4)


def test_frames_are_counted_before_audio_is_read():
    assert all(len(log_mel(np.ones(n, np.float32))) == num_frames(n) for n in (1, 160, 161, 999))


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((2, 100))])
def test_what_is_no_clip_is_refused(samples):
    with pytest.raises(ValueError, match="samples must be"):
        log_mel(samples)
