"""Episodes of conflict over the measures of a run: when one begins, how deep it is, how long."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from maqam.diagnose.conflict import CONFLICT, verdict_of
from maqam.diagnose.record import tasks_of

MEASURED_KINDS = ("task", "dialect", "task and dialect")


@dataclass(frozen=True, slots=True)
class Episode:
    """Measures in a row at which two groups conflict.

    Attributes:
        kind: Kind of the groups.
        first: Name of a group.
        second: Name of the other.
        metric: "euclidean" or "adam".
        onset: Step of the first measure that shows it.
        last: Step of the last one.
        length: Steps from the first to the measure that shows it no more, or to the last.
        depth: Lowest cosine in it.
        at: Step of the lowest cosine.
        is_over: Whether a later measure shows it no more.
    """

    kind: str
    first: str
    second: str
    metric: str
    onset: int
    last: int
    length: int
    depth: float
    at: int
    is_over: bool


def episodes(measures: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Find the episodes of conflict in the measures of a run, the deepest first.

    Args:
        measures: Lines of `conflict.jsonl`, by step.

    Examples:
        >>> def line(step, cosine):
        ...     ends = {"lows": [[1, cosine - 0.1]] * 2, "highs": [[1, cosine + 0.1]] * 2}
        ...     table = {"names": ["asr", "did"], "cosines": [[1, cosine]] * 2, **ends}
        ...     return {"step": step, "metrics": {"euclidean": {"groups": {"task": table}}}}
        >>> (found,) = episodes([line(0, 0.3), line(10, -0.4), line(20, -0.2), line(30, 0.0)])
        >>> found["onset"], found["length"], found["depth"], found["is_over"]
        (10, 20, -0.4, True)
    """
    series: dict[tuple[str, str, str, str], list[tuple[int, float | None, bool]]] = {}
    for line in measures:
        for metric, table in line["metrics"].items():
            for kind in MEASURED_KINDS:
                for pair, cosine, shows in _pairs(table["groups"].get(kind)):
                    key = (kind, *pair, metric)
                    series.setdefault(key, []).append((int(line["step"]), cosine, shows))
    found = [one for key, points in series.items() for one in _episodes_of(key, points)]
    return [asdict(one) for one in sorted(found, key=lambda one: (one.depth, one.onset))]


def task_cosines(line: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the cosine of every two tasks at a measure, in the optimiser's metric if it has it."""
    return {f"{one} and {other}": cosine for (one, other), cosine, _ in _pairs(tasks_of(line))}


def _pairs(table: Mapping[str, Any] | None) -> list[tuple[tuple[str, str], float | None, bool]]:
    """Return each pair of groups with its cosine and whether it is shown to conflict."""
    if table is None:
        return []
    names = table["names"]
    return [
        (
            (names[one], names[other]),
            table["cosines"][one][other],
            verdict_of(table["lows"][one][other], table["highs"][one][other]) == CONFLICT,
        )
        for one in range(len(names))
        for other in range(one + 1, len(names))
    ]


def _episodes_of(
    key: tuple[str, str, str, str], points: Sequence[tuple[int, float | None, bool]]
) -> list[Episode]:
    found = []
    open_at: list[tuple[int, float]] = []
    for step, cosine, shows in points:
        if shows and cosine is not None:
            open_at.append((step, cosine))
        elif open_at:
            found.append(_episode(key, open_at, step, is_over=True))
            open_at = []
    if open_at:
        found.append(_episode(key, open_at, open_at[-1][0], is_over=False))
    return found


def _episode(
    key: tuple[str, str, str, str], points: Sequence[tuple[int, float]], end: int, *, is_over: bool
) -> Episode:
    kind, first, second, metric = key
    at, depth = min(points, key=lambda one: one[1])
    onset, last = points[0][0], points[-1][0]
    return Episode(kind, first, second, metric, onset, last, end - onset, depth, at, is_over)
