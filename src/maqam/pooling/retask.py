"""Rows of one task asked as another: one corpus for two tasks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from maqam.data.manifest import Manifest
from maqam.data.prompts import prompt_language, question
from maqam.data.schema import PROMPT_LANGUAGE
from maqam.errors import ConfigError, ManifestError
from maqam.settings_file import nearest
from maqam.tasks import Task, label_of


@dataclass(frozen=True, slots=True)
class TaskReport:
    """What became of rows that were asked another task.

    Attributes:
        task: The task.
        num_rows: Rows that there were.
        num_left: Rows that have an answer to it.
        num_own_words: Rows of text that ask in words of their own, so that nobody can tell the
            text from the question; they are left out.
        columns: Columns in which answers were looked for.
    """

    task: str
    num_rows: int
    num_left: int
    num_own_words: int
    columns: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return what a user should know: how many rows are left out, and why."""
        said, where = [], " or ".join(self.columns)
        if lost := self.num_rows - self.num_left - self.num_own_words:
            said.append(f"{lost} of {self.num_rows} rows have no answer to {self.task} in {where}")
        if self.num_own_words:
            said.append(
                f"{self.num_own_words} of {self.num_rows} rows ask in words of their own, of which "
                "the text is a part: import the corpus for this task"
            )
        return said


def as_task(manifest: Manifest, name: str) -> tuple[Manifest, TaskReport]:
    """Return the rows of a manifest that have an answer to a task, asked that task.

    The answer stands in the column that the task names as its target; a label also in `label`. A
    finer one, such as a city or a country, becomes the country or region that the task has. Rows
    that are of the task already stay as they are.

    Args:
        manifest: The utterances.
        name: One of its tasks.

    Raises:
        ConfigError: If there is no such task.
        ManifestError: If the manifest has no row with an answer.
    """
    if name not in manifest.tasks:
        raise ConfigError(
            f"there is no task {name!r}",
            where=f"as_task of {manifest.path}",
            hint=nearest(name, list(manifest.tasks)),
        )
    task = manifest.tasks[name]
    wanted = (task.target, "label") if task.labels else (task.target,)
    columns = tuple(dict.fromkeys(one for one in wanted if one in manifest.table.column_names))
    made, num_own_words = [], 0
    for batch in manifest.table.to_batches(max_chunksize=16_384):
        for row in batch.to_pylist():
            language = prompt_language(row, manifest.tasks)
            if row["task"] == name:
                made.append({**row, PROMPT_LANGUAGE: language})
            elif (answer := _answer(row, task, columns)) is not None:
                if language is None and not row["audios"]:
                    num_own_words += 1
                else:
                    made.append(_asked(row, task, answer, language))
    looked_in = columns or (task.target,)
    report = TaskReport(name, manifest.num_utterances, len(made), num_own_words, looked_in)
    if not made:
        raise ManifestError(
            f"no row has an answer to task {name!r} in column {' or '.join(looked_in)}"
            + (f"; {report.lines()[-1]}" if num_own_words else ""),
            where=str(manifest.path),
            hint="import the corpus for this task, with the column kept",
        )
    schema = manifest.table.schema
    if PROMPT_LANGUAGE not in schema.names:
        schema = schema.append(pa.field(PROMPT_LANGUAGE, pa.string()))
    table = pa.Table.from_pylist(made, schema=schema)
    return Manifest(manifest.path, table, manifest.tasks, manifest.language), report


def _answer(row: dict[str, Any], task: Task, columns: Sequence[str]) -> str | None:
    """Return the answer of a row, None where it has none or an input of the other kind."""
    if task.has_audio != bool(row["audios"]):
        return None
    values = [row[column] for column in columns]
    known = [str(value) for value in values if value is not None and str(value).strip()]
    if not task.labels:
        return known[0] if known else None
    found = (label_of(value, task) for value in known)
    return next((one for one in found if one is not None), None)


def _asked(row: dict[str, Any], task: Task, answer: str, made_in: str | None) -> dict[str, Any]:
    language = made_in or next(iter(task.prompts))
    text = None if row["audios"] else row["messages"][0]["content"].partition("\n")[2]
    prefix = f"{row['source']}/{row['task']}/"
    return {
        **row,
        "id": row["id"].removeprefix(prefix),
        "task": task.name,
        "label": answer if task.labels else None,
        "target": answer,
        "messages": [
            {"role": "user", "content": question(task, language, text)},
            {"role": "assistant", "content": answer},
        ],
        PROMPT_LANGUAGE: language,
    }
