"""What an encoder reads of audio: frames, and how many audio tokens come of them.

Most encoders read Whisper's log-mels, which `LogMel` computes; others bring a feature extractor of
their own in transformers, which `OwnExtractor` asks. What is counted needs neither audio nor
torch, so that a plan in tokens costs a tokenizer only; torch loads with the first own frames.
"""

import json
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Protocol

import numpy as np

from maqam import extras
from maqam.models.log_mel import HOP_SAMPLES, PREPROCESSING, SAMPLE_RATE, WINDOW_SAMPLES, log_mel


class Extractor(Protocol):
    """Turns samples into frames."""

    @property
    def sample_rate(self) -> int:
        """Of the samples, Hz."""
        ...

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next; 1 where frames are samples."""
        ...

    @property
    def tail_frames(self) -> int:
        """Frames of silence kept after the audio; they give no audio token."""
        ...

    def name(self, num_bins: int) -> str:
        """Return what decides the numbers of a frame, in words."""
        ...

    def num_frames(self, num_samples: int) -> int:
        """Count the frames of samples, at least one sample, tail included."""
        ...

    def frames(self, samples: np.ndarray, num_bins: int) -> np.ndarray:
        """Return the (num_frames, num_bins) float32 frames of samples, tail included."""
        ...


@dataclass(frozen=True, slots=True)
class LogMel:
    """Log-mels as Whisper's feature extractor gives them, computed here.

    Attributes:
        tail_frames: Frames of silence kept after the audio, because the encoder's convolutions
            see them and the rest of a window is filled with the last.
        is_alone: Whether the extractor is given a clip without the silence that fills a window:
            the last frame then hears the clip's end reflected, and a last hop that is not whole
            gives no frame.
        min_samples: Shorter audio is filled up with silence, which counts as audio.
        window_frames: Frames of the extractor's window: the end of a clip that fills it is
            reflected, too. None where it is longer than any clip.
        is_cut: Whether audio beyond the window is cut, to go on as a clip of its own.
    """

    tail_frames: int = 0
    is_alone: bool = False
    min_samples: int = 0
    window_frames: int | None = None
    is_cut: bool = False

    sample_rate = SAMPLE_RATE
    hop_samples = HOP_SAMPLES

    def name(self, num_bins: int) -> str:
        """Return what decides the numbers of a frame, in words."""
        parts = [PREPROCESSING, f"{num_bins} bins", f"{self.sample_rate} Hz"]
        parts += [f"{self.tail_frames} of silence after"] if self.tail_frames else []
        parts += ["end reflected"] if self.is_alone else []
        parts += [f"at least {self.min_samples} samples"] if self.min_samples else []
        parts += [f"windows of {self.window_frames} frames"] if self.window_frames else []
        parts += ["cut"] if self.is_cut else []
        return ", ".join(parts)

    def num_frames(self, num_samples: int) -> int:
        """Count the frames of samples, at least one sample, tail included."""
        num_samples = max(num_samples, self.min_samples)
        if self.is_alone:  # a reflection is as long as half an analysis window
            return num_samples // self.hop_samples if num_samples > WINDOW_SAMPLES // 2 else 0
        return -(-num_samples // self.hop_samples) + self.tail_frames

    def frames(self, samples: np.ndarray, num_bins: int) -> np.ndarray:
        """Return the (num_frames, num_bins) float32 frames of samples, tail included."""
        missing = max(0, self.min_samples - len(samples))
        samples = np.pad(samples, (0, missing)) if missing else samples
        window = (self.window_frames or 0) * self.hop_samples
        size = window if self.is_cut else len(samples)
        clips = [samples[at : at + size] for at in range(0, len(samples), size)]
        silence = np.zeros(self.tail_frames * self.hop_samples, dtype=np.float32)
        if self.is_alone or (window and len(clips[-1]) % window == 0):
            whole = [log_mel(one, num_bins, is_alone=True) for one in clips]
            return np.pad(np.concatenate(whole), ((0, self.tail_frames), (0, 0)), mode="edge")
        whole = [log_mel(one, num_bins, is_alone=True) for one in clips[:-1]]
        ending = np.concatenate([clips[-1], silence]) if len(silence) else clips[-1]
        return np.concatenate([*whole, log_mel(ending, num_bins)])


@dataclass(frozen=True, slots=True)
class OwnExtractor:
    """A family's own feature extractor, set up as its checkpoint says.

    Attributes:
        architecture: Its class in transformers.
        frames_of: Counts the frames of a number of samples.
        sample_rate: Of the samples, Hz.
        hop_samples: Samples from one frame to the next; 1 where frames are samples.
        output: What it calls the frames.
        bins_first: Whether it gives the numbers of a frame before the frames.
        call: Settings of its call.
        settings: JSON of its own settings, from the checkpoint.
    """

    architecture: str
    frames_of: Callable[[int], int]
    sample_rate: int = SAMPLE_RATE
    hop_samples: int = HOP_SAMPLES
    output: str = "input_features"
    bins_first: bool = False
    call: Mapping[str, Any] = field(default_factory=lambda: {"return_tensors": "np"})
    settings: str = "{}"

    tail_frames = 0

    def name(self, num_bins: int) -> str:
        """Return what decides the numbers of a frame, in words."""
        return f"{self.architecture} {self.settings}, called with {dict(sorted(self.call.items()))}"

    def num_frames(self, num_samples: int) -> int:
        """Count the frames of samples, at least one sample."""
        return self.frames_of(num_samples)

    def frames(self, samples: np.ndarray, num_bins: int) -> np.ndarray:
        """Return the (num_frames, num_bins) float32 frames of samples."""
        extractor = _own_extractor(self.architecture, self.settings)
        made = extractor([samples], sampling_rate=self.sample_rate, **self.call)[self.output]
        frames = np.asarray(made, dtype=np.float32)[0]
        frames = frames.T if self.bins_first else frames
        return frames.reshape(len(frames), -1)[: self.num_frames(len(samples))]


def waveform(architecture: str, sample_rate: int = SAMPLE_RATE) -> OwnExtractor:
    """Return a family's own feature extractor whose frames are samples."""
    return OwnExtractor(
        architecture,
        int,
        sample_rate=sample_rate,
        hop_samples=1,
        output="input_values",
        bins_first=True,
        call={},
    )


