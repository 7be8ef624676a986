"""The tables of what was measured: scores, dialects, failures, confusions."""

import math
from collections.abc import Sequence

import numpy as np

from maqam.report.charts import IntervalMark, interval_picture, panel_width
from maqam.report.format import (
    FAILURES,
    amount,
    by_task,
    headlines,
    interval,
    is_neutral,
    metric_title,
    shown,
    task_title,
    unit,
)
from maqam.report.palette import method_inks, task_inks
from maqam.report.parts import Cell, Figure, Panel, Table, row
from maqam.report.records import ALL, StudyRecord
from maqam.report.results import BETTER, WORSE, Board, Result, evaluations, other_profiles
from maqam.score.groups import MEAN_OF_SOURCES

_MARKS = {BETTER: "better", WORSE: "worse"}
_KINDS = {"seconds": "length, s", "snr_db": "SNR, dB"}
_NO_VALUE = Cell("n/a", mark="missing")


def score_table(board: Board, metrics: Sequence[tuple[str, str]], caption: str = "") -> Table:
    """Return methods by metrics, each with its interval and its verdict.

    Args:
        board: The numbers.
        metrics: (task, metric) pairs, in the order of the columns.
        caption: One sentence above the table.
    """
    inks = method_inks(board.methods)
    tasks = list(dict.fromkeys(task for task, _ in metrics))
    colours = {ink.name: ink for ink in task_inks(tasks, board.tasks)}
    top = [Cell("")] + [
        Cell(
            task_title(task, board.tasks),
            _what_is_behind(board, [one for one in metrics if one[0] == task]),
            ink=colours[task],
            span=sum(1 for one, _ in metrics if one == task),
        )
        for task in tasks
    ]
    names = [Cell("method")] + [_metric_head(board, task, metric) for task, metric in metrics]
    rows = [
        [Cell(method, baseline_note(board.baseline, board.methods, method), ink=inks[method])]
        + [_score_cell(board.get(task, metric, method), metric) for task, metric in metrics]
        for method in board.methods
    ]
    if board.start:
        begun = [_score_cell(board.start.get((*pair, ALL)), pair[1]) for pair in metrics]
        rows.insert(0, [Cell("before training"), *begun])
    return Table(caption, [top, names], rows)


def main_metrics(board: Board) -> list[tuple[str, str]]:
    """Return the columns of the score table: two metrics a task."""
    return headlines(board.metrics, board.tasks)


def other_metrics(board: Board) -> list[tuple[str, str]]:
    """Return the metrics that the score table and the table of failures leave out."""
    main = set(main_metrics(board))
    pairs = by_task(board.metrics, board.tasks)
    return [one for one in pairs if one not in main and one[1] not in FAILURES]


def score_figure(board: Board) -> Figure | None:
    """Draw the first metric of each task, a dot with its interval a method."""
    inks = method_inks(board.methods)
    panels = []
    metrics = headlines(board.metrics, board.tasks, most=1)
    for task, metric in metrics:
        found = {method: board.get(task, metric, method) for method in board.methods}
        dots = {
            method: IntervalMark(
                inks[method],
                shown(metric, result.value),
                None if result.low is None else shown(metric, result.low),
                None if result.high is None else shown(metric, result.high),
            )
            for method, result in found.items()
            if result is not None and result.value is not None
        }
        if not dots:
            continue
        any_result = next(result for result in found.values() if result is not None)
        title = f"{task_title(task, board.tasks)}: {metric_title(metric)}"
        svg = interval_picture(
            title,
            list(dots.values()),
            dots.get(board.baseline) if len(board.methods) > 1 else None,
            unit(metric),
            panel_width(len(metrics)),
        )
        panels.append(Panel(title, _direction(any_result), svg))
    if not panels:
        return None
    return Figure(
        title="Scores with their intervals",
        caption=_score_caption(board),
        legend=(),
        panels=panels,
        tables=[score_table(board, metrics, "The numbers of the figure")],
    )


