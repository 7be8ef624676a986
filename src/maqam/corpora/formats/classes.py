"""Folders of classes: each class is a folder, its clips are the files below it."""

import os
from collections.abc import Iterator
from pathlib import Path

from maqam.corpora.importing.rows import SPLIT_NAMES
from maqam.corpora.importing.sounds import AUDIO_SUFFIXES
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import Found, Place, Sound, Unfit, UnfitRowError, Utterance
from maqam.errors import ConfigError, ManifestError


def class_rows(source: Path, settings: ImportSettings) -> Iterator[Found]:
    """Read a folder of classes, or of train, dev and test with classes in them.

    Args:
        source: The folder; a file's id is its path in it. Hidden files are passed over.
        settings: The task that the classes are labels of.

    Raises:
        ConfigError: If the task has no labels.
        ManifestError: If there is no folder.
    """
    labelled = [name for name, task in settings.tasks.items() if task.labels]
    if settings.task not in labelled:
        hint = f"use {' or '.join(labelled)}"
        raise ConfigError(f"classes are no task {settings.task!r}", where="task", hint=hint)
    if not source.is_dir():
        raise ManifestError("there is no folder here", where=str(source), hint="check the path")
    root = source.absolute()
    for file in _files(root):
        name = file.relative_to(root).as_posix()
        place = Place(name, 1)
        try:
            yield _utterance(place, root, file, settings)
        except UnfitRowError as error:
            yield Unfit(place, name, error.kind, error.text)


def _files(root: Path) -> Iterator[Path]:
    """Yield the files below a folder in one order on every machine; links to folders are not."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _utterance(place: Place, root: Path, file: Path, settings: ImportSettings) -> Utterance:
    parts = file.relative_to(root).parts[:-1]
    split = SPLIT_NAMES.get(parts[0].lower()) if len(parts) > 1 else None
    label = parts[1 if split else 0] if parts else None
    if label is None:
        raise UnfitRowError("no class", "it stands in no folder of a class")
    if file.suffix.lower() not in AUDIO_SUFFIXES:
        raise UnfitRowError("no audio file", f"its suffix is {file.suffix!r}")
    return Utterance(
        place=place,
        id=place.file,
        sound=Sound(str(file)),
        answers={"label": label},
        split=split,
    )
