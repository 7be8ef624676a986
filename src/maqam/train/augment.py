"""Log-mels varied while the encoder trains, so that it does not learn its few voices by heart.

Frequencies are warped as by a longer or shorter vocal tract (Jaitly & Hinton, *ICML Workshop on
Deep Learning for Audio, Speech and Language Processing*, 2013), then bands of frequency and time
are masked (SpecAugment: Park et al., *Interspeech*, 2019, which warps time where this warps
frequency). Every draw follows from the seed, the step and the row: a resumed run hears the same.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from maqam.errors import ConfigError
from maqam.models.front_end import FrontEnd, LogMel
from maqam.models.log_mel import bin_frequencies


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much log-mels are varied; the default leaves them as they are.

    Attributes:
        warp: Largest relative change of all frequencies, such as 0.1 for 0.9 to 1.1 times.
        frequency_masks: Bands of mel bins masked.
        frequency_share: Widest of these bands, as a share of the mel bins.
        time_masks: Spans of frames masked.
        time_share: Longest of these spans, as a share of the utterance.

    Examples:
        >>> Augmentation(warp=0.1).is_on, Augmentation().is_on
        (True, False)
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    warp: float = 0.0
    frequency_masks: int = 0
    frequency_share: float = 0.15
    time_masks: int = 0
    time_share: float = 0.05

    def __post_init__(self) -> None:
        for name in ("warp", "frequency_share", "time_share"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise ValueError(f"{name} must lie in [0, 0.5], got {getattr(self, name)}")
        for name in ("frequency_masks", "time_masks"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")

    @property
    def is_on(self) -> bool:
        """Whether any utterance is changed."""
        return self.warp > 0 or self.frequency_masks > 0 or self.time_masks > 0


def check_frames(settings: Augmentation, front_end: FrontEnd) -> None:
    """Refuse to vary frequencies of what has none.

    Args:
        settings: How much is varied.
        front_end: Of the model that trains.

    Raises:
        ConfigError: If frequencies vary and the model reads no log-mels of Whisper's kind.
    """
    if (settings.warp or settings.frequency_masks) and not isinstance(front_end.extractor, LogMel):
        raise ConfigError(
            f"warp and frequency_masks vary plain log-mels, and this model reads {front_end.name}",
            where="train.augment",
            hint="leave both out; time_masks go with every model",
        )


def augment(
    log_mel: np.ndarray, settings: Augmentation, generator: np.random.Generator
) -> np.ndarray:
    """Vary one utterance.

    Args:
        log_mel: (num_frames, num_mel_bins) float32.
        settings: How much.
        generator: Decides all draws.

    Returns:
        (num_frames, num_mel_bins) float32, a new array; masked parts hold the utterance's mean.

    Examples:
        >>> frames = np.ones((50, 128), dtype=np.float32)
        >>> augment(frames, Augmentation(warp=0.1), np.random.default_rng(0)).shape
        (50, 128)
    """
    if settings.warp:
        factor = 1 + generator.uniform(-settings.warp, settings.warp)
        varied = warp_frequencies(log_mel, factor)
    else:
        varied = log_mel.copy()
    mean = varied.mean()
    num_frames, num_mel_bins = varied.shape
    for _ in range(settings.frequency_masks):
        varied[:, _band(num_mel_bins, settings.frequency_share, generator)] = mean
    for _ in range(settings.time_masks):
        varied[_band(num_frames, settings.time_share, generator)] = mean
    return varied


def warp_frequencies(log_mel: np.ndarray, factor: float) -> np.ndarray:
    """Move every frequency to `factor` times itself, by linear interpolation between mel bins.

    What would come from beyond the highest bin is taken from that bin.

    Args:
        log_mel: (num_frames, num_mel_bins) float32.
        factor: Above 1 as by a shorter vocal tract, below 1 by a longer one.

    Returns:
        (num_frames, num_mel_bins) float32.
    """
    num_mel_bins = log_mel.shape[1]
    frequencies = bin_frequencies(num_mel_bins)
    sources = np.interp(frequencies / factor, frequencies, np.arange(num_mel_bins))
    below = np.floor(sources).astype(int)
    above = np.minimum(below + 1, num_mel_bins - 1)
    part = (sources - below).astype(np.float32)
    warped: np.ndarray = log_mel[:, below] * (1 - part) + log_mel[:, above] * part
    return warped


def _band(size: int, share: float, generator: np.random.Generator) -> slice:
    """Return a band of up to `share` of the size, anywhere in it."""
    width = int(generator.integers(0, round(share * size) + 1))
    first = int(generator.integers(0, size - width + 1))
    return slice(first, first + width)
