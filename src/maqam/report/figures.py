"""The figures of a report, from runs to pictures with their tables."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from maqam.report.charts import (
    Curve,
    Mark,
    area_picture,
    bars_picture,
    line_picture,
    panel_width,
)
from maqam.report.curves import binned, binned_shares, edges
from maqam.report.palette import NO_LABEL, Ink, label_inks, method_inks, ramp_inks, task_inks
from maqam.report.parts import Cell, Figure, Panel, Table, row
from maqam.report.records import Run, StudyRecord
from maqam.report.svg import number
from maqam.schedule import Plan
from maqam.schedule.audit import groups_per_batch
from maqam.tasks import Tasks
from maqam.train.observers.steps import Steps

NUM_BINS = 60
NUM_RANK_BINS = 30
NUM_TABLE_BINS = 10
NUM_RANKS = 8
_NO_SHARE = "–"


def plan_figures(plans: Mapping[str, Plan], known: Tasks) -> list[Figure]:
    """Draw what the steps of each plan hold: tasks, labels and clusters.

    Args:
        plans: Plan by name; the first orders the clusters.
        known: The tasks that there are.
    """
    axes = dict.fromkeys(axis for plan in plans.values() for axis in plan.shares)
    return [_plan_figure(axis, plans, known) for axis in axes if _num_groups(axis, plans) > 1]


def loss_figure(study: StudyRecord) -> Figure | None:
    """Draw the loss of each task over the steps, a line a method."""
    inks = method_inks(study.methods)
    tasks = sorted({task for run in study.runs for task in run.steps.loss_by_task})

    def of_task(task: str) -> Callable[[Steps], np.ndarray]:
        return lambda steps: steps.loss_by_task.get(task, np.full(len(steps.step), np.nan))

    total, bins, fine = _spans(study.runs)
    if not total or not tasks:
        return None
    marks = _marks_of(study, inks)
    panels, columns = [], {}
    for task in tasks:
        curves = [
            _seed_curve(study.runs_of(m), inks[m], of_task(task), fine) for m in study.methods
        ]
        curves = [curve for curve in curves if np.isfinite(curve.middle).any()]
        svg = line_picture(
            f"Loss of {task} over the steps",
            fine,
            curves,
            marks,
            _range(curves),
            panel_width(len(tasks)),
        )
        panels.append(Panel(task, "loss per target token", svg))
        columns[task] = [
            _seed_curve(study.runs_of(m), inks[m], of_task(task), bins) for m in study.methods
        ]
    return Figure(
        title="Loss",
        caption="Mean loss of each task in bins of steps; the band spans the seeds. A gap: no "
        "utterance of the task was dealt."
        + (" A marked line: a hybrid switches its schedule." if marks else ""),
        legend=list(inks.values()),
        panels=panels,
        tables=[_curve_table(f"Loss of {task}", bins, columns[task]) for task in tasks],
    )


def gradient_figure(study: StudyRecord) -> Figure | None:
    """Draw the gradient norm over the steps, a panel a method on one scale."""
    inks = method_inks(study.methods)
    total, bins, fine = _spans(study.runs)
    if not total:
        return None

    def curve(method: str, over: np.ndarray) -> Curve:
        runs = study.runs_of(method)
        values = np.concatenate([run.steps.grad_norm for run in runs] or [np.zeros(0)])
        at = np.concatenate([run.steps.step - 1 for run in runs] or [np.zeros(0)])
        middle, low, high = (binned(values, at, over, kind) for kind in ("median", "low", "high"))
        return Curve(inks[method], middle, low, high)

    curves = {method: curve(method, fine) for method in study.methods if study.runs_of(method)}
    y_range = _range(list(curves.values()), may_be_log=True)
    panels = [
        Panel(
            method,
            "gradient norm before clipping" + (", log scale" if y_range[2] else ""),
            line_picture(
                f"Gradient norm of {method}",
                fine,
                [one],
                _marks_of(study, inks, only=method, stages=True),
                y_range,
                panel_width(len(curves)),
            ),
        )
        for method, one in curves.items()
    ]
    return Figure(
        title="Gradient norm",
        caption="The line is the median of a bin of steps, the band its smallest and largest: a "
        "tall band is a volatile stretch. Thin lines: stages; marked line: the switch.",
        legend=(),
        panels=panels,
        tables=[
            _curve_table("Median gradient norm", bins, [curve(method, bins) for method in curves])
        ],
    )


def weight_figure(study: StudyRecord) -> Figure | None:
    """Draw the share of each task in the utterances beside its share in the target tokens."""
    tasks = sorted({task for run in study.runs for task in run.steps.utterances_by_task})
    colours = method_inks(study.methods)
    bars: dict[str, list[tuple[str, np.ndarray]]] = {"utterances": [], "target tokens": []}
    rows = []
    for method in study.methods:
        steps = [run.steps for run in study.runs_of(method) if run.steps.num_steps]
        if not steps:
            continue
        counts = {
            "utterances": [one.utterances_by_task for one in steps],
            "target tokens": [one.target_tokens_by_task for one in steps],
        }
        for name, parts in counts.items():
            shares = _task_shares(parts, tasks)
            bars[name].append((method, shares))
            cells = [Cell(_percent(share)) for share in shares]
            rows.append([Cell(method, ink=colours[method]), Cell(name), *cells])
    if not rows:
        return None
    inks = task_inks(tasks, study.tasks)
    panels = [
        Panel(
            f"Share of {name}",
            "",
            bars_picture(f"Tasks by share of {name}", given, inks, panel_width(len(bars))),
        )
        for name, given in bars.items()
    ]
    head = [row("method", "share of", *(Cell(ink.name, ink=ink) for ink in inks))]
    return Figure(
        title="What was heard, and what was learnt from",
        caption="Targets of a summary are longer than those of a label: a balanced mixture of "
        "utterances is not a balanced mixture of gradients. Under token normalisation the "
        "share of target tokens is each task's weight in the loss.",
        legend=inks,
        panels=panels,
        tables=[Table("Shares of the steps taken so far, all seeds", head, rows)],
    )


def stage_marks(plan: Plan) -> list[Mark]:
    """Return the changes of rule inside a plan."""
    switches = set(plan.switches)
    return [
        Mark(step, name, is_switch=step in switches)
        for step, name in plan.stages
        if 0 < step < plan.num_steps
    ]


def _plan_figure(axis: str, plans: Mapping[str, Plan], known: Tasks) -> Figure:
    order = _group_order(axis, plans, known)
    inks = _axis_inks(axis, [names for names, _ in order], known)
    panels, tables = [], []
    shown = {name: plan for name, plan in plans.items() if axis in plan.shares}
    most = NUM_RANK_BINS if axis == "cluster" else NUM_BINS
    for name, plan in shown.items():
        marks = stage_marks(plan)
        cuts = [mark.step for mark in marks]
        counts = _grouped(plan, axis, order)
        fine = edges(plan.num_steps, most=most, cuts=cuts)
        svg = area_picture(
            f"{name}: share of each {axis} over the steps",
            fine,
            binned_shares(counts, fine),
            inks,
            marks,
            panel_width(len(shown)),
        )
        panels.append(Panel(name, _plan_note(plan, axis), svg))
        bins = edges(plan.num_steps, most=NUM_TABLE_BINS, cuts=cuts)
        tables.append(_share_table(name, bins, binned_shares(counts, bins), inks))
    return Figure(
        title={"task": "Tasks", "label": "Labels", "cluster": "Clusters"}.get(axis, axis),
        caption=_plan_caption(axis, order),
        legend=inks,
        panels=panels,
        tables=tables,
    )


def _plan_caption(axis: str, order: Sequence[tuple[str, Sequence[str]]]) -> str:
    first = next(iter(order))
    if axis == "task":
        return (
            "Share of each task in the global batches, over the steps. Thin lines: stages; "
            "marked line: the switch of a hybrid."
        )
    if len(first[1]) > 1:
        total = sum(len(names) for _, names in order)
        return (
            f"Share of {total} clusters of aligner embeddings, in {len(order)} groups by how often "
            "the first schedule deals them: the strongest colour holds the largest."
        )
    return f"Share of each {axis} in the global batches, over the steps."


def _num_groups(axis: str, plans: Mapping[str, Plan]) -> int:
    return max(len(plan.shares[axis].names) for plan in plans.values() if axis in plan.shares)


def _group_order(axis: str, plans: Mapping[str, Plan], known: Tasks) -> list[tuple[str, list[str]]]:
    """Return the bands of an axis: each a title and the groups that it holds."""
    totals: dict[str, int] = {}
    for plan in plans.values():
        shares = plan.shares.get(axis)
        if shares is None:
            continue
        for name, total in zip(shares.names, shares.counts.sum(axis=0).tolist(), strict=True):
            totals.setdefault(name, total)
    if axis == "label":
        labels = [label for task in known.values() for label in task.labels]
        totals = {name: totals[name] for name in [NO_LABEL, *labels, *totals] if name in totals}
    if axis != "cluster" or len(totals) <= NUM_RANKS:
        return [(name, [name]) for name in totals]
    names = sorted(totals, key=lambda name: -totals[name])
    parts = np.array_split(np.arange(len(names)), NUM_RANKS)
    return [
        (f"clusters {part[0] + 1}–{part[-1] + 1}", [names[at] for at in part]) for part in parts
    ]


def _grouped(plan: Plan, axis: str, order: Sequence[tuple[str, Sequence[str]]]) -> np.ndarray:
    shares = plan.shares[axis]
    at = {name: index for index, name in enumerate(shares.names)}
    columns = [
        shares.counts[:, [at[name] for name in names if name in at]].sum(axis=1)
        for _, names in order
    ]
    return np.stack(columns, axis=1)


def _axis_inks(axis: str, names: Sequence[str], known: Tasks) -> list[Ink]:
    if axis == "task":
        return task_inks(names, known)
    return ramp_inks(names) if axis == "cluster" else label_inks(names, known)


def _plan_note(plan: Plan, axis: str) -> str:
    if axis == "cluster":
        mean, _ = groups_per_batch(plan, axis)
        return f"{mean:.1f} of {len(plan.shares[axis].names)} clusters in a batch"
    return " → ".join(name for _, name in plan.stages)


def _share_table(name: str, bins: np.ndarray, shares: np.ndarray, inks: Sequence[Ink]) -> Table:
    head = [row("steps", *(Cell(ink.name, ink=ink) for ink in inks))]
    rows = [
        [Cell(_span(bins, index)), *(Cell(_percent(share)) for share in shares[index])]
        for index in range(len(shares))
    ]
    return Table(name, head, rows)


def _curve_table(caption: str, bins: np.ndarray, curves: Sequence[Curve]) -> Table:
    head = [row("steps", *(Cell(curve.ink.name, ink=curve.ink) for curve in curves))]
    rows = [
        [
            Cell(_span(bins, index)),
            *(Cell(number(float(curve.middle[index])) or _NO_SHARE) for curve in curves),
        ]
        for index in range(len(bins) - 1)
    ]
    return Table(caption, head, rows)


def _seed_curve(
    runs: Sequence[Run], ink: Ink, values: Callable[[Steps], np.ndarray], bins: np.ndarray
) -> Curve:
    """Return the mean over seeds of the binned means, with the seeds' span as its band."""
    nothing = np.full((1, len(bins) - 1), np.nan)
    rows = [binned(values(run.steps), run.steps.step - 1, bins, "mean") for run in runs]
    stacked = np.stack(rows) if rows else nothing
    known = np.isfinite(stacked)
    counts = known.sum(axis=0)
    sums = np.where(known, stacked, 0.0).sum(axis=0)
    middle = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    low = np.where(known, stacked, np.inf).min(axis=0)
    high = np.where(known, stacked, -np.inf).max(axis=0)
    return Curve(ink, middle, np.where(counts > 0, low, np.nan), np.where(counts > 0, high, np.nan))


