"""Answers of another system, joined to their references, as rows of hypotheses.

An utterance without an answer is counted and said, never passed over; so is an answer to an
utterance that there is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from maqam.corpora.encodings import UTF_8, encoding_of
from maqam.data.manifest import Manifest, read_manifest
from maqam.errors import RunError, first_few
from maqam.evaluate.answer_files import AnswerRow, Form, form_of, is_parquet, read_rows
from maqam.evaluate.hypotheses import SCHEMA, Origin
from maqam.evaluate.references import (
    ReferenceTable,
    no_task,
    once,
    references_of_manifest,
    references_of_rows,
)
from maqam.score.metrics import check_metrics
from maqam.tasks import Task, Tasks, default_tasks
from maqam.text.labels import parse_label

Missing = Literal["empty", "error", "leave-out"]
Unknown = Literal["error", "leave-out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinSettings:
    """How answers are joined to their references.

    Attributes:
        references: File of references, or a manifest; the answers' own references when absent.
        split: Split of the manifest, and the name that the scores go by.
        form: What the files of answers are; told from their content when absent.
        columns: The files' columns by ours.
        labels: Our labels by those of the files.
        task: Task of rows that name none; of a manifest, the one that is scored.
        tasks: The tasks that there are; those of the manifest when absent, or the paper's.
        missing: What an utterance without an answer is: an empty answer, an error, or left out.
        unknown: What an answer to no utterance is: an error, or left out.
    """

    references: Path | None = None
    split: str = "test"
    form: Form | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    task: str | None = None
    tasks: Tasks | None = None
    missing: Missing = "empty"
    unknown: Unknown = "error"


@dataclass(frozen=True, slots=True)
class SystemAnswers:
    """Answers of a system with their references.

    Attributes:
        rows: Values of the columns of `SCHEMA`, in the order of the references.
        tasks: The tasks that there are.
        origin: What was answered.
        notes: What the user should know, a sentence each.
    """

    rows: list[dict[str, Any]]
    tasks: Tasks
    origin: Origin
    notes: list[str]


def join_answers(files: Sequence[Path], settings: JoinSettings) -> SystemAnswers:
    """Read a system's answers and join each to its reference.

    Args:
        files: Files of answers.
        settings: Where references are, and what is done about gaps.

    Raises:
        ManifestError: If a file is not there, or the manifest is unsound.
        RunError: If a file cannot be read, ids are given twice or unknown, or nothing is left.
    """
    manifest = _manifest(settings)
    tasks = settings.tasks or (manifest.tasks if manifest is not None else default_tasks())
    check_metrics(tasks)
    if settings.task is not None and settings.task not in tasks:
        raise no_task(settings.task, tasks, "--task")
    answers = _answers(files, settings)
    references = (
        references_of_manifest(manifest, settings.split, settings.task)
        if manifest is not None
        else references_of_rows(
            _reference_rows(answers, settings),
            tasks,
            settings.task or "asr",
            settings.labels,
        )
    )
    by_id, unknown = _matched(answers, references, settings)
    notes = _readings(files, answers, settings) + unknown
    rows = []
    covered = {references.rows[name]["task"] for name in by_id}
    unanswered: list[str] = []
    left: dict[str, int] = {}
    for name, known in references.rows.items():
        answer = by_id.get(name, {})
        is_missing = answer.get("hypothesis") is None and not answer.get("label_scores")
        if known["task"] not in covered:
            left[known["task"]] = left.get(known["task"], 0) + 1
            continue
        if is_missing:
            unanswered.append(name)
            if settings.missing == "leave-out":
                continue
        rows.append(_hypothesis(known, answer, tasks[known["task"]], settings.labels))
    notes += _gaps(unanswered, left, len(rows), references, settings)
    return SystemAnswers(rows, tasks, Origin(settings.split, references.synthetic), notes)


def _readings(
    files: Sequence[Path], answers: Sequence[AnswerRow], settings: JoinSettings
) -> list[str]:
    """Return notes of how files were read that a user may not expect."""
    texts = [file for file in files if not is_parquet(file)]
    encodings = [(file, encoding_of(file)) for file in texts]
    notes = [f"{file} is read as {name}" for file, name in encodings if name != UTF_8]
    has_own = any(row.values.get("reference") is not None for row in answers)
    if settings.references is not None and has_own:
        notes.append(f"references are those of {settings.references}, not the answers' own")
    return notes


def _manifest(settings: JoinSettings) -> Manifest | None:
    place = settings.references
    if place is None or not (place.is_dir() or is_parquet(place)):
        return None
    return read_manifest(place, tasks=settings.tasks)


def _answers(files: Sequence[Path], settings: JoinSettings) -> list[AnswerRow]:
    """Read the files of answers; where there are several, a row's source is its file."""
    found = []
    for file in files:
        if file.is_dir():
            raise RunError(
                "it is a folder, not a file of answers",
                where=str(file),
                hint="give a file; maqam eval RUN --rescore scores a run again",
            )
        form = settings.form or form_of(file, settings.columns)
        if form in ("trn", "kaldi", "lines") and settings.references is None:
            raise RunError(
                "it is text, and there are no references to score it against",
                where=str(file),
                hint="add --references FILE; a table needs a header that names its columns",
            )
        rows = read_rows(file, form, "hypothesis", settings.columns)
        if form == "lines":
            _check_lines(files, len(rows), settings)
        found += [_placed(row, files, settings) for row in rows]
    return found


