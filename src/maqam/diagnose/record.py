"""The record of conflict, `conflict.jsonl`: a line a measure."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from maqam.errors import RunError
from maqam.files import lines_of

FORMAT_VERSION = 1
EUCLIDEAN, ADAM = "euclidean", "adam"
_DAMAGED = "remove the file: maqam diagnose measures the checkpoints that are left"


def read_conflicts(path: Path) -> list[dict[str, Any]]:
    """Read the measures of conflict of a run, by step; none where there is no file.

    Raises:
        RunError: If a line is broken or of another format.
    """
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(lines_of(path, errors="replace"), start=1):
        try:
            table = json.loads(line)
            if table["format_version"] != FORMAT_VERSION:
                raise ValueError(
                    f"format version {table['format_version']!r} is not {FORMAT_VERSION}"
                )
            table["step"], table["metrics"][EUCLIDEAN]["groups"]["task"]
        except (ValueError, KeyError, TypeError) as error:
            where = f"{path}:{number}"
            raise RunError(
                "a measure of conflict is damaged", where=where, hint=_DAMAGED
            ) from error
        found.append(table)
    return sorted(found, key=lambda one: int(one["step"]))


def tasks_of(measure: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the conflict between tasks of a measure, in the optimiser's metric if it has it."""
    metrics = measure["metrics"]
    table: Mapping[str, Any] = metrics.get(ADAM, metrics[EUCLIDEAN])["groups"]["task"]
    return table


def with_measures(
    known: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return measures by step; a new one takes the place of an old one of its step."""
    by_step = {int(one["step"]): dict(one) for one in (*known, *new)}
    return [by_step[step] for step in sorted(by_step)]
