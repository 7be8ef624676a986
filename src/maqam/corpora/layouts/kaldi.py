"""Kaldi folders as corpora give them: files of other names, labels by recording, Buckwalter."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from maqam.corpora.cards.card import KaldiPart
from maqam.corpora.layouts.raw import Raw, from_root, matching_folders, raw_row
from maqam.corpora.lines import Lines, numbered
from maqam.corpora.lookup import Lookup
from maqam.corpora.utterance import Place, Unfit, UnfitRowError, shown
from maqam.text.buckwalter import from_buckwalter

WAVS = "wav.scp"


def kaldi_part_rows(part: KaldiPart, root: Path, folders: Sequence[Path]) -> Iterator[Raw | Unfit]:
    """Read a Kaldi folder: each segment is a row, or each recording where there are none.

    Shell commands of wav.scp are never run: their rows are rejected. Where there is no wav.scp, a
    recording's file is its name with .wav, as the lists of ADI-17 name theirs, and where there is
    neither, each line of the labels is a recording.

    Args:
        part: The part.
        root: Folder of the corpus.
        folders: The folder of the part, if it is there.

    Raises:
        ManifestError: If a file cannot be opened.
    """
    for folder in folders:
        yield from _folder_rows(part, root, folder)


def _folder_rows(part: KaldiPart, root: Path, folder: Path) -> Iterator[Raw | Unfit]:
    files = {"wav": WAVS, "text": part.text, "label": part.labels}
    has_segments, has_wavs = ((folder / file).is_file() for file in (part.segments, WAVS))
    listed = folder / (part.segments if has_segments else WAVS if has_wavs else part.labels or WAVS)
    name = from_root(listed, root)
    with Lookup() as lookup:
        for column, file in files.items():
            if file is not None and (folder / file).is_file():
                yield from _fill(lookup, column, folder / file, root)
        with Lines(listed) as lines:
            for line, text in numbered(lines):
                try:
                    if isinstance(text, UnfitRowError):
                        raise text
                    values = _segment(text) if has_segments else _recording(text)
                    _look_up(values, lookup, part, has_wavs=has_wavs)
                    yield raw_row(name, line, values)
                except UnfitRowError as error:
                    yield Unfit(Place(name, line), None, error.kind, error.text)


def kaldi_folder(part: KaldiPart, root: Path) -> list[Path]:
    """Return the first folder of a part that lists recordings, segments or labels, if any does."""
    names = [name for name in (WAVS, part.segments, part.labels) if name]
    for folder in matching_folders(root, part.folders):
        if any((folder / name).is_file() for name in names):
            return [folder]
    return []


def _fill(lookup: Lookup, column: str, file: Path, root: Path) -> Iterator[Unfit]:
    """Read a file of keys and values, and give its bad lines."""
    bad: list[Unfit] = []

    def pairs() -> Iterator[tuple[str, str]]:
        with Lines(file) as lines:
            for line, text in numbered(lines):
                if isinstance(text, UnfitRowError):
                    bad.append(
                        Unfit(Place(from_root(file, root), line), None, text.kind, text.text)
                    )
                else:
                    key, *rest = text.split(maxsplit=1)
                    yield key, rest[0].strip() if rest else ""

    lookup.fill(column, pairs())
    yield from bad


def _segment(text: str) -> dict[str, object]:
    parts = text.split()
    if len(parts) != 4:
        raise UnfitRowError("no segment", f"the line holds {shown(text)}")
    return dict(zip(("utterance", "recording", "start", "end"), parts, strict=True))


def _recording(text: str) -> dict[str, object]:
    name = text.split(maxsplit=1)[0]
    return {"utterance": name, "recording": name, "start": None, "end": None}


def _look_up(values: dict[str, object], lookup: Lookup, part: KaldiPart, *, has_wavs: bool) -> None:
    """Add the file, the text and the label of an utterance to its columns."""
    utterance, recording = str(values["utterance"]), str(values["recording"])
    wav = lookup.get("wav", recording) if has_wavs else f"{recording}.wav"
    if not wav:
        raise UnfitRowError("no audio", f"{WAVS} has no recording {shown(recording)}")
    if wav.endswith("|"):
        raise UnfitRowError("shell command", f"{shown(wav)} would have to be run")
    text = lookup.get("text", utterance)
    found = re.search(part.pattern, utterance) if part.pattern else None
    values |= found.groupdict() if found else {}
    values["wav"] = wav
    values["text"] = from_buckwalter(text) if text and part.buckwalter else text
    values["label"] = lookup.get("label", utterance) or lookup.get("label", recording)
