"""NeMo manifests: JSON lines with audio_filepath, duration, text and offset."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from maqam.corpora.extra import extra_columns
from maqam.corpora.lines import Lines, numbered, parsed
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
    words,
)

_READ = (
    *("audio_filepath", "offset", "duration", "id", "text", "summary"),
    *("speaker", "source", "task"),
)


def nemo_rows(source: Path, settings: ImportSettings) -> Iterator[Found]:
    """Read a manifest of NeMo.

    Args:
        source: JSON lines, or gzip of them.
        settings: Where relative audio paths start; the manifest's folder when absent, which also
            stands for `{data_folder}` in a path.

    Raises:
        ManifestError: If the source cannot be read.
    """
    media = (settings.media_dir or source.parent).absolute()
    classes = settings.class_columns
    with Lines(source) as lines:
        for line, text in numbered(lines):
            place, row = Place(source.name, line), {}
            try:
                if isinstance(text, UnfitRowError):
                    raise text
                row = parsed(text)
                yield _utterance(place, row, media, classes)
            except UnfitRowError as error:
                yield Unfit(place, _name(row), error.kind, error.text)


def _utterance(
    place: Place, row: Mapping[str, Any], media: Path, classes: Sequence[str]
) -> Utterance:
    path = row.get("audio_filepath")
    if not isinstance(path, str) or not path:
        raise UnfitRowError("no audio path", f"audio_filepath is {shown(path)}")
    path = path.removeprefix("{data_folder}").lstrip("/") if path.startswith("{data") else path
    start = number(row.get("offset"), "offset") or 0.0
    sound = Sound(located(media, path), start, number(row.get("duration"), "duration"))
    return Utterance(
        place=place,
        id=_name(row),
        sound=sound,
        text=words(row.get("text"), "text"),
        summary=words(row.get("summary"), "summary"),
        answers={name: word for name in classes if (word := words(row.get(name), name))},
        speaker=words(row.get("speaker"), "speaker"),
        source=words(row.get("source"), "source"),
        task=words(row.get("task"), "task"),
        extra=extra_columns(row, _READ),
    )


def _name(row: Mapping[str, Any]) -> str | None:
    name = row.get("id")
    is_name = isinstance(name, str | int) and not isinstance(name, bool) and name != ""
    return str(name) if is_name else None
