"""Recordings that are listed in a CSV and have a WebVTT file each: every cue is an utterance."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from maqam.corpora.cards.card import SubtitlesPart, TablePart, filled
from maqam.corpora.layouts.raw import Raw, inside, raw_row
from maqam.corpora.layouts.tables import table_rows
from maqam.corpora.lines import Lines
from maqam.corpora.utterance import Unfit, UnfitRowError
from maqam.errors import ManifestError

_TIMES = re.compile(r"(?:(\d+):)?(\d\d):(\d\d)\.(\d{3})\s+-->\s+(?:(\d+):)?(\d\d):(\d\d)\.(\d{3})")
_TAG = re.compile(r"<[^>]*>")


def subtitle_rows(part: SubtitlesPart, root: Path) -> Iterator[Raw | Unfit]:
    """Read every cue of every recording.

    Args:
        part: The part.
        root: Folder of the corpus.

    Raises:
        ManifestError: If the CSV cannot be opened.
    """
    table = TablePart(name=part.name, kind="table", files=part.files, format="csv")
    for row in table_rows(table, root):
        if isinstance(row, Unfit):
            yield row
            continue
        try:
            name = filled(part.subtitles, row.values)
        except KeyError as error:
            yield Unfit(row.place, None, "missing column", f"it has no column {error}")
            continue
        yield from _cues(row, name or "", root)


def _cues(row: Raw, name: str, root: Path) -> Iterator[Raw | Unfit]:
    try:
        with Lines(root / inside(name)) as lines:
            for line, values in cues(lines):
                yield raw_row(name, line, {**row.values, **values})
    except ManifestError:
        yield Unfit(row.place, None, "no subtitles", f"there is no {name!r}")
    except UnfitRowError as error:
        yield Unfit(row.place, None, error.kind, f"{name}: {error.text}")


def cues(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the cues of a WebVTT file with the lines of their times, counted from 1.

    Tags are dropped, entities are resolved, and lines of a cue are joined by spaces.

    Examples:
        >>> text = ["WEBVTT", "", "00:01.000 --> 00:02.500", "<c>نعم</c>", "سيدي", ""]
        >>> list(cues(iter(text)))
        [(3, {'start': '1.000', 'end': '2.500', 'cue': 'نعم سيدي'})]
    """
    times: dict[str, object] | None = None
    texts: list[str] = []
    began = 0
    for line, text in enumerate(lines, start=1):
        found = _TIMES.match(text)
        if times is not None and (found or not text.strip()):
            yield began, {**times, "cue": " ".join(texts)}
            times = None
        if found:
            began, texts = line, []
            times = {"start": _seconds(found.groups()[:4]), "end": _seconds(found.groups()[4:])}
        elif times is not None:
            texts.append(html.unescape(_TAG.sub("", text)).strip())
    if times is not None:
        yield began, {**times, "cue": " ".join(texts)}


def _seconds(parts: tuple[str | None, ...]) -> str:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return f"{hours * 3600 + minutes * 60 + seconds}.{thousandths:03d}"
