"""The reference of each utterance by its id, from a manifest or from rows of a file."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maqam.corpora.utterance import shown
from maqam.data.manifest import Manifest
from maqam.errors import RunError, first_few
from maqam.evaluate.answer_files import AnswerRow
from maqam.evaluate.hypotheses import known_of
from maqam.settings_file import nearest
from maqam.tasks import Tasks


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """References.

    Attributes:
        rows: Columns of hypotheses.parquet by id, without the answer's own.
        where: The file that they are from, for errors.
        splits: Split of the manifest's other utterances, by id.
        synthetic: Whether any of the speech is synthetic.
    """

    rows: Mapping[str, dict[str, Any]]
    where: str
    splits: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool = False

    def nearest(self, name: str) -> str:
        """Say where an unknown id may come from, nothing where none is like it."""
        if name in self.splits:
            return f"{name!r} is of split {self.splits[name]} or another task; "
        stems = {Path(one).stem.casefold(): one for one in self.rows}
        near = stems.get(Path(name).stem.casefold()) or next(
            iter(difflib.get_close_matches(name, list(self.rows)[:5000], n=1)), None
        )
        return f"did you mean {near!r} for {name!r}? " if near is not None else ""


def references_of_manifest(manifest: Manifest, split: str, task: str | None) -> ReferenceTable:
    """Return what a split of a manifest says, of one task or of all.

    Raises:
        RunError: If there is no such utterance.
    """
    chosen = manifest.select(split=split, task=task)
    if not len(chosen):
        there = ", ".join(sorted(set(manifest.column("split").tolist())))
        raise RunError(
            f"no utterance of split {split}" + (f" and task {task}" if task else ""),
            where=str(manifest.path),
            hint=f"--split takes {there}",
        )
    plain = manifest.rows(chosen)
    known = {row["id"]: known_of(row, manifest.tasks[row["task"]]) for row in plain}
    splits = zip(manifest.column("id").tolist(), manifest.column("split").tolist(), strict=True)
    elsewhere = {name: split for name, split in splits if name not in known}
    synthetic = any(row["synthetic"] for row in plain)
    return ReferenceTable(known, str(manifest.path), elsewhere, synthetic)


def references_of_rows(
    rows: Sequence[AnswerRow], tasks: Tasks, task: str, labels: Mapping[str, str]
) -> ReferenceTable:
    """Return what rows of a file say.

    Args:
        rows: The rows.
        tasks: The tasks that there are.
        task: Task of rows that name none.
        labels: Our labels by those of the file.

    Raises:
        RunError: If rows lack an id or a reference, or an id stands twice.
    """
    known: dict[str, dict[str, Any]] = {}
    faults: list[tuple[AnswerRow, str]] = []
    for row in once(rows):
        values = row.values
        name = str(values.get("task") or task)
        if name not in tasks:
            raise no_task(name, tasks, f"{row.file}:{row.line}")
        own = tasks[name]
        right = values.get("reference")
        if own.labels:
            right = values.get("label") if right is None else right
            right = labels.get(str(right), right)
        if isinstance(right, list | dict):
            faults.append((row, f"the reference is {shown(right)}, not one text"))
        elif right is None:
            faults.append((row, "no reference"))
        elif own.labels and right not in own.labels:
            faults.append((row, f"{right!r} is no label of {name}"))
        known[str(values["id"])] = {
            **{
                column: values.get(column)
                for column in ("dialect", "speaker", "source", "document")
            },
            **{column: _number(values.get(column), row) for column in ("seconds", "snr_db")},
            "id": str(values["id"]),
            "task": name,
            "label": right if own.labels else values.get("label"),
            "reference": None if right is None else str(right),
        }
    if faults:
        row, first = faults[0]
        raise RunError(
            f"{len(faults)} rows have no reference to score against, lines "
            f"{first_few([one.line for one, _ in faults])}: {first}",
            where=f"{row.file}:{row.line}",
            hint="add --references FILE, --column reference=NAME or --label THEIRS=OURS",
        )
    return ReferenceTable(known, str(rows[0].file))


def once(rows: Iterable[AnswerRow]) -> list[AnswerRow]:
    """Return rows whose ids are all different.

    Raises:
        RunError: If a row has no id, or one that an earlier row has.
    """
    first: dict[str, AnswerRow] = {}
    again: dict[str, AnswerRow] = {}
    found = list(rows)
    for row in found:
        name = str(row.values.get("id"))
        if row.values.get("id") is None:
            raise RunError(
                "the row has no id", where=f"{row.file}:{row.line}", hint="add --column id=NAME"
            )
        if name in first:
            again.setdefault(name, row)
        first.setdefault(name, row)
    if again:
        places = [
            f"{name!r} in {first[name].file}:{first[name].line} and {row.file}:{row.line}"
            for name, row in list(again.items())[:3]
        ]
        raise RunError(
            f"{len(again)} ids stand in several rows: {'; '.join(places)}",
            where=str(found[0].file),
            hint="an utterance has one answer: remove the others",
        )
    return found


def _number(value: object, row: AnswerRow) -> float | None:
    try:
        return None if value in (None, "") else float(str(value))
    except ValueError as error:
        raise RunError(
            f"{value!r} is no number",
            where=f"{row.file}:{row.line}",
            hint="write seconds and snr_db as numbers, or leave them out",
        ) from error


def no_task(name: str, tasks: Tasks, where: str) -> RunError:
    """Return the error that names a task which there is not."""
    hint = f"{nearest(name, tasks)}; --tasks FILE adds tasks"
    return RunError(f"there is no task {name!r}", where=where, hint=hint)