def _check_lines(files: Sequence[Path], num_answers: int, settings: JoinSettings) -> None:
    """Refuse plain lines whose references are not as many plain lines."""
    place = settings.references
    hint = "if the first word of each line is its id, add --format kaldi"
    if len(files) > 1:
        raise RunError(
            "several files of plain lines have no ids to tell them apart",
            where=str(files[0]),
            hint=hint,
        )
    if (
        place is None
        or place.is_dir()
        or form_of(place, settings.columns) not in ("lines", settings.form)
    ):
        raise RunError(
            "plain lines have no ids, and the references have", where=str(files[0]), hint=hint
        )
    num_references = len(read_rows(place, "lines", "reference"))
    if num_answers != num_references:
        raise RunError(
            f"{num_answers} lines of answers, and {num_references} of references",
            where=f"{files[0]}, {place}",
            hint=f"line goes with line; {hint}",
        )


def _placed(row: AnswerRow, files: Sequence[Path], settings: JoinSettings) -> AnswerRow:
    values = dict(row.values)
    given = values.get("id")
    if given is None and settings.references is not None:
        raise RunError(
            "the row has no id, by which it would find its reference",
            where=f"{row.file}:{row.line}",
            hint="add --column id=NAME",
        )
    if not isinstance(values.get("hypothesis"), str | int | float | None):
        raise RunError(
            f"the answer is a {type(values['hypothesis']).__name__}, not a text",
            where=f"{row.file}:{row.line}",
            hint="write one text a row",
        )
    values["id"] = str(row.line if given is None else given)
    if len(files) > 1:
        stems = [file.stem for file in files]
        own = row.file.stem if len(set(stems)) == len(stems) else str(row.file)
        values["source"] = values.get("source") or own
        if settings.references is None:
            values["id"] = f"{own}/{values['id']}"
    return AnswerRow(row.file, row.line, values)


def _reference_rows(answers: list[AnswerRow], settings: JoinSettings) -> list[AnswerRow]:
    """Read the file of references; without one they stand in the rows of answers."""
    place = settings.references
    if place is None:
        return answers
    form = form_of(place, settings.columns)
    if form in ("kaldi", "lines") and settings.form in ("kaldi", "lines"):
        form = settings.form
    given = {ours: name for ours, name in settings.columns.items() if ours != "hypothesis"}
    return read_rows(place, form, "reference", given)


