"""Recordings that are listed in a CSV and have subtitles each: every cue is an utterance."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from maqam.corpora.cards.card import SubtitlesPart, TablePart
from maqam.corpora.cards.templates import filled
from maqam.corpora.encodings import encoding_of
from maqam.corpora.layouts.cues import cues
from maqam.corpora.layouts.raw import Raw, inside, raw_row
from maqam.corpora.layouts.tables import table_rows
from maqam.corpora.lines import Lines, every
from maqam.corpora.utterance import Place, Unfit, UnfitRowError
from maqam.errors import ManifestError


def subtitle_rows(part: SubtitlesPart, root: Path, files: Sequence[Path]) -> Iterator[Raw | Unfit]:
    """Read every cue of every recording.

    Args:
        part: The part.
        root: Folder of the corpus.
        files: The files of the part.

    Raises:
        ManifestError: If the CSV cannot be opened.
    """
    table = TablePart(name=part.name, kind="table", files=part.files, format="csv")
    for row in table_rows(table, root, files):
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
        file = root / inside(name).lstrip("/")
        with Lines(file, encoding=encoding_of(file)) as lines:
            for line, cue in cues(every(lines)):
                if isinstance(cue, UnfitRowError):
                    yield Unfit(Place(name, line), None, cue.kind, cue.text)
                else:
                    yield raw_row(name, line, {**row.values, **cue})
    except ManifestError:
        yield Unfit(row.place, None, "no subtitles", f"there is no {name!r}")
    except UnfitRowError as error:
        yield Unfit(row.place, None, error.kind, f"{name}: {error.text}")
