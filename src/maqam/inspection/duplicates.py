"""The same audio found again after a change of level, a codec or a cut.

The fingerprint is that of Haitsma and Kalker (2002): 32 bits a frame, the signs of differences of
the energies of neighbouring bands from one frame to the next. Level does not touch the signs, and
a codec turns few. One whole frame in common proposes a place, the share of different bits there
decides. Frames near silence hold bits of noise and are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maqam import extras
from maqam.data.audio import SAMPLE_RATE

MAX_BIT_ERRORS = 0.25  # share of different bits; unrelated audio has about 0.5
MIN_FRAMES = 64  # compared frames without silence, 0.8 s
MIN_SHARE = 0.5  # of the frames of the shorter clip

_RATE = 5_000  # Hz
_FRAME_SAMPLES = 2_048
_HOP_SAMPLES = 64
_LOWEST, _HIGHEST, _NUM_BANDS = 300.0, 2_000.0, 33
_SILENCE = 1e-4  # of the loudest frame's energy
_CHUNK_FRAMES = 2_048
_CHECKED_PLACES = 8  # proposals looked at for each clip, those of most common frames first
_COMMONEST = 256  # places of one frame's bits; what is more frequent tells nothing


@dataclass(frozen=True, slots=True)
class Print:
    """Fingerprint of a clip.

    Attributes:
        bits: (num_frames,) uint32, 32 signs a frame.
        is_loud: (num_frames,) bool, whether the frame is no silence.
    """

    bits: np.ndarray
    is_loud: np.ndarray


def fingerprint(samples: np.ndarray) -> Print:
    """Take the fingerprint of audio.

    Args:
        samples: (num_samples,) float32 at 16 kHz.

    Returns:
        78 frames a second; none for clips under 0.43 s.

    Examples:
        >>> noise = np.random.default_rng(0).normal(size=32_000).astype(np.float32)
        >>> loud, soft = fingerprint(noise), fingerprint(noise / 10)
        >>> len(loud.bits), bool((loud.bits == soft.bits).mean() > 0.99)
        (124, True)
    """
    slow = np.asarray(extras.load("soxr").resample(samples, SAMPLE_RATE, _RATE), dtype=np.float32)
    if len(slow) < _FRAME_SAMPLES + _HOP_SAMPLES:
        return Print(np.empty(0, np.uint32), np.empty(0, bool))
    energies = _energies(slow)
    steps = np.diff(energies, axis=1)  # neighbouring bands
    signs = np.diff(steps, axis=0) > 0  # neighbouring frames
    bits = np.packbits(signs, axis=1).view(">u4")[:, 0].astype(np.uint32)
    level = energies[1:].sum(axis=1)
    return Print(bits, level > _SILENCE * level.max())


def bit_errors(one: Print, other: Print, offset: int) -> tuple[float, int]:
    """Compare two fingerprints at one place.

    Args:
        one: A fingerprint.
        other: Another.
        offset: Frame of `one` at which `other` begins; may be negative.

    Returns:
        Share of different bits, 1 where nothing can be compared, and the number of frames compared.

    Examples:
        >>> bits = np.arange(4, dtype=np.uint32)
        >>> whole = Print(bits, np.ones(4, bool))
        >>> bit_errors(whole, Print(bits[1:], np.ones(3, bool)), 1)
        (0.0, 3)
    """
    first, last = max(offset, 0), min(len(one.bits), offset + len(other.bits))
    if last <= first:
        return 1.0, 0
    here, there = slice(first, last), slice(first - offset, last - offset)
    is_loud = one.is_loud[here] & other.is_loud[there]
    num_frames = int(is_loud.sum())
    if not num_frames:
        return 1.0, 0
    different = np.bitwise_count(one.bits[here] ^ other.bits[there])[is_loud]
    return float(different.sum()) / (32 * num_frames), num_frames


class PrintIndex:
    """Fingerprints that others are looked up in.

    Args:
        prints: Fingerprints of clips, the smaller side of a comparison.
    """

    def __init__(self, prints: Sequence[Print]) -> None:
        self._prints = list(prints)
        sizes = [len(one.bits) for one in self._prints]
        clips = np.repeat(np.arange(len(sizes)), sizes)
        frames = np.concatenate([np.arange(size) for size in sizes] or [np.empty(0, np.int64)])
        none = np.empty(0, np.uint32)
        bits = np.concatenate([one.bits for one in self._prints] or [none])
        is_loud = np.concatenate([one.is_loud for one in self._prints] or [none]).astype(bool)
        order = np.argsort(bits[is_loud], kind="stable")
        self._bits = bits[is_loud][order]
        self._clips = clips[is_loud][order]
        self._frames = frames[is_loud][order]

    def find(self, other: Print) -> list[int]:
        """Return the clips that hold the same audio as a fingerprint, ascending.

        Two clips match where the share of different bits is `MAX_BIT_ERRORS` at most, over
        `MIN_FRAMES` frames at least and `MIN_SHARE` of the shorter clip's.
        """
        places = self._places(other)
        return sorted({clip for clip, offset in places if self._is_match(clip, other, offset)})

    def _places(self, other: Print) -> list[tuple[int, int]]:
        """Return (clip, offset) pairs proposed by frames of equal bits."""
        frames = np.flatnonzero(other.is_loud)
        bits = other.bits[frames]
        first = np.searchsorted(self._bits, bits, side="left")
        counts = np.searchsorted(self._bits, bits, side="right") - first
        counts[counts > _COMMONEST] = 0
        starts = np.repeat(first - np.cumsum(counts) + counts, counts)
        found = starts + np.arange(counts.sum())
        clips = self._clips[found]
        offsets = self._frames[found] - np.repeat(frames, counts)
        pairs, votes = np.unique(np.stack([clips, offsets]), axis=1, return_counts=True)
        best = np.lexsort((-votes, pairs[0]))
        clips, offsets = pairs[0][best], pairs[1][best]
        rank = np.arange(len(clips)) - np.searchsorted(clips, clips, side="left")
        is_kept = rank < _CHECKED_PLACES
        return list(zip(clips[is_kept].tolist(), offsets[is_kept].tolist(), strict=True))

    def _is_match(self, clip: int, other: Print, offset: int) -> bool:
        own = self._prints[clip]
        errors, num_frames = bit_errors(own, other, offset)
        shorter = min(int(own.is_loud.sum()), int(other.is_loud.sum()))
        is_long = num_frames >= max(MIN_FRAMES, MIN_SHARE * shorter)
        return is_long and errors <= MAX_BIT_ERRORS


def _energies(slow: np.ndarray) -> np.ndarray:
    """Return the (num_frames, num_bands) energies of samples at `_RATE`."""
    edges = np.geomspace(_LOWEST, _HIGHEST, _NUM_BANDS + 1) * _FRAME_SAMPLES / _RATE
    bins = np.round(edges).astype(np.int64)
    window = np.hanning(_FRAME_SAMPLES).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(slow, _FRAME_SAMPLES)[::_HOP_SAMPLES]
    energies = np.empty((len(frames), _NUM_BANDS))
    for first in range(0, len(frames), _CHUNK_FRAMES):
        spectra = np.fft.rfft(frames[first : first + _CHUNK_FRAMES] * window, axis=1)
        powers = np.abs(spectra[:, : bins[-1]]) ** 2
        energies[first : first + _CHUNK_FRAMES] = np.add.reduceat(powers, bins[:-1], axis=1)
    return energies
