"""What is written: pages and a picture, each whole in itself, the same bytes for the same runs."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from maqam.files import write_text
from maqam.report import figures, provenance, tables
from maqam.report.curves import binned_shares, edges
from maqam.report.format import task_title
from maqam.report.overlap import overlap_finding, own_overlap
from maqam.report.palette import TASK_HEX, method_inks, task_inks, task_slot
from maqam.report.records import StudyRecord, read_any
from maqam.report.results import Board, examples, left_out, make_board, verdict
from maqam.report.svg import Scale, join, stairs, tag
from maqam.report.why.diagnosis import diagnosis_of
from maqam.schedule import Plan
from maqam.tasks import Tasks, default_tasks

_WIDTH, _LEFT, _STRIP, _GAP, _TOP = 880, 104, 64, 18, 44
_TEXT = "#737b85"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
SYNTHETIC = (
    "Synthetic speech: figures show direction, not what real speech would give. The voices are "
    "those of a speech synthesizer; dialects and emotions are rules, not people."
)
REAL = (
    "Real human speech: by what its data say, no utterance that was trained on or scored is "
    "synthetic."
)


def write_report(paths: Sequence[Path], output: Path, *, overlap: Path | None = None) -> Path:
    """Write one self-contained page about runs or a study.

    Args:
        paths: One study folder, or run folders.
        output: HTML file to write; written over if it exists.
        overlap: What `maqam data overlap --json` printed, whose verdict the page shows; that of
            the study when absent.

    Returns:
        The file that was written.

    Raises:
        RunError: If a folder holds no run, a file is half written or of other data than the runs,
            or the page cannot be written.
    """
    folders = [Path(path) for path in paths]
    study = read_any(folders)
    finding = overlap_finding(study, overlap or own_overlap(folders))
    context = {**report_context(study), "overlap": finding}
    return _write(Path(output), _rendered("report.html", context))


def write_plan_page(
    plan: Plan, output: Path, *, name: str = "plan", tasks: Tasks | None = None
) -> Path:
    """Write one self-contained page that shows what the steps of a plan hold.

    Args:
        plan: The plan.
        output: HTML file to write; written over if it exists.
        name: What the page calls the plan.
        tasks: The tasks that there are; the five of the paper when absent.

    Returns:
        The file that was written.

    Raises:
        RunError: If the page cannot be written.
    """
    content = {
        "title": name,
        "schedule": provenance.describe_schedule(plan.schedule),
        "plan": plan,
        "figures": figures.plan_figures({name: plan}, default_tasks() if tasks is None else tasks),
    }
    return _write(Path(output), _rendered("plan.html", content))


def schedule_strips_svg(plans: Mapping[str, Plan]) -> str:
    """Draw plans under one another, each a strip of task shares over the steps.

    The picture stands alone, as in a README: it has no ground of its own and one grey for all its
    text, which is read on GitHub's light theme and on its dark one, since a picture cannot know
    which of them the page around it has.

    Args:
        plans: Plan by the name that stands before its strip, from the top down.

    Returns:
        A whole SVG file as text.

    Raises:
        ValueError: If there are no plans, or one does not know its tasks.
    """
    if not plans:
        raise ValueError("there are no plans to draw")
    absent = [name for name, plan in plans.items() if "task" not in plan.shares]
    if absent:
        raise ValueError(f"the plan {absent[0]!r} has no task shares")
    tasks = list(
        dict.fromkeys(task for plan in plans.values() for task in plan.shares["task"].names)
    )
    colours = {task: TASK_HEX[task_slot(task, tasks, default_tasks())] for task in tasks}
    bottom = _TOP + len(plans) * (_STRIP + _GAP)
    strips = [
        _strip(name, plan, colours, _TOP + index * (_STRIP + _GAP))
        for index, (name, plan) in enumerate(plans.items())
    ]
    steps = [
        _text("first step", _LEFT, bottom + 6),
        _text("last step", _WIDTH - 8, bottom + 6, "end"),
    ]
    picture = tag(
        "svg",
        tag("title", "Share of each task in every step of a schedule"),
        _legend(colours),
        *strips,
        *steps,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {bottom + 16}",
        width=_WIDTH,
        height=bottom + 16,
        font_family=_FONT,
        font_size=14,
        role="img",
    )
    return str(picture) + "\n"


def report_context(study: StudyRecord) -> dict[str, Any]:
    """Return everything the template of a report shows."""
    board = make_board(study)
    finding, sentences = verdict(study, board)
    plans = {
        method: run.plan
        for method in study.methods
        for run in study.runs_of(method)[:1]
        if run.plan is not None
    }
    recipes = {
        method: run.recipe
        for method in study.methods
        for run in study.runs_of(method)[:1]
        if run.recipe
    }
    notes = {method: plan.notes for method, plan in plans.items() if plan.notes}
    task_names = list(dict.fromkeys(task for task, _ in board.metrics))
    return {
        "study": study,
        "board": board,
        "is_synthetic": study.is_synthetic,
        "speech": (SYNTHETIC if study.is_synthetic else REAL).split(":", 1),
        "finding": finding,
        "sentences": sentences,
        "subtitle": _subtitle(study),
        "unfinished": [run for run in study.runs if not run.is_finished],
        "unscored": [run for run in study.runs if run.is_finished and not run.evaluations],
        "methods": provenance.method_table(study),
        "recipe_differences": provenance.recipe_table(study),
        "scores": _scores(study, board),
        "left_out": left_out(study, board.split),
        "score_figure": tables.score_figure(board),
        "failures": tables.failure_tables(board),
        "groups": tables.group_tables(board),
        "confusions": tables.confusion_tables(study, board),
        "plans": figures.plan_figures(plans, study.tasks),
        "plan_notes": notes,
        "curves": [
            figure
            for figure in (
                figures.loss_figure(study),
                figures.gradient_figure(study),
                figures.weight_figure(study),
            )
            if figure is not None
        ],
        "diagnosis": diagnosis_of(study),
        "examples": examples(study, board.split) if board.split else [],
        "method_inks": method_inks(study.methods),
        "task_inks": {ink.name: ink for ink in task_inks(task_names, study.tasks)},
        "task_title": partial(task_title, tasks=study.tasks),
        "recipes": recipes,
        "runs": provenance.run_table(study),
        "provenance": provenance.provenance_table(study),
        "parameters": provenance.parameter_table(study),
        "routers": provenance.router_table(study),
    }


def _scores(study: StudyRecord, board: Board) -> dict[str, Any]:
    """Return the score table and the one of the remaining metrics."""
    main, rest = tables.main_metrics(board), tables.other_metrics(board)
    return {
        "main": tables.score_table(board, main) if main else None,
        "profiles": tables.profile_table(study, board),
        "rest": tables.score_table(board, rest) if rest else None,
    }


def _subtitle(study: StudyRecord) -> str:
    """Say the size of a study in one line."""
    plan = next((run.plan for run in study.runs if run.plan is not None), None)
    parts = [_counted(len(study.methods), "schedule"), _counted(len(study.seeds), "seed")]
    if plan is not None:
        parts.append(f"{plan.num_steps:,} steps of {plan.batch_size} utterances")
    return " · ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _rendered(template: str, content: Mapping[str, Any]) -> str:
    return _environment().get_template(template).render(content)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("maqam.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _write(output: Path, text: str) -> Path:
    write_text(output, text, "the page")
    return output


def _strip(name: str, plan: Plan, colours: Mapping[str, str], y: float) -> Markup:
    marks = figures.stage_marks(plan)
    bins = edges(plan.num_steps, most=160, cuts=[mark.step for mark in marks])
    shares = plan.shares["task"]
    parts = binned_shares(shares.counts, bins)
    x = Scale(0, plan.num_steps, _LEFT, _WIDTH - 8)
    xs = np.array([x(float(edge)) for edge in bins])
    tops = np.cumsum(parts, axis=1)
    areas = [
        tag(
            "path",
            d=stairs(
                xs, y + _STRIP * (1 - tops[:, at]), y + _STRIP * (1 - tops[:, at] + parts[:, at])
            ),
            fill=colours[task],
        )
        for at, task in enumerate(shares.names)
        if parts[:, at].any()
    ]
    switches = [
        tag(
            "path",
            d=f"M{x(mark.step) - 6:.1f} {y - 10}h12l-6 9z",
            fill=_TEXT,
        )
        for mark in marks
        if mark.is_switch
    ]
    label = _text(name, _LEFT - 12, y + _STRIP / 2 + 5, "end", weight="600")
    return join([label, *areas, *switches])


def _legend(colours: Mapping[str, str]) -> Markup:
    parts, at = [], float(_LEFT)
    for task, colour in colours.items():
        parts.append(tag("rect", x=at, y=8, width=12, height=12, rx=2, fill=colour))
        parts.append(_text(task, at + 18, 19))
        at += 18 + 9 * len(task) + 26
    return join(parts)


def _text(
    text: str, x: float, y: float, anchor: str = "start", weight: str | None = None
) -> Markup:
    return tag("text", text, x=x, y=y, fill=_TEXT, text_anchor=anchor, font_weight=weight)
