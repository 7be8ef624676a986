"""Length and soundness of audio, in processes of their own.

The processes are started like commands, not forked or spawned by multiprocessing, so that a
user's script needs no guard; they end with their input.
"""

import hashlib
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

from maqam.corpora.importing.inside import check_inside
from maqam.corpora.utterance import Slice, Sound, UnfitRowError
from maqam.data.audio import (
    EDGE_SECONDS,
    IMPOSSIBLE,
    NO_SAMPLES,
    OUTSIDE,
    Clip,
    audio_seconds,
)
from maqam.data.containers import CUT_SHORT, EMPTY, NOT_AUDIO
from maqam.data.hearing import heard
from maqam.errors import AudioError, ManifestError

LARGEST_HELD = 1 << 30  # bytes of one clip inside an archive or a table
_SUFFIXES = {
    b"RIFF": ".wav",
    b"RF64": ".wav",
    b"fLaC": ".flac",
    b"OggS": ".ogg",
    b"ID3": ".mp3",
    b"\xff\xfb": ".mp3",
    b"\xff\xf3": ".mp3",
    b"\xff\xf2": ".mp3",
    b"FORM": ".aiff",
    b"NIST": ".sph",
    b".snd": ".au",
}
_REMEMBERED = 4096  # files whose length a process keeps: segments of one file come together

Job = tuple[Sound, str]  # a sound, and the name without suffix of its file where it is held
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measured:
    """Audio that is there.

    Attributes:
        path: Its file.
        start: Where the segment begins, in seconds.
        seconds: Its length.
        content: Hash of audio that had no file of its own.
    """

    path: str
    start: float
    seconds: float
    content: str = ""


@dataclass(frozen=True, slots=True)
class Unsound:
    """Audio that cannot be used, and why."""

    kind: str
    text: str


Answer = Measured | Unsound | None


def measure(
    job: Job, *, decode: bool = False, roots: tuple[str, ...] | None = None
) -> Measured | Unsound:
    """Look at an utterance's audio; audio that is held elsewhere gets a file of its own.

    Args:
        job: The sound, and the path without suffix of the file that a held one gets.
        decode: Whether to decode the segment, and not only read the header.
        roots: Folders that a file must lie in, as `audio_roots` gives them; anywhere when absent.

    Returns:
        Its file and times, or why it cannot be used; then no file is left.
    """
    sound, stem = job
    if sound.held is None:
        return _looked_at(sound.path, sound, decode, roots)
    try:
        data = _data(sound)
        file = _written(data, sound, stem)
    except UnfitRowError as error:
        return Unsound(error.kind, error.text)
    found = _looked_at(str(file), sound, decode, None)
    if isinstance(found, Unsound):
        file.unlink(missing_ok=True)
        return found
    return replace(found, content=hashlib.blake2b(data, digest_size=16).hexdigest())


def _looked_at(
    file: str, sound: Sound, decode: bool, roots: tuple[str, ...] | None
) -> Measured | Unsound:
    try:
        check_inside(file, roots)
        return _measured(file, sound, decode)
    except AudioError as error:
        return Unsound(error.kind, str(error))
    except UnfitRowError as error:
        return Unsound(error.kind, error.text)


def _measured(file: str, sound: Sound, decode: bool) -> Measured:
    whole = _seconds(file) if sound.held is None else audio_seconds(file)
    start, seconds = sound.start, sound.seconds
    if not start >= 0 or (seconds is not None and not seconds > 0):
        raise UnfitRowError(IMPOSSIBLE, f"start is {start} and seconds is {seconds}")
    if not whole:
        raise UnfitRowError(NO_SAMPLES, f"{file}: zero samples")
    end = whole if seconds is None else start + seconds
    if start >= whole or end > whole + EDGE_SECONDS:
        text = f"the segment is {start:.2f} to {end:.2f} s, the file ends at {whole:.2f} s"
        raise UnfitRowError(OUTSIDE, text)
    if abs(end - whole) <= EDGE_SECONDS:
        end = whole
    if decode:
        _listen(Clip(Path(file), start, end - start))
    return Measured(file, start, end - start)


def _listen(clip: Clip) -> None:
    """Decode a clip and refuse one in which there is no sound."""
    samples, rate = clip.decode()
    for one in heard(samples, rate, clip.channel):
        if one.is_fatal and one.channel is None:  # else a check finds it and can mend the row
            raise UnfitRowError(one.kind, f"{clip.path}: {one.text}")


@lru_cache(maxsize=_REMEMBERED)
def _remembered(file: str) -> float | Unsound:
    try:
        return audio_seconds(file)
    except AudioError as error:
        return Unsound(error.kind, str(error))


