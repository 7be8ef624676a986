"""Mel frames stacked several to one, as Granite Speech and Fun-ASR-Nano read them.

Equal to the feature extractors of those families, which need torchaudio; these do not.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from maqam import extras

SAMPLE_RATE = 16_000  # Hz
WINDOW_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 160  # 10 ms
FFT_SAMPLES = 512
DYNAMIC_RANGE = 8.0  # decades below the loudest bin that are kept
FLOOR = 1e-10
PREEMPHASIS = 0.97
LOWEST_HERTZ = 20.0


@dataclass(frozen=True, slots=True)
class PairedMel:
    """Two log-mel frames side by side, as Granite Speech's extractor gives them."""

    sample_rate = SAMPLE_RATE
    hop_samples = 2 * HOP_SAMPLES
    tail_frames = 0

    def name(self, num_bins: int) -> str:
        """Return what decides the numbers of a frame, in words."""
        return f"paired log-mel 1, {num_bins} bins, {self.sample_rate} Hz"

    def num_frames(self, num_samples: int) -> int:
        """Count the frames of samples; a reflection is as long as half a spectrum's samples.

        Examples:
            >>> PairedMel().num_frames(16_000), PairedMel().num_frames(256)
            (50, 0)
        """
        return (num_samples // HOP_SAMPLES + 1) // 2 if num_samples > FFT_SAMPLES // 2 else 0

    def frames(self, samples: np.ndarray, num_bins: int) -> np.ndarray:
        """Return the (num_frames, num_bins) float32 frames of samples."""
        if not self.num_frames(len(samples)):
            return np.zeros((0, num_bins), dtype=np.float32)
        half, side = FFT_SAMPLES // 2, (FFT_SAMPLES - WINDOW_SAMPLES) // 2
        padded = np.pad(samples.astype(np.float32), half, mode="reflect")
        window = np.pad(np.hanning(WINDOW_SAMPLES + 1)[:-1], side)
        frames = sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]
        mels = np.log10(np.maximum(_mels(frames * window, num_bins // 2, 0.0), FLOOR))
        mels = np.maximum(mels, mels.max() - DYNAMIC_RANGE) / 4 + 1
        return mels[: len(mels) // 2 * 2].reshape(-1, num_bins).astype(np.float32)


@dataclass(frozen=True, slots=True)
class KaldiMel:
    """Kaldi's log-mel frames, some side by side at every sixth, as Fun-ASR-Nano reads them.

    Attributes:
        stacked: How many stand side by side.
    """

    stacked: int = 7

    stride = 6
    sample_rate = SAMPLE_RATE
    hop_samples = stride * HOP_SAMPLES
    tail_frames = 0

    def name(self, num_bins: int) -> str:
        """Return what decides the numbers of a frame, in words."""
        stacks = f"{self.stacked} of {num_bins // self.stacked} bins at every {self.stride}th"
        return f"Kaldi log-mel 1, {stacks}, {self.sample_rate} Hz"

    def num_frames(self, num_samples: int) -> int:
        """Count the frames of samples; an analysis window that is not whole gives none.

        Examples:
            >>> KaldiMel().num_frames(16_000), KaldiMel().num_frames(399)
            (17, 0)
        """
        return -(-(1 + (num_samples - WINDOW_SAMPLES) // HOP_SAMPLES) // self.stride)

    def frames(self, samples: np.ndarray, num_bins: int) -> np.ndarray:
        """Return the (num_frames, num_bins) float32 frames of samples."""
        if not self.num_frames(len(samples)):
            return np.zeros((0, num_bins), dtype=np.float32)
        frames = sliding_window_view(samples.astype(np.float64), WINDOW_SAMPLES)[::HOP_SAMPLES]
        frames = frames - frames.mean(axis=1, keepdims=True)
        before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        emphasised = (frames - PREEMPHASIS * before) * np.hamming(WINDOW_SAMPLES)
        mels = _mels(emphasised, num_bins // self.stacked, LOWEST_HERTZ)
        mels = np.log(np.maximum(mels, np.finfo(np.float32).eps))
        middle = self.stacked // 2
        positions = np.arange(0, len(mels), self.stride)[:, None] + np.arange(self.stacked) - middle
        return mels[positions.clip(0, len(mels) - 1)].reshape(-1, num_bins).astype(np.float32)


def _mels(frames: np.ndarray, num_mel_bins: int, lowest_hertz: float) -> np.ndarray:
    """Return the (num_frames, num_mel_bins) power of windowed frames in mel bins."""
    spectrum = extras.load("scipy.fft").rfft(frames, n=FFT_SAMPLES, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    mels: np.ndarray = power @ _filters(num_mel_bins, lowest_hertz)
    return mels


@cache
def _filters(num_mel_bins: int, lowest_hertz: float) -> np.ndarray:
    """Triangular filters (257, num_mel_bins) on the mel scale of HTK, of height 1.

    From 0 Hz they are straight over hertz, as torchaudio's; from above they are straight over
    mels, as Kaldi's, which leave the last bin of a spectrum out.
    """
    edges = np.linspace(_mel(lowest_hertz), _mel(SAMPLE_RATE / 2), num_mel_bins + 2)
    bins = np.linspace(0.0, SAMPLE_RATE / 2, FFT_SAMPLES // 2 + 1)
    if lowest_hertz:
        bins = _mel(bins)
    else:
        edges = 700.0 * (10.0 ** (edges / 2595.0) - 1.0)
    slopes = edges[None, :] - bins[:, None]
    rising, falling = -slopes[:, :-2] / np.diff(edges)[:-1], slopes[:, 2:] / np.diff(edges)[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    if lowest_hertz:
        triangles[-1] = 0.0
    return triangles


def _mel(hertz: float | np.ndarray) -> np.ndarray:
    return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)
