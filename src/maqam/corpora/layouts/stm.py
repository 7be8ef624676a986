"""STM, the segments of NIST's scoring tools: recording, channel, speaker, times, text."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from maqam.corpora.cards.card import StmPart
from maqam.corpora.encodings import encoding_of
from maqam.corpora.importing.sounds import AUDIO_SUFFIXES
from maqam.corpora.layouts.raw import Raw, from_root, matching, raw_row
from maqam.corpora.lines import Lines, numbered
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import (
    Found,
    Place,
    Sound,
    Unfit,
    UnfitRowError,
    Utterance,
    located,
    number,
    shown,
)
from maqam.errors import ManifestError

_LINE = re.compile(
    r"(?P<recording>\S+)\s+(?P<channel>\S+)\s+(?P<speaker>\S+)\s+(?P<start>\S+)\s+(?P<end>\S+)"
    r"(?:\s+<(?P<category>[^>]*)>)?(?:\s+(?P<text>.*))?$"
)
_FIRST_CHANNELS = ("1", "A", "a", "0")
_IGNORED = "IGNORE_TIME_SEGMENT_IN_SCORING"
_GAP = "inter_segment_gap"


def stm_part_rows(part: StmPart, root: Path, files: Sequence[Path]) -> Iterator[Raw | Unfit]:
    """Read the segments of all files of a part; lines that begin with ;; are comments.

    Args:
        part: The part.
        root: Folder of the corpus.
        files: The files of the part.

    Raises:
        ManifestError: If a file cannot be opened.
    """
    for file in files:
        yield from _segments(file, from_root(file, root))


def stm_rows(source: Path, settings: ImportSettings) -> Iterator[Found]:
    """Read segments of STM as utterances.

    Args:
        source: A file, or a folder of files whose names end in .stm.
        settings: Where recordings are: beside the file when absent. Each has the name that the
            segments give it, with or without a suffix of audio.

    Raises:
        ManifestError: If a file cannot be opened, or a folder has none.
    """
    files = matching(source, ["*.stm", "**/*.stm"]) if source.is_dir() else [source]
    if not files:
        raise ManifestError("it holds no .stm", where=str(source), hint="give a file of STM")
    for file in files:
        media = (settings.media_dir or file.parent).absolute()
        audio: dict[str, str] = {}
        for row in _segments(file, file.name):
            yield row if isinstance(row, Unfit) else _utterance(row, media, audio)


def _segments(file: Path, name: str) -> Iterator[Raw | Unfit]:
    with Lines(file, encoding=encoding_of(file)) as lines:
        for line, text in numbered(lines):
            if isinstance(text, str) and text.startswith(";;"):
                continue
            try:
                yield raw_row(name, line, _columns(text))
            except UnfitRowError as error:
                yield Unfit(Place(name, line), None, error.kind, error.text)


def _columns(text: str | UnfitRowError) -> dict[str, str | None]:
    """Return the columns of a line.

    Raises:
        UnfitRowError: If it is no segment, is no speech, or is of a second channel.

    Examples:
        >>> found = _columns("call 1 s7 0.50 1.75 <aeb> نعم سيدي")
        >>> found["recording"], found["category"], found["text"]
        ('call', 'aeb', 'نعم سيدي')
    """
    if isinstance(text, UnfitRowError):
        raise text
    found = _LINE.match(text)
    if found is None:
        raise UnfitRowError("no segment", f"the line holds {shown(text)}")
    columns = found.groupdict()
    if columns["speaker"] == _GAP or (columns["text"] or "").strip() == _IGNORED:
        raise UnfitRowError("no speech", f"the segment is {columns['text'] or _GAP}")
    if columns["channel"] not in _FIRST_CHANNELS:
        words = f"channel {shown(columns['channel'])}; give each channel a file of its own"
        raise UnfitRowError("other channel", words)
    return columns


def _utterance(row: Raw, media: Path, audio: dict[str, str]) -> Found:
    values = {name: str(value) for name, value in row.values.items() if value is not None}
    name = "-".join(values[part] for part in ("recording", "channel", "start", "end"))
    try:
        start, end = number(values["start"], "start"), number(values["end"], "end")
        if start is None or end is None:
            raise UnfitRowError("no number", "a time is missing")
        if values["recording"] not in audio:
            audio[values["recording"]] = _recording(values["recording"], media)
    except UnfitRowError as error:
        return Unfit(row.place, name, error.kind, error.text)
    return Utterance(
        place=row.place,
        id=name,
        sound=Sound(audio[values["recording"]], start, end - start),
        text=values.get("text", "").strip() or None,
        speaker=values["speaker"],
        extra={"category": values["category"]} if values.get("category") else {},
    )


def _recording(name: str, media: Path) -> str:
    """Return the file of a recording: its name, with the suffix that is there."""
    if "/" in name:
        raise UnfitRowError("path outside the source", f"the recording is {shown(name)}")
    files = [media / f"{name}{suffix}" for suffix in ("", *sorted(AUDIO_SUFFIXES))]
    there = next((file for file in files if file.is_file()), media / f"{name}.wav")
    return located(media, there.name)