def _score_caption(board: Board) -> str:
    results = [one for by_method in board.results.values() for one in by_method.values()]
    has_seeds = max(result.num_seeds for result in results) > 1
    mean = " is the mean over seeds, its line" if has_seeds else " is the score, its line"
    over = "seeds and speakers" if has_seeds else "speakers"
    said = f"A dot{mean} the 95 % interval over {over}."
    if len(board.methods) == 1:
        return said
    if not has_seeds:
        return (
            f"{said} The dashed line is {board.baseline}. With one seed, intervals that lie apart "
            "are no proof of a difference between methods."
        )
    return (
        f"{said} The dashed line is {board.baseline}. Whether two methods differ is not read from "
        "these intervals but from the paired comparison in the score table."
    )


def group_tables(board: Board) -> list[Table]:
    """Return the first metric of each task by dialect or another group, a column a method."""
    tables = []
    for task, metric in headlines(board.metrics, board.tasks, most=1):
        groups = board.groups(task, metric)
        for kind in sorted({group.partition("=")[0] for group in groups} - {MEAN_OF_SOURCES}):
            own = [group for group in groups if group.partition("=")[0] == kind]
            own.sort(key=lambda group: _leading_number(group.partition("=")[2]))
            if kind == "source" and MEAN_OF_SOURCES in groups:
                own += [MEAN_OF_SOURCES, ALL]
            tables.append(_group_table(board, task, metric, own))
    return tables


def _group_table(board: Board, task: str, metric: str, groups: list[str]) -> Table:
    """Return one metric of one task in groups of one kind."""
    inks = method_inks(board.methods)
    rows = []
    for group in groups:
        found = [board.get(task, metric, method, group) for method in board.methods]
        count = max(result.num_utterances for result in found if result is not None)
        name = group.partition("=")[2] or group
        rows.append(
            [Cell(name, f"{count:,} utt." if count else "")]
            + [_score_cell(result, metric) for result in found]
        )
    arrow = _arrow(next(iter(board.results[(task, metric, groups[0])].values())))
    heads = [Cell(method, ink=inks[method]) for method in board.methods]
    kind = _KINDS.get(groups[0].partition("=")[0], groups[0].partition("=")[0])
    title = f"{task_title(task, board.tasks)}: {metric_title(metric)} {unit(metric)} {arrow}"
    return Table(title, [[Cell(kind), *heads]], rows)


def _leading_number(name: str) -> float:
    """Return where a bin such as "under 2", "2 to 5" or "20 or more" lies among its like."""
    words = name.split()
    if words[0] == "under":
        return -math.inf
    try:
        return float(words[0])
    except ValueError:
        return 0.0


def profile_table(study: StudyRecord, board: Board) -> Table | None:
    """Return error rates under the other normalisations, None where there are none."""
    found = other_profiles(study, board.split)
    inks = method_inks(board.methods)
    pairs = by_task(((task, metric) for task, metric, _ in found), board.tasks)
    columns = [key for pair in pairs for key in found if key[:2] == pair]
    if not columns:
        return None
    head = row(
        "method", *(Cell(f"{metric_title(m)} {unit(m)}", profile) for _, m, profile in columns)
    )
    rows = [
        [Cell(method, ink=inks[method])]
        + [Cell(amount(key[1], found[key].get(method))) for key in columns]
        for method in board.methods
    ]
    return Table("", [head], rows)


def failure_tables(board: Board) -> list[Table]:
    """Return how often generation fails, one table a kind of failure: tasks by methods."""
    inks = method_inks(board.methods)
    tasks = list(dict.fromkeys(task for task, _ in by_task(board.metrics, board.tasks)))
    colours = {ink.name: ink for ink in task_inks(tasks, board.tasks)}
    tables = []
    for metric in FAILURES:
        rows = [
            [Cell(task_title(task, board.tasks), ink=colours[task])]
            + [_score_cell(board.get(task, metric, method), metric) for method in board.methods]
            for task in tasks
            if (task, metric) in board.metrics
        ]
        if rows:
            head = [row("task", *(Cell(method, ink=inks[method]) for method in board.methods))]
            title = f"{metric_title(metric)} {unit(metric) or '(1 is right)'}"
            tables.append(Table(title, head, rows))
    return tables


