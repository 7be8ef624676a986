"""The one door to libespeak-ng: phonemes in, samples out.

eSpeak NG keeps state from one utterance to the next (the same text twice gives other samples),
so every utterance is spoken by a forked child in which the library has not been initialised yet.
The breathy voices draw noise from a generator that the library seeds with the time of day; the
child seeds it anew. That costs about 10 ms and makes each utterance independent of what was spoken
before. The library is GPL-3 and comes only with the extra `synth`.
"""

import ctypes
import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maqam.errors import MaqamError
from maqam.synth.voices import variant_argument, variant_path

try:
    import espeakng_loader
except ImportError:
    espeakng_loader = None

SAMPLE_RATE = 22050
_SYNCHRONOUS = 2
_UTF8_PHONEMES = 0x101
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an utterance is spoken.

    Attributes:
        variant: eSpeak voice variant, the pseudo-speaker.
        pitch: 0 to 99, 50 is the variant's own.
        pitch_range: 0 (monotone) to 99.
        rate: Words a minute, 80 to 450.
    """

    variant: str
    pitch: int = 50
    pitch_range: int = 50
    rate: int = 165


@functools.cache
def load_library() -> ctypes.CDLL:
    """Load libespeak-ng without initialising it.

    Raises:
        MaqamError: If the extra `synth` is not installed.
    """
    if espeakng_loader is None:
        raise MaqamError(
            "the speech synthesizer espeak-ng is not installed", hint="pip install 'maqam[synth]'"
        )
    return ctypes.CDLL(espeakng_loader.get_library_path())


def version() -> str:
    """Return the version of libespeak-ng, which decides the samples."""
    info = load_library().espeak_Info
    info.restype = ctypes.c_char_p
    return str(info(None).decode())


def data_folder() -> Path:
    """Return the data folder that comes with libespeak-ng."""
    load_library()
    return Path(espeakng_loader.get_data_path())


def speak(text: str, delivery: Delivery, data: Path | None = None) -> np.ndarray:
    """Speak phonemes or text.

    Args:
        text: Clauses such as `[[kit'a:b]].`; text outside the brackets is read as Arabic.
        delivery: The voice and its prosody.
        data: Data folder of eSpeak NG; its own when absent.

    Returns:
        (num_samples,) int16 at `SAMPLE_RATE`; the same whatever was spoken before.

    Raises:
        MaqamError: If the voice variant does not exist or nothing was spoken.
    """
    data = data or data_folder()
    # eSpeak itself falls back to its plain voice without a word.
    if not variant_path(data, delivery.variant).is_file():
        raise MaqamError(
            f"espeak-ng has no voice variant {delivery.variant!r}",
            hint="install the espeakng-loader that maqam[synth] asks for",
        )
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _speak_and_exit(text, delivery, data, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        samples = pipe.read()
    _, status = os.waitpid(child, 0)
    if status or not samples:
        raise MaqamError(
            f"espeak-ng spoke nothing (status {status}) for {text[:60]!r}",
            where=f"voice {delivery.variant}",
            hint="check that this espeakng-loader has Arabic and enough memory is free",
        )
    return np.frombuffer(samples, dtype=np.int16)


def _speak_and_exit(text: str, delivery: Delivery, data: Path, writing: int) -> None:
    """Speak in the forked child, send the samples through the pipe, and end the child."""
    status = 1
    try:
        library = load_library()
        library.espeak_Initialize(_SYNCHRONOUS, 0, str(data).encode(), 0)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        chunks: list[bytes] = []

        def collect(samples: ctypes.Array[ctypes.c_short], count: int, _: int) -> int:
            if samples and count > 0:
                chunks.append(ctypes.string_at(samples, 2 * count))
            return 0

        callback = _CALLBACK(collect)
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(f"ar+{variant_argument(delivery.variant)}".encode()) == 0:
            library.espeak_SetParameter(_RATE, delivery.rate, 0)
            library.espeak_SetParameter(_PITCH, delivery.pitch, 0)
            library.espeak_SetParameter(_RANGE, delivery.pitch_range, 0)
            spoken = text.encode() + b"\0"
            size = ctypes.c_size_t(len(spoken))
            library.espeak_Synth(spoken, size, 0, 1, 0, _UTF8_PHONEMES, None, None)
            library.espeak_Synchronize()
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(b"".join(chunks))
            status = 0
    finally:
        os._exit(status)
