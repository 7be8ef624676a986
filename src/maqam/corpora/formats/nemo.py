"""NeMo manifests: JSON lines with audio_filepath, duration, text and offset."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from maqam.corpora.formats.columns import Columns
from maqam.corpora.lines import Lines, json_rows
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import (
    Found,
    Place,
    Unfit,
    UnfitRowError,
    Unmatched,
    Utterance,
    located,
    shown,
)

_USUAL = {"audio": "audio_filepath", "start": "offset", "seconds": "duration"}


def nemo_rows(source: Path, settings: ImportSettings) -> Iterator[Found | Unmatched]:
    """Read a manifest of NeMo.

    Args:
        source: JSON lines, or gzip of them.
        settings: Columns, and where relative audio paths start; the manifest's folder when absent,
            which also stands for `{data_folder}` in a path.

    Raises:
        ManifestError: If the source cannot be read.
    """
    media = (settings.media_dir or source.parent).absolute()
    columns = Columns(settings, usual=_USUAL)
    with Lines(source) as lines:
        for line, row in json_rows(lines):
            place = Place(source.name, line)
            try:
                if isinstance(row, UnfitRowError):
                    raise row
                yield _utterance(place, row, media, columns)
            except UnfitRowError as error:
                yield Unfit(place, _name(row), error.kind, error.text)
    yield from columns.unmatched()


def _utterance(place: Place, row: Mapping[str, Any], media: Path, columns: Columns) -> Utterance:
    path = columns.value(row, "audio")
    if not isinstance(path, str) or not path:
        name = columns.name("audio", row) or _USUAL["audio"]
        raise UnfitRowError("no audio path", f"{name} is {shown(path)}")
    path = path.removeprefix("{data_folder}").lstrip("/") if path.startswith("{data") else path
    return columns.utterance(place, row, columns.sound(row, located(media, path)))


def _name(row: Mapping[str, Any] | UnfitRowError) -> str | None:
    name = None if isinstance(row, UnfitRowError) else row.get("id")
    is_name = isinstance(name, str | int) and not isinstance(name, bool) and name != ""
    return str(name) if is_name else None