def _marks_of(
    study: StudyRecord, inks: Mapping[str, Ink], *, only: str | None = None, stages: bool = False
) -> list[Mark]:
    """Return the switches of each method, with its stages where asked."""
    found = []
    for method in study.methods if only is None else (only,):
        plan = next((run.plan for run in study.runs_of(method) if run.plan is not None), None)
        for mark in stage_marks(plan) if plan is not None else ():
            if mark.is_switch or stages:
                text = f"{method}: {mark.text}"
                found.append(Mark(mark.step, text, inks[method], is_switch=mark.is_switch))
    return found


def _spans(runs: Sequence[Run]) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the steps of the longest run, and their bins for tables and for pictures."""
    planned = [run.plan.num_steps for run in runs if run.plan is not None]
    taken = [run.steps.num_steps for run in runs]
    total = max([*planned, *taken], default=0) if any(taken) else 0
    cuts = sorted({step for run in runs if run.plan is not None for step in run.plan.switches})
    if not total:
        return 0, np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    return (
        total,
        edges(total, most=NUM_TABLE_BINS, cuts=cuts),
        edges(total, most=min(NUM_BINS, max(20, total // 5)), cuts=cuts),
    )


def _range(curves: Sequence[Curve], *, may_be_log: bool = False) -> tuple[float, float, bool]:
    """Return the range of an axis that shows curves and bands whole."""
    parts = [part for curve in curves for part in (curve.low, curve.high)]
    values = np.concatenate([*parts, np.zeros(0)])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0, False
    low, high = float(values.min()), float(values.max())
    if may_be_log and low > 0 and high / low > 20:
        return low / 1.1, high * 1.1, True
    return 0.0, high * 1.04 or 1.0, False


def _task_shares(parts: Sequence[Mapping[str, np.ndarray]], tasks: Sequence[str]) -> np.ndarray:
    sums = np.array(
        [sum(float(np.nansum(part[task])) for part in parts if task in part) for task in tasks]
    )
    total = sums.sum()
    shares: np.ndarray = sums / total if total else sums
    return shares


def _span(bins: np.ndarray, index: int) -> str:
    first, last = int(bins[index]) + 1, int(bins[index + 1])
    return f"{first:,}" if first == last else f"{first:,}–{last:,}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share > 0 else _NO_SHARE