@cache
def _own_extractor(architecture: str, settings: str) -> Any:  # noqa: ANN401
    return getattr(extras.load("transformers"), architecture).from_dict(json.loads(settings))


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """What an encoder reads of audio, and how many audio tokens come of it.

    Attributes:
        count: Audio tokens of a number of frames.
        extractor: Turns samples into frames.
        num_bins: Numbers of a frame.
        window_frames: Frames that the encoder hears at a time: longer audio takes several windows,
            and the last is filled up; None where it hears a clip whole.
        max_frames: Longest audio the encoder takes, without the tail; None where only the LLM's
            context limits it.
        least_samples: Fewest samples that are taken for audio, where even one gives a token.
    """

    count: Callable[[int], int]
    extractor: Extractor = LogMel()
    num_bins: int = 128
    window_frames: int | None = None
    max_frames: int | None = None
    least_samples: int = 1

    @property
    def name(self) -> str:
        """What decides the numbers of a frame, as a feature store writes it down."""
        return self.extractor.name(self.num_bins)

    @property
    def sample_rate(self) -> int:
        """Of the audio, Hz."""
        return self.extractor.sample_rate

    @property
    def tail_frames(self) -> int:
        """Frames of silence kept after the audio; they give no audio token."""
        return self.extractor.tail_frames

    @property
    def frames_per_second(self) -> float:
        """Frames of a second of audio."""
        return self.sample_rate / self.extractor.hop_samples

    @property
    def tokens_per_second(self) -> float:
        """Audio tokens that a second more gives, where audio is long."""
        shorter, longer = (
            self.num_audio_tokens(self.num_frames(seconds * self.sample_rate))
            for seconds in (30, 60)
        )
        return (longer - shorter) / 30

    @property
    def min_samples(self) -> int:
        """Fewest samples that give an audio token."""

        def is_heard(num_samples: int) -> bool:
            return self.num_audio_tokens(self.num_frames(num_samples)) > 0

        fewest = 1 + bisect_left(range(1, 10 * self.sample_rate), True, key=is_heard)
        return max(fewest, self.least_samples)

    @property
    def max_seconds(self) -> float | None:
        """Longest audio the encoder takes; None where only the LLM's context limits it."""
        return None if self.max_frames is None else self.max_frames / self.frames_per_second

    def exceeds(self, num_frames: int) -> bool:
        """Return whether frames, tail included, are more than the encoder takes."""
        return self.max_frames is not None and num_frames - self.tail_frames > self.max_frames

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """Return the (num_frames, num_bins) float32 frames of samples, tail included."""
        return self.extractor.frames(samples, self.num_bins)

    def num_frames(self, num_samples: int) -> int:
        """Count the frames of samples, tail included; no samples give none."""
        return self.extractor.num_frames(num_samples) if num_samples else 0

    def num_audio_tokens(self, num_frames: int) -> int:
        """Count the audio tokens of frames, tail included."""
        return max(0, self.count(num_frames - self.tail_frames)) if num_frames else 0

    def most_audio_tokens(self, seconds: np.ndarray) -> np.ndarray:
        """Return what the audio tokens of clips do not exceed; 0 for no audio.

        Tokens begin with every window, so that a clip may have those of its first on top of what
        its length gives.
        """
        first = self.num_audio_tokens(self.num_frames(self.min_samples)) + 1
        most: np.ndarray = np.where(seconds > 0, seconds * self.tokens_per_second + first, 0)
        return most

    def of_checkpoint(self, num_bins: int | None, settings: Mapping[str, Any]) -> "FrontEnd":
        """Return the front end of a checkpoint.

        Args:
            num_bins: Mel bins as its config.json says them; None where it does not.
            settings: Of its feature extractor.
        """
        extractor = self.extractor
        if isinstance(extractor, OwnExtractor):
            extractor = replace(extractor, settings=json.dumps(settings, sort_keys=True))
        if num_bins is None or not isinstance(extractor, LogMel):
            num_bins = self.num_bins
        return replace(self, extractor=extractor, num_bins=num_bins)