def confusion_tables(study: StudyRecord, board: Board) -> dict[str, list[Table]]:
    """Return the confusions of each label task, a table a method, all its seeds added up."""
    found: dict[str, list[Table]] = {}
    by_method = evaluations(study, board.split)
    colours = {ink.name: ink for ink in task_inks(sorted(_label_tasks(study, board)), board.tasks)}
    for task, ink in colours.items():
        for method, runs in by_method.items():
            parts = [run.confusions[task] for run in runs if task in run.confusions]
            if not parts:
                continue
            labels = list(dict.fromkeys(label for part in parts for label in part.labels))
            counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
            for part in parts:
                at = [labels.index(label) for label in part.labels]
                counts[np.ix_(at, at)] += part.counts
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            kinds = (_precision(counts), _precision(counts.T), _f1(counts))
            rows = [
                [Cell(label)]
                + [Cell(f"{counts[i, j]:,}", heat=float(shares[i, j])) for j in range(len(labels))]
                + [Cell(f"{100 * kind[i]:.1f}") for kind in kinds]
                for i, label in enumerate(labels)
            ]
            names = (*labels, "precision %", "recall %", "F1 %")
            head = [[Cell("gold \\ answer"), *(Cell(name) for name in names)]]
            found.setdefault(task, []).append(Table(method, head, rows, heat=ink.colour))
    return found


def _precision(counts: np.ndarray) -> np.ndarray:
    """Return the right answers of each label over the answers that named it, 0 where none did."""
    result: np.ndarray = np.diagonal(counts) / np.maximum(counts.sum(axis=0), 1)
    return result


def _f1(counts: np.ndarray) -> np.ndarray:
    both = counts.sum(axis=0) + counts.sum(axis=1)
    result: np.ndarray = 2 * np.diagonal(counts) / np.maximum(both, 1)
    return result


def _metric_head(board: Board, task: str, metric: str) -> Cell:
    arrow = _arrow(next(iter(board.results[(task, metric, ALL)].values())))
    return Cell(" ".join([metric_title(metric), unit(metric), arrow]).strip())


def _what_is_behind(board: Board, metrics: Sequence[tuple[str, str]]) -> str:
    """Return the normalisation of a task's scores and the utterances behind them."""
    found = [one for pair in metrics for one in board.results[(*pair, ALL)].values()]
    profiles = sorted({one.profile for one in found if one.profile})
    counts = sorted({one.num_utterances for one in found if one.num_utterances})
    said = "–".join(f"{count:,}" for count in dict.fromkeys([*counts[:1], *counts[-1:]]))
    return " · ".join([*profiles, *([f"{said} utt."] if said else [])])


def _score_cell(result: Result | None, metric: str) -> Cell:
    if result is None or result.value is None:
        return _NO_VALUE
    mark = "" if is_neutral(metric) else _MARKS.get(result.verdict, "")
    return Cell(amount(metric, result.value), interval(metric, result.low, result.high), mark)


def baseline_note(baseline: str, methods: Sequence[str], method: str) -> str:
    """Say which of several methods the others are compared with."""
    return "baseline" if method == baseline and len(methods) > 1 else ""


def _arrow(result: Result) -> str:
    return {True: "↑", False: "↓", None: ""}[result.higher_is_better]


def _direction(result: Result) -> str:
    words = {True: "higher is better", False: "lower is better", None: ""}
    seeds = f"{result.num_seeds} seeds" if result.num_seeds > 1 else "1 seed"
    noun = "utterance" if result.num_utterances == 1 else "utterances"
    count = f"{result.num_utterances:,} {noun}" if result.num_utterances else ""
    parts = [words[result.higher_is_better], result.profile or "", count, seeds]
    return ", ".join(part for part in parts if part)


def _label_tasks(study: StudyRecord, board: Board) -> set[str]:
    found = evaluations(study, board.split)
    return {task for runs in found.values() for run in runs for task in run.confusions}
