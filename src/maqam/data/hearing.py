"""What is heard in a clip: silence, channels that cancel each other, two speakers.

One pass over the samples as they were decoded, before channels are mixed. Levels are root mean
squares without the offset, in decibels below full scale (dBFS).
"""

from dataclasses import dataclass

import numpy as np

SILENT, CONSTANT, OPPOSITE = "silent audio", "constant audio", "opposite channels"
INAUDIBLE, CLIPPED, TWO_SPEAKERS = "inaudible audio", "clipped audio", "two speakers"

STEP = 2.0**-15  # of 16 bits
INAUDIBLE_DB = -60.0
CANCELLED_DB = -10.0  # level of the mix, relative to that of unrelated channels
_CLIPPED_LEVEL, _CLIPPED_SHARE = 0.999, 0.01
_ALIKE = 0.3  # correlation of channels from which they hold one recording
_FRAME_SECONDS = 0.05
_ACTIVE_DB = -30.0  # of a channel's loudest frame
_MOST_TOGETHER = 0.3  # share of the less active channel's frames in which both are active
_LEAST_ACTIVE = 0.05  # share of frames in which each of two speakers speaks


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing heard in a clip.

    Attributes:
        kind: Such as "silent audio".
        text: What was measured.
        is_fatal: Whether the clip cannot be used as it is.
        channel: The channel that can be used instead of the mix.
    """

    kind: str
    text: str
    is_fatal: bool = False
    channel: int | None = None


def chosen(samples: np.ndarray, channel: int | None) -> np.ndarray:
    """Return one channel, or the mean of all.

    Args:
        samples: (num_samples, num_channels) float32.
        channel: Number of the channel, from 0; the mean of all when absent.

    Examples:
        >>> chosen(np.array([[1.0, 3.0]], dtype=np.float32), None).tolist()
        [2.0]
    """
    if channel is not None or samples.shape[1] == 1:
        return samples[:, channel or 0]
    mixed: np.ndarray = samples.mean(axis=1, dtype=np.float32)
    return mixed


def heard(samples: np.ndarray, rate: int, channel: int | None = None) -> list[Heard]:
    """Tell what is wrong with the sound of a clip.

    Args:
        samples: (num_samples, num_channels) finite float32, at least one sample.
        rate: Their rate in Hz.
        channel: The channel that is used; the mean of all when absent.

    Examples:
        >>> [one.kind for one in heard(np.zeros((160, 1), dtype=np.float32), 16_000)]
        ['silent audio']
    """
    found: list[Heard] = []
    mono = chosen(samples, channel)
    level = _levels(mono[:, None])[0]
    if channel is None and samples.shape[1] > 1:
        found = list(_between(samples, rate, float(level)))
    if not any(one.is_fatal for one in found):
        found += _alone(mono, float(level))
    clipped = float((np.abs(samples) >= _CLIPPED_LEVEL).mean())
    if clipped > _CLIPPED_SHARE and not any(one.is_fatal for one in found):
        found.append(Heard(CLIPPED, f"{clipped:.1%} of the samples are at full scale"))
    return found


def _alone(mono: np.ndarray, level: float) -> list[Heard]:
    """Tell what is wrong with what the model hears: (num_samples,) float32."""
    lowest, highest = float(mono.min()), float(mono.max())
    if highest - lowest <= 2 * STEP:
        if max(-lowest, highest) <= 2 * STEP:
            zeros = "all samples are zero" if not mono.any() else "no sample is above 2 of 32,768"
            return [Heard(SILENT, zeros, is_fatal=True)]
        return [Heard(CONSTANT, f"every sample is {mono[0]:.4f}", is_fatal=True)]
    if _decibels(level) < INAUDIBLE_DB:
        return [Heard(INAUDIBLE, f"the level is {_decibels(level):.0f} dBFS")]
    return []


def _between(samples: np.ndarray, rate: int, level: float) -> list[Heard]:
    """Tell whether channels cancel each other or hold a speaker each; `level` is of their mix."""
    levels = _levels(samples)
    loudest = int(levels.argmax())
    if levels[loudest] <= STEP:
        return []
    unrelated = float(np.sqrt(np.square(levels).sum())) / len(levels)
    lost = _decibels(level) - _decibels(unrelated)
    if lost < CANCELLED_DB:
        text = f"mixed, the channels cancel each other: {-lost:.0f} dB are lost"
        return [Heard(OPPOSITE, text, is_fatal=True, channel=loudest)]
    if len(levels) == 2 and levels.min() > STEP:
        product = np.mean(samples[:, 0] * samples[:, 1]) - samples[:, 0].mean() * (
            samples[:, 1].mean()
        )
        if abs(float(product)) < _ALIKE * float(levels.prod()) and _take_turns(samples, rate):
            return [Heard(TWO_SPEAKERS, "the channels take turns: choose one", channel=0)]
    return []


def _take_turns(samples: np.ndarray, rate: int) -> bool:
    """Tell whether two channels are active, and seldom at the same time."""
    width = max(1, round(_FRAME_SECONDS * rate))
    count = len(samples) // width
    if count < 4:
        return False
    frames = samples[: count * width].reshape(count, width, 2)
    power = np.square(frames - frames.mean(axis=1, keepdims=True)).mean(axis=1)  # (count, 2)
    is_active = power > power.max(axis=0) * 10 ** (_ACTIVE_DB / 10)
    active, together = is_active.mean(axis=0), is_active.all(axis=1).mean()
    return bool(active.min() > _LEAST_ACTIVE and together < _MOST_TOGETHER * active.min())


def _levels(samples: np.ndarray) -> np.ndarray:
    """Return the root mean square of each channel without its offset."""
    levels: np.ndarray = samples.std(axis=0, dtype=np.float64)
    return levels


def _decibels(level: float) -> float:
    return 20 * float(np.log10(max(level, 1e-10)))
