"""Reading audio: any format, rate and channel count libsndfile knows, to 16 kHz mono float32.

Segments are read by seeking, so a minute of an hour costs a minute; a segment must lie in what is
there of the file. Without libsndfile (the extra `audio`) the length of a plain WAV is still read
from its header, so that a corpus can be imported and planned.
"""

import math
import wave
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from maqam import extras
from maqam.data.containers import FOREIGN, check_file, cut_short, not_decoded
from maqam.data.hearing import chosen
from maqam.errors import AudioError, MissingExtraError

SAMPLE_RATE = 16_000  # Hz
EDGE_SECONDS = 0.05  # how far a segment's end may lie past the file's: rounding in manifests
NOT_FINITE, NO_SAMPLES = "samples not finite", "no samples"
OUTSIDE, IMPOSSIBLE, NO_CHANNEL = "segment outside the file", "impossible times", "no such channel"
_ESTIMATED = "MP3"  # libsndfile may only estimate its length
_SEALED = "FLAC"  # libsndfile finds its last sample fast, if it is there
_WINDOW_CLIPS = 512  # clips handed to the threads at a time, so that Ctrl-C is heard soon

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Clip:
    """The audio of an utterance.

    Attributes:
        path: Its file: wav, flac, ogg/opus, mp3 and what else libsndfile reads.
        start: Where it begins, in seconds.
        seconds: Its length; to the end of the file when absent.
        channel: Its channel, from 0; the mean of all when absent.
    """

    path: Path
    start: float = 0.0
    seconds: float | None = None
    channel: int | None = None

    def read(self, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
        """Read it as mono.

        Args:
            sample_rate: Rate of the result in Hz.

        Returns:
            (num_samples,) float32.

        Raises:
            AudioError: If the file is missing, empty, cut short, damaged or not audio, if the clip
                lies outside it, or if its samples are not finite.
        """
        samples, rate = self.decode()
        mono = chosen(samples, self.channel)
        if rate != sample_rate:
            mono = extras.load("soxr").resample(mono, rate, sample_rate)
        if not len(mono):
            raise AudioError(
                f"zero samples at {sample_rate} Hz",
                where=str(self.path),
                hint="leave its rows out",
                kind=NO_SAMPLES,
            )
        return np.ascontiguousarray(mono, dtype=np.float32)

    def decode(self) -> tuple[np.ndarray, int]:
        """Read it as it is stored.

        Returns:
            (num_samples, num_channels) finite float32 and their rate in Hz.

        Raises:
            AudioError: As `read` does.
        """
        _check_times(self)
        check_file(self.path)
        samples, rate = _decoded(self)
        if self.channel is not None and not 0 <= self.channel < samples.shape[1]:
            raise AudioError(
                f"channel {self.channel} of {samples.shape[1]}, counted from 0",
                where=str(self.path),
                hint="correct the column channel of the manifest",
                kind=NO_CHANNEL,
            )
        is_finite = np.isfinite(samples if self.channel is None else samples[:, self.channel])
        if not is_finite.all():
            raise AudioError(
                f"{is_finite.size - np.count_nonzero(is_finite)} samples are not finite numbers",
                where=str(self.path),
                hint="replace the file or leave its rows out",
                kind=NOT_FINITE,
            )
        return samples, rate


def read_audio(
    path: Path | str,
    *,
    start: float = 0.0,
    seconds: float | None = None,
    sample_rate: int = SAMPLE_RATE,
    channel: int | None = None,
) -> np.ndarray:
    """Read a clip, or a segment of it, as mono float32.

    Args:
        path: Audio file: wav, flac, ogg/opus, mp3 and what else libsndfile reads.
        start: Where the segment begins, in seconds.
        seconds: Its length; to the end of the file when absent.
        sample_rate: Rate of the result in Hz.
        channel: The channel that is read, from 0; the mean of all when absent.

    Returns:
        (num_samples,) float32.

    Raises:
        AudioError: If the file is missing, empty, cut short, damaged or not audio, if the segment
            lies outside it, or if its samples are not finite.
    """
    return Clip(Path(path), start, seconds, channel).read(sample_rate)


def in_windows(
    look: Callable[[Clip], Seen], clips: Iterable[Clip], threads: ThreadPoolExecutor
) -> Iterator[Seen]:
    """Yield what a function makes of each clip, in order; a few hundred clips are on the way.

    Args:
        look: What is done with a clip, in a thread.
        clips: The clips; the next are asked for when those before are done, so Ctrl-C is heard.
        threads: Where it is done.
    """
    waiting = iter(clips)
    while window := list(islice(waiting, _WINDOW_CLIPS)):
        yield from threads.map(look, window)


def audio_seconds(path: Path | str) -> float:
    """Return the length of a file in seconds, from its header.

    Raises:
        AudioError: If the file is missing, empty, cut short as far as its header or its end tells,
            or not audio.
    """
    file = Path(path)
    check_file(file)
    try:
        soundfile = extras.load("soundfile")
    except MissingExtraError:
        return _wav_seconds(file)
    with _opened(file, soundfile) as sound:  # info() reads more
        if sound.format == _SEALED:
            _check_end(file, sound, soundfile)
        return int(sound.frames) / int(sound.samplerate)


def _wav_seconds(file: Path) -> float:
    try:
        with wave.open(str(file), "rb") as sound:
            return sound.getnframes() / sound.getframerate()
    except (wave.Error, EOFError) as error:
        raise MissingExtraError(
            f"{error}: without the extra 'audio' only plain WAV headers can be read",
            where=str(file),
            hint="pip install 'maqam[audio]'",
        ) from error


def _opened(file: Path, soundfile: Any) -> Any:  # noqa: ANN401  the library has no types
    try:
        return soundfile.SoundFile(file)
    except soundfile.LibsndfileError as error:
        raise not_decoded(file, _reason(error)) from error
    except (TypeError, ValueError) as error:  # of soundfile itself, for a name such as a.raw
        raise AudioError(
            f"not readable as audio: {error}",
            where=str(file),
            hint="convert it to WAV or FLAC",
            kind=FOREIGN,
        ) from error


def _check_end(file: Path, sound: Any, soundfile: Any) -> None:  # noqa: ANN401
    """Refuse a file whose last sample is not there."""
    try:
        sound.seek(max(0, sound.frames - 1))
        is_there = len(sound.read(1)) == min(1, sound.frames)
    except soundfile.LibsndfileError:
        is_there = False
    if not is_there:
        raise cut_short(file, f"the last of {sound.frames} samples is not there")


def _decoded(clip: Clip) -> tuple[np.ndarray, int]:
    """Return the (num_samples, num_channels) float32 samples of a clip and their rate."""
    soundfile, file = extras.load("soundfile"), clip.path
    with _opened(file, soundfile) as sound:
        rate = int(sound.samplerate)
        first = round(clip.start * rate)
        last = sound.frames if clip.seconds is None else first + max(round(clip.seconds * rate), 1)
        _check_segment(file, sound.frames, rate, (first, last))
        wanted = min(last, sound.frames) - first
        try:
            if sound.seekable():
                sound.seek(first)
            else:  # GSM in WAV is read from the front
                sound.read(first)
            samples: np.ndarray = sound.read(wanted, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            _check_end(file, sound, soundfile)
            raise not_decoded(file, _reason(error)) from error
        except MemoryError as error:
            raise AudioError(
                "it declares more samples than fit in memory",
                where=str(file),
                hint="copy the file again, or give segments of it",
            ) from error
        allowed = round(EDGE_SECONDS * rate) if sound.format == _ESTIMATED else 0
    if len(samples) < max(1, wanted - allowed):
        raise cut_short(file, f"{len(samples)} of {wanted} samples could be read")
    return samples, rate


def _reason(error: Exception) -> str:
    reason = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
    if "does not exist" in reason:  # what libsndfile says of an MP3 without one whole frame
        return "no whole frame"
    return reason or "its samples cannot be decoded"


def _check_times(clip: Clip) -> None:
    is_length = clip.seconds is None or (math.isfinite(clip.seconds) and clip.seconds > 0)
    if not (math.isfinite(clip.start) and clip.start >= 0 and is_length):
        raise AudioError(
            f"start {clip.start} and seconds {clip.seconds} are no segment",
            where=str(clip.path),
            hint="correct start and seconds in the manifest",
            kind=IMPOSSIBLE,
        )


def _check_segment(file: Path, num_samples: int, rate: int, segment: tuple[int, int]) -> None:
    first, last = segment
    if num_samples == 0:
        raise AudioError(
            "zero samples", where=str(file), hint="leave its rows out", kind=NO_SAMPLES
        )
    if first >= num_samples or last > num_samples + round(EDGE_SECONDS * rate):
        raise AudioError(
            f"the segment ends at {last / rate:.2f} s, the file at {num_samples / rate:.2f} s",
            where=str(file),
            hint="correct start and seconds in the manifest, or copy the file again",
            kind=OUTSIDE,
        )