def _matched(
    answers: list[AnswerRow], references: ReferenceTable, settings: JoinSettings
) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """Return the answers by id, and notes of those that no utterance is for."""
    by_id = {str(row.values["id"]): row for row in once(answers)}
    unknown = [name for name in by_id if name not in references.rows]
    if unknown and settings.unknown == "error":
        raise RunError(
            f"{len(unknown)} of {len(by_id)} answers are to ids that {references.where} "
            f"does not have: {first_few(unknown)}",
            where=f"{by_id[unknown[0]].file}:{by_id[unknown[0]].line}",
            hint=f"{references.nearest(unknown[0])}--unknown leave-out passes over them",
        )
    kept = {name: row.values for name, row in by_id.items() if name in references.rows}
    if not kept:
        raise RunError(
            "no answer is to an utterance of the references",
            where=references.where,
            hint="give the references of this test set",
        )
    notes = [f"{len(unknown)} answers to unknown ids are left out: {first_few(unknown)}"]
    return kept, notes if unknown else []


def _gaps(
    unanswered: list[str],
    left: Mapping[str, int],
    num_rows: int,
    references: ReferenceTable,
    settings: JoinSettings,
) -> list[str]:
    """Return notes of utterances without an answer.

    Raises:
        RunError: If there are any and that is an error, or nothing is left to score.
    """
    total = len(references.rows) - sum(left.values())
    said = f"{len(unanswered)} of {total} utterances have no answer"
    if unanswered and settings.missing == "error":
        raise RunError(
            f"{said}: {first_few(unanswered)}",
            where=references.where,
            hint="--missing empty counts them as empty answers",
        )
    if not num_rows:
        raise RunError(
            "nothing is left to score: no utterance has an answer",
            where=references.where,
            hint="--missing empty counts them as empty answers",
        )
    notes = [
        f"task {task}: none of its {count} utterances has an answer, it is not scored"
        for task, count in left.items()
    ]
    if unanswered:
        done = "they count as empty answers" if settings.missing == "empty" else "they are left out"
        notes.append(f"{said}, {done}: {first_few(unanswered)}")
    if not any(known["speaker"] for known in references.rows.values()):
        notes.append("no speaker is known: intervals are over utterances and may be too narrow")
    return notes


def _hypothesis(
    known: Mapping[str, Any], answer: Mapping[str, Any], task: Task, named: Mapping[str, str]
) -> dict[str, Any]:
    given = answer.get("hypothesis")
    scores = _by_label("label_scores", answer, task, named)
    best = task.labels[int(np.argmax(scores))] if scores else None
    text = (best or "") if given is None else str(given)
    text = named.get(text.strip(), text) if task.labels else text
    read = parse_label(text, task.labels) if task.labels else None
    source = known["source"] or answer.get("source")
    return {
        **dict.fromkeys(SCHEMA.names),
        **known,
        "source": source,
        "hypothesis": text,
        "predicted_label": best or read,
        "label_scores": scores,
        "label_tokens": _by_label("label_tokens", answer, task, named) if scores else [],
        "answered_label": read,
    }


def _by_label(
    name: str, answer: Mapping[str, Any], task: Task, named: Mapping[str, str]
) -> list[float]:
    """Return a number of each label in the order of the task, none where none are given."""
    given = answer.get(name)
    if isinstance(given, Mapping):
        given = {named.get(label, label): score for label, score in given.items()}
    if not task.labels or not isinstance(given, Mapping | list) or not given:
        return []
    values = [given.get(label) for label in task.labels] if isinstance(given, Mapping) else given
    numbers = [float(one) for one in values if isinstance(one, int | float)]
    if len(numbers) != len(task.labels) or len(values) != len(task.labels):
        raise RunError(
            f"the {name.removeprefix('label_')} of {answer['id']!r} are not a number for each of "
            f"{', '.join(task.labels)}",
            where=name,
            hint="write them as a table of labels, or in the order of the task's labels",
        )
    if name == "label_tokens" and not all(one >= 1 and one == int(one) for one in numbers):
        raise RunError(
            f"the tokens of {answer['id']!r} are not whole numbers of at least 1: {numbers}",
            where=name,
            hint="count the tokens of each label, the end of turn with them, or leave them out",
        )
    return numbers
