"""From what a source says of an utterance to a sound row of a manifest."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maqam.corpora.extra import Scalar
from maqam.corpora.importing.labels import Meaning, SourceLabels
from maqam.corpora.importing.sounds import AUDIO_SUFFIXES, Answer, Measured, Unsound
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import UnfitRowError, Utterance, shown
from maqam.data.schema import AUDIO_TAG, IMPORT_SCHEMA, PROMPT_LANGUAGE, row_faults
from maqam.tasks import Task, Tasks

SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "validation": "dev",
    "valid": "dev",
    "val": "dev",
    "test": "test",
    "testing": "test",
}
DEFAULT_LANGUAGE = "ar"  # of prompts
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RowRules:
    """What all rows of an import have in common.

    Attributes:
        settings: Task, split, names and language of the rows.
        names: What the source's words for classes become.
        split: Split that the name of the source holds, if any.
    """

    settings: ImportSettings
    names: SourceLabels
    split: str | None = None


def manifest_row(found: Utterance, answer: Answer, rules: RowRules) -> Row:
    """Return the manifest row of an utterance; the manifest's own rules are not checked here.

    Args:
        found: What the source says.
        answer: What its audio is.
        rules: What goes for all rows.

    Raises:
        UnfitRowError: If its audio is unsound, it has no task, or nothing that the task asks for.
    """
    if isinstance(answer, Unsound):
        raise UnfitRowError(answer.kind, answer.text)
    settings, names = rules.settings, rules.names
    task = _task(found, settings)
    words = _words(found)
    meaning = names.answer(words, task) if task.labels else None
    messages = _messages(found, task, settings, meaning)
    target = messages[-1]["content"]
    stem = found.place.file.rsplit(".", 1)[0]
    audios = [] if answer is None else [answer.path] * found.num_sounds
    return {
        "id": found.id or f"{stem}-{found.place.line}",
        "messages": messages,
        "audios": audios,
        "task": task.name,
        "label": target if task.labels else None,
        **names.codes(words, task, meaning),
        "speaker": found.speaker,
        "source": found.source or settings.corpus or stem,
        "split": _split(found, rules),
        "start": answer.start if answer else 0.0,
        "seconds": answer.seconds if answer else 0.0,
        "target": target,
        "synthetic": found.synthetic,
        PROMPT_LANGUAGE: None if found.messages is not None else _language(task, settings),
        **found.kept,
    }


def extra_values(found: Utterance, task: Task) -> Mapping[str, Scalar]:
    """Return the source's own columns of a row, and what it says that the task does not ask for.

    Args:
        found: What the source says.
        task: The row's task; its target is not said twice.

    Raises:
        UnfitRowError: If a name or a text cannot be written.
    """
    if not found.extra and found.summary is None and task.target == "text":
        return {}  # most rows
    values = dict(found.extra)
    if found.messages is None and not task.labels:
        values.pop(task.target, None)
    said = {"text": found.text if task.has_audio else None, "summary": found.summary}
    for name, text in said.items():
        if text is not None and name != task.target:
            values[name] = text
    check_texts([*values, *(value for value in values.values() if isinstance(value, str))])
    return values


def _task(found: Utterance, settings: ImportSettings) -> Task:
    name = found.task or settings.task
    if name is None:
        raise UnfitRowError("no task", "it names no task and none was given")
    if name not in settings.tasks:
        known = ", ".join(settings.tasks)
        raise UnfitRowError("unknown task", f"task is {name!r}, not one of {known}")
    return settings.tasks[name]


@lru_cache
def split_of_name(file: str) -> str | None:
    """Return the split that the name of a list or table holds; None for none, two, or audio.

    Examples:
        >>> split_of_name("ar/test-00000-of-00002.parquet"), split_of_name("latest.csv")
        ('test', None)
    """
    path = PurePosixPath(file.lower())
    named = {SPLIT_NAMES[word] for word in re.split(r"[\W\d_]+", path.name) if word in SPLIT_NAMES}
    return named.pop() if len(named) == 1 and path.suffix not in AUDIO_SUFFIXES else None


def _split(found: Utterance, rules: RowRules) -> str:
    """Return the split that is asked for, else the row's, its file's or the whole source's."""
    if rules.settings.split is not None:
        return rules.settings.split
    if found.split is None:
        return split_of_name(found.place.file) or rules.split or "train"
    return SPLIT_NAMES.get(found.split.lower(), found.split)


