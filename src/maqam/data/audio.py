"""Reading audio: any format, rate and channel count libsndfile knows, to 16 kHz mono float32.

Segments are read by seeking, so a minute of an hour costs a minute. libsndfile reads a WAV or an
Ogg whose data were cut short without a word, so a WAV's size is compared with its header, and a
segment must lie in what is left of the file. Without libsndfile (the extra `audio`) the length of a
plain WAV is still read from its header, so that a corpus can be imported and planned.
"""

import math
import stat
import wave
from pathlib import Path

import numpy as np

from maqam import extras
from maqam.errors import AudioError, MissingExtraError

SAMPLE_RATE = 16_000  # Hz
EDGE_SECONDS = 0.05  # how far a segment's end may lie past the file's: rounding in manifests
_STREAMED = (0, 0xFFFFFFFF)  # RIFF sizes written by programs that did not know the length
_ESTIMATED = "MP3"  # libsndfile may only estimate its length


def read_audio(
    path: Path | str,
    *,
    start: float = 0.0,
    seconds: float | None = None,
    sample_rate: int = SAMPLE_RATE,
) -> np.ndarray:
    """Read a clip, or a segment of it, as mono float32.

    Args:
        path: Audio file: wav, flac, ogg/opus, mp3 and what else libsndfile reads.
        start: Where the segment begins, in seconds.
        seconds: Its length; to the end of the file when absent.
        sample_rate: Rate of the result in Hz.

    Returns:
        (num_samples,) float32, channels averaged.

    Raises:
        AudioError: If the file is missing, empty, cut short or not audio, if the segment lies
            outside it, or if its samples are not finite.
    """
    file = Path(path)
    _check_times(file, start, seconds)
    _check_file(file)
    samples, rate = _decoded(file, start, seconds)
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    is_finite = np.isfinite(mono)
    if not is_finite.all():
        raise AudioError(
            f"{len(mono) - np.count_nonzero(is_finite)} samples are not finite numbers",
            where=str(file),
            hint="replace the file or leave its rows out",
        )
    if rate != sample_rate:
        mono = extras.load("soxr").resample(mono, rate, sample_rate)
    if not len(mono):
        raise AudioError(
            f"zero samples at {sample_rate} Hz", where=str(file), hint="leave its rows out"
        )
    return np.ascontiguousarray(mono, dtype=np.float32)


def audio_seconds(path: Path | str) -> float:
    """Return the length of a file in seconds, from its header.

    Raises:
        AudioError: If the file is missing, empty, a WAV cut short, or not audio.
    """
    file = Path(path)
    _check_file(file)
    try:
        soundfile = extras.load("soundfile")
    except MissingExtraError:
        return _wav_seconds(file)
    try:
        with soundfile.SoundFile(file) as sound:  # info() reads more
            return sound.frames / int(sound.samplerate)
    except soundfile.LibsndfileError as error:
        raise _not_audio(file, error) from error
    except (TypeError, ValueError) as error:  # of soundfile itself, for a name such as a.raw
        raise AudioError(
            f"not readable as audio: {error}", where=str(file), hint="convert it to WAV or FLAC"
        ) from error


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


def _decoded(file: Path, start: float, seconds: float | None) -> tuple[np.ndarray, int]:
    """Return the (num_samples, num_channels) float32 samples of a segment and their rate."""
    soundfile = extras.load("soundfile")
    try:
        with soundfile.SoundFile(file) as sound:
            rate = int(sound.samplerate)
            first = round(start * rate)
            last = sound.frames if seconds is None else first + max(round(seconds * rate), 1)
            _check_segment(file, sound.frames, rate, (first, last))
            wanted = min(last, sound.frames) - first
            if sound.seekable():
                sound.seek(first)
            else:  # GSM in WAV is read from the front
                sound.read(first)
            samples: np.ndarray = sound.read(wanted, dtype="float32", always_2d=True)
            is_estimated = sound.format == _ESTIMATED
    except soundfile.LibsndfileError as error:
        raise _not_audio(file, error) from error
    except MemoryError as error:
        raise AudioError(
            "it declares more samples than fit in memory",
            where=str(file),
            hint="copy the file again, or give segments of it",
        ) from error
    allowed = round(EDGE_SECONDS * rate) if is_estimated else 0
    if len(samples) < wanted - allowed:
        raise AudioError(
            f"cut short: {len(samples)} of {wanted} samples could be read",
            where=str(file),
            hint="copy the file again",
        )
    return samples, rate


def _not_audio(file: Path, error: Exception) -> AudioError:
    reason = str(getattr(error, "error_string", error)).removeprefix("Error : ").rstrip(".")
    if "does not exist" in reason:  # what libsndfile says of an MP3 without one whole frame
        reason = "no whole frame"
    return AudioError(
        f"not readable as audio: {reason}",
        where=str(file),
        hint="replace the file or leave its rows out; it may have been cut short",
    )


def _check_times(file: Path, start: float, seconds: float | None) -> None:
    is_length = seconds is None or (math.isfinite(seconds) and seconds > 0)
    if not (math.isfinite(start) and start >= 0 and is_length):
        raise AudioError(
            f"start {start} and seconds {seconds} are no segment",
            where=str(file),
            hint="correct start and seconds in the manifest",
        )


def _check_file(file: Path) -> None:
    try:
        known = file.stat()
        if not stat.S_ISREG(known.st_mode):
            raise _missing(file)
        size = known.st_size
        with file.open("rb") as stream:
            head = stream.read(12)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise _missing(file) from error
    except OSError as error:
        raise AudioError(
            f"cannot be opened: {error.strerror}", where=str(file), hint="check its permissions"
        ) from error
    if not size:
        raise AudioError("the file is empty (0 bytes)", where=str(file), hint="copy it again")
    declared = int.from_bytes(head[4:8], "little")
    is_wav = head[:4] == b"RIFF" and head[8:12] == b"WAVE"
    if is_wav and declared not in _STREAMED and declared + 8 > size + 1:
        raise AudioError(
            f"cut short: the header declares {declared + 8} bytes, the file has {size}",
            where=str(file),
            hint="copy the file again",
        )


def _missing(file: Path) -> AudioError:
    return AudioError("the file is missing", where=str(file), hint="check the manifest's paths")


def _check_segment(file: Path, num_samples: int, rate: int, segment: tuple[int, int]) -> None:
    first, last = segment
    if num_samples == 0:
        raise AudioError("zero samples", where=str(file), hint="leave its rows out")
    if first >= num_samples or last > num_samples + round(EDGE_SECONDS * rate):
        raise AudioError(
            f"the segment ends at {last / rate:.2f} s, the file at {num_samples / rate:.2f} s",
            where=str(file),
            hint="correct start and seconds in the manifest, or copy the file again",
        )
