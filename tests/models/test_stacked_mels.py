"""Stacked mel frames against what the families' own extractors gave with torchaudio 2.11.1."""

from pathlib import Path

import numpy as np
import pytest

from maqam.models.stacked_mels import KaldiMel, PairedMel

from .tiny.fun_asr import Extractor
from .tiny.granite import stock

GOLDEN = Path(__file__).parents[1] / "golden"
PAIRED = np.load(GOLDEN / "granite_speech_frames.npy")
KALDI = np.load(GOLDEN / "fun_asr_nano_frames.npy")


def chirp() -> np.ndarray:
    """Return 2,000 samples that rise in pitch and die away."""
    fading = 0.2 * np.linspace(1, 0.001, 2000)
    return (np.sin(np.arange(2000) ** 1.7 / 50) * fading).astype(np.float32)


def test_pairs_of_log_mels_are_those_of_torchaudio():
    assert np.allclose(PairedMel().frames(chirp(), 160), PAIRED, atol=1e-4)
    assert PAIRED.std() > 0.1


def test_stacks_of_kaldi_s_log_mels_are_those_of_torchaudio():
    assert np.allclose(KaldiMel().frames(chirp(), 560), KALDI, atol=1e-3)  # of float32 there
    assert KALDI.std() > 1


def test_what_stands_in_for_torchaudio_gives_its_numbers():
    paired = stock.GraniteSpeechFeatureExtractor()(chirp())["input_features"][0]
    kaldi = Extractor()(chirp(), sampling_rate=16_000)["input_features"][0]
    assert np.allclose(paired.numpy(), PAIRED, atol=1e-4)
    assert np.allclose(kaldi.numpy(), KALDI, atol=1e-3)


@pytest.mark.parametrize(("extractor", "num_bins"), [(PairedMel(), 160), (KaldiMel(), 560)])
@pytest.mark.parametrize("num_samples", [1, 256, 257, 399, 400, 559, 560, 1360, 1361, 16_001])
def test_as_many_frames_are_counted_as_given(extractor, num_bins, num_samples):
    frames = extractor.frames(np.ones(num_samples, dtype=np.float32), num_bins)
    assert frames.shape == (extractor.num_frames(num_samples), num_bins)
    assert frames.dtype == np.float32


def test_names_tell_front_ends_apart():
    names = {PairedMel().name(160), KaldiMel().name(560), KaldiMel(stacked=5).name(400)}
    assert len(names) == 3