def _words(found: Utterance) -> Mapping[str, str]:
    """Return a row's words by column; the answer of a dialogue is the class that is asked for."""
    if found.messages is None:
        return found.answers
    last = found.messages[-1]
    return {**found.answers, "label": last["content"].strip()}


def _messages(
    found: Utterance, task: Task, settings: ImportSettings, meaning: Meaning | None
) -> Sequence[Mapping[str, str]]:
    if found.messages is not None:
        if meaning is None or found.messages[-1]["role"] != "assistant":
            return found.messages
        return [*found.messages[:-1], {"role": "assistant", "content": meaning.label}]
    target = _target(found, task) if meaning is None else meaning.label
    prompt = task.prompts[_language(task, settings)]
    if task.has_audio:
        question = f"{AUDIO_TAG}{prompt}" if found.sound else prompt
    elif found.text is None:
        raise UnfitRowError("no text", f"task {task.name!r} needs a text")
    else:
        question = f"{prompt}\n{found.text}"
    return [{"role": "user", "content": question}, {"role": "assistant", "content": target}]


def _language(task: Task, settings: ImportSettings) -> str:
    """Return the language of the prompts, the task's first where it has none in that asked for."""
    asked = settings.language or DEFAULT_LANGUAGE
    return asked if asked in task.prompts else next(iter(task.prompts))


def _target(found: Utterance, task: Task) -> str:
    target = {**found.answers, "text": found.text, "summary": found.summary}.get(task.target)
    if target is None:
        name = task.target
        raise UnfitRowError(f"no {name}", f"task {task.name!r} needs a {name}")
    return target


def check_texts(texts: Sequence[str]) -> None:
    """Refuse what no file can hold: half a surrogate pair, as JSON may escape one, and NUL."""
    joined = "".join(texts)
    if "\0" in joined:
        text = next(shown(text) for text in texts if "\0" in text)
        raise UnfitRowError("NUL character", f"a NUL in {text}")
    try:
        joined.encode()
    except UnicodeEncodeError as error:
        text = f"half a character in {shown(error.object[max(error.start - 20, 0) :])}"
        raise UnfitRowError("not UTF-8", text) from error


def identity(row: Row, answer: Answer) -> str:
    """Return a text that two rows share if one is a copy of the other.

    Args:
        row: Row of a manifest, with the id that the source gives it.
        answer: What its audio is; audio that had a file of its own is known by its path.
    """
    if not isinstance(answer, Measured):
        return repr((row["id"], row["task"], row["messages"]))
    audio = answer.content or answer.path
    return f"{row['id']}\0{row['task']}\0{audio}\0{row['start']}\0{row['seconds']}"


def faults(rows: Sequence[Row], tasks: Tasks) -> tuple[pa.Table, dict[int, tuple[str, str]]]:
    """Check rows by the rules of the manifest.

    Args:
        rows: Rows of the manifest.
        tasks: Tasks that they may name.

    Returns:
        The table of all rows, whose ids may repeat, and the kind and text of the first rule that
        a row breaks, by index.
    """
    table, found = _written(rows)
    for fault in row_faults(table, tasks):
        if fault.kind == "duplicate id":  # the rows before these count too: ids are numbered later
            continue
        for index in np.asarray(fault.rows).tolist():
            found.setdefault(index, (fault.kind, fault.describe(rows[index])))
    return table, found


def _written(rows: Sequence[Row]) -> tuple[pa.Table, dict[int, tuple[str, str]]]:
    """Return rows as a table, and by index why the texts of some cannot be written.

    Arrow looks at all rows at once; one by one they are looked at only where it finds something.
    """
    found: dict[int, tuple[str, str]] = {}
    with suppress(UnicodeEncodeError):
        table = pa.Table.from_pylist(list(rows), schema=IMPORT_SCHEMA)
        if not _has_nul(table):
            return table, found
    clean = []
    for index, row in enumerate(rows):
        try:
            check_texts([*_texts(row)])
            clean.append(row)
        except UnfitRowError as error:
            found[index] = (error.kind, error.text)
            clean.append(dict.fromkeys(row))
    return pa.Table.from_pylist(clean, schema=IMPORT_SCHEMA), found


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in a value, whatever it is made of."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | Sequence):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(one)


def _has_nul(table: pa.Table) -> bool:
    turns = pc.list_flatten(table.column("messages"))
    texts = [column for column in table.columns if pa.types.is_string(column.type)]
    texts += [pc.list_flatten(table.column("audios"))]
    texts += [pc.struct_field(turns, name) for name in ("role", "content")]
    return any(pc.any(pc.match_substring(column, "\0")).as_py() for column in texts)