def _seconds(file: str) -> float:
    found = _remembered(file)
    if isinstance(found, Unsound):
        raise UnfitRowError(found.kind, found.text)
    return found


def _data(sound: Sound) -> bytes:
    return _read_slice(sound.held) if isinstance(sound.held, Slice) else sound.held or b""


def _written(data: bytes, sound: Sound, stem: str) -> Path:
    """Write audio that is held elsewhere to a file that is named by what it is."""
    own = Path(sound.path).suffix.lower()
    by_content = next((suffix for magic, suffix in _SUFFIXES.items() if data.startswith(magic)), "")
    suffix = by_content or (own if own in AUDIO_SUFFIXES else "")
    if not suffix:
        if not data:
            raise UnfitRowError(EMPTY, f"{sound.path}: 0 bytes")
        raise UnfitRowError(NOT_AUDIO, f"{sound.path}: no header of a known format")
    file = Path(f"{stem}{suffix}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aiff", ".au", ".sph", ".w64")


def _read_slice(held: Slice) -> bytes:
    if held.num_bytes > LARGEST_HELD:
        raise UnfitRowError("audio too large", f"it has {held.num_bytes} bytes")
    with Path(held.file).open("rb") as stream:
        stream.seek(held.offset)
        data = stream.read(held.num_bytes)
    if len(data) < held.num_bytes:
        text = f"{held.file} holds {len(data)} of its {held.num_bytes} bytes"
        raise UnfitRowError(CUT_SHORT, text)
    return data


@dataclass(frozen=True, slots=True)
class AudioJobs(Generic[T]):
    """Rows and the audio to look at: one job a row, None for a row without audio."""

    rows: Sequence[T]
    jobs: Sequence[Job | None]


def measured(
    batches: Iterable[AudioJobs[T]],
    *,
    num_workers: int,
    decode: bool,
    roots: tuple[str, ...] | None = None,
) -> Iterator[tuple[Sequence[T], list[Answer]]]:
    """Look at the audio of all batches, in their order.

    Args:
        batches: Rows and jobs; at most one batch more than there are processes is in flight.
        num_workers: Processes; with 1, or with a single batch, none is started.
        decode: Whether to decode all audio.
        roots: Folders that audio must lie in; anywhere when absent.

    Raises:
        ManifestError: If a process ends before its work.
    """
    source = iter(batches)
    first = [batch for _, batch in zip(range(2), source, strict=False)]
    if num_workers <= 1 or len(first) < 2:
        for batch in chain(first, source):
            yield batch.rows, _answers(batch.jobs, decode, roots)
        return
    with ExitStack() as stack:
        idle = deque(stack.enter_context(_Worker(decode, roots)) for _ in range(num_workers))
        busy: deque[tuple[_Worker, AudioJobs[T]]] = deque()
        for batch in chain(first, source):
            if not idle:
                worker, done = busy.popleft()
                yield done.rows, worker.answers()
                idle.append(worker)
            idle[0].ask(batch.jobs)
            busy.append((idle.popleft(), batch))
        for worker, done in busy:
            yield done.rows, worker.answers()


def _answers(
    jobs: Sequence[Job | None], decode: bool, roots: tuple[str, ...] | None
) -> list[Answer]:
    return [None if job is None else measure(job, decode=decode, roots=roots) for job in jobs]


class _Worker:
    """A process that measures one batch after another."""

    def __init__(self, decode: bool, roots: tuple[str, ...] | None) -> None:
        work = f"from {__name__} import serve; serve({decode}, {roots!r})"
        command = [sys.executable, "-c", work]
        limits = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **limits, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()

    def ask(self, jobs: Sequence[Job | None]) -> None:
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # `answers` says that it has ended
                pickle.dump(list(jobs), self._process.stdin)
                self._process.stdin.flush()

    def answers(self) -> list[Answer]:
        try:
            answers: list[Answer] | OSError = pickle.load(
                self._process.stdout  # type: ignore[arg-type]
            )
        except (EOFError, pickle.UnpicklingError) as error:
            raise ManifestError(
                f"a process that reads audio ended with {self._process.wait()}",
                where="import",
                hint="run the same command again: it continues; or with --workers 1",
            ) from error
        if isinstance(answers, OSError):
            raise answers
        return answers


def serve(decode: bool, roots: tuple[str, ...] | None) -> None:
    """Answer the batches that come on stdin until it ends: what a worker process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    while True:
        try:
            jobs: list[Job | None] = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answers: list[Answer] | OSError = _answers(jobs, decode, roots)
        except OSError as error:  # a file that cannot be written: the parent tells the user
            answers = error
        pickle.dump(answers, sys.stdout.buffer)
        sys.stdout.buffer.flush()
