"""The tables of what was run: methods, recipes, runs, versions and fingerprints, parameters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from maqam.errors import RunError
from maqam.report.palette import method_inks
from maqam.report.parts import Cell, Table, row
from maqam.report.records import Run, StudyRecord
from maqam.report.tables import baseline_note
from maqam.run_layout import RunLayout
from maqam.schedule.schedules import schedule_defaults

_NO_VALUE = Cell("n/a", mark="missing")
_UNSET = "–"
_OWN = ("name", "seed", "schedule")


def method_table(study: StudyRecord) -> Table:
    """Return what each method is: its schedule, its stages and its runs."""
    inks = method_inks(study.methods)
    rows = []
    for method in study.methods:
        runs = study.runs_of(method)
        plan = next((run.plan for run in runs if run.plan is not None), None)
        finished = sum(run.is_finished for run in runs)
        kind = str(runs[0].facts.get("schedule", "")) if runs else ""
        rows.append(
            [
                Cell(
                    method, baseline_note(study.baseline, study.methods, method), ink=inks[method]
                ),
                Cell(describe_schedule(plan.schedule) if plan is not None else kind),
                Cell(f"{plan.num_steps:,} × {plan.batch_size}" if plan is not None else "n/a"),
                Cell(f"{finished} of {len(study.seeds)}"),
            ]
        )
    return Table("", [row("method", "schedule", "steps × batch", "runs finished")], rows)


def describe_schedule(table: Mapping[str, Any]) -> str:
    """Write the settings of a schedule that are not its defaults, in one line.

    Examples:
        >>> ads = {"kind": "ads", "axes": ["task", "label", "cluster"], "power": 0.5}
        >>> describe_schedule({"kind": "then", "first": {"kind": "tpc"}, "second": ads, "at": 0.4})
        'then(first = tpc, second = ads(power = 0.5), at = 0.4)'
    """
    kind = str(table.get("kind", ""))
    defaults = schedule_defaults(kind)
    settings = [
        f"{name} = {describe_schedule(value) if name in _PARTS else value}"
        for name, value in table.items()
        if name != "kind" and value is not None and value != defaults.get(name, ...)
    ]
    return f"{kind}({', '.join(settings)})" if settings else kind


_PARTS = ("first", "second", "base")  # of a schedule that are schedules


def recipe_table(study: StudyRecord) -> Table | None:
    """Return the settings beside the schedule in which recipes differ, None if there are none.

    Raises:
        RunError: If a recipe is not YAML.
    """
    inks = method_inks(study.methods)
    recipes = {
        method: _flat(_settings(runs[0]))
        for method in study.methods
        if (runs := study.runs_of(method)) and runs[0].recipe
    }
    keys = dict.fromkeys(key for recipe in recipes.values() for key in recipe)
    rows = []
    for key in keys:
        values = [recipe.get(key, _UNSET) for recipe in recipes.values()]
        if key.split(".")[0] not in _OWN and len(set(values)) > 1:
            rows.append([Cell(key), *(Cell(value) for value in values)])
    head = [row("setting", *(Cell(method, ink=inks[method]) for method in recipes))]
    return Table("", head, rows) if rows else None


def run_table(study: StudyRecord) -> Table:
    """Return every run of a study, missing ones included, with its state and its size."""
    inks = method_inks(study.methods)
    rows = []
    for run in study.runs:
        steps = run.steps
        seconds = float(np.nansum(steps.seconds))
        rows.append(
            [
                Cell(run.name, ink=inks[run.method]),
                Cell(run.state, mark="" if run.is_finished else "missing"),
                Cell(f"{steps.num_steps:,}"),
                Cell(f"{seconds / 60:,.1f}"),
                Cell(_print(run, "plan")),
            ]
        )
    rows += [
        [Cell(name), Cell("not started", mark="missing"), *(_NO_VALUE for _ in range(3))]
        for name in study.missing
    ]
    return Table("", [row("run", "state", "steps", "minutes in steps", "plan")], rows)


def provenance_table(study: StudyRecord) -> Table:
    """Return versions and fingerprints; what differs between runs is said so."""
    rows = []
    for group in ("versions", "fingerprints"):
        names = dict.fromkeys(name for run in study.runs for name in run.facts.get(group, {}))
        for name in names:
            if (group, name) == ("fingerprints", "plan"):
                continue
            values = {str(run.facts.get(group, {}).get(name)) for run in study.runs}
            is_same = len(values) == 1
            cell = Cell(
                values.pop()
                if is_same
                else f"{len(values)} different: {', '.join(sorted(values))}",
                mark="" if is_same else "missing",
            )
            rows.append([Cell(name, group.removesuffix("s")), cell])
    rows.append([Cell("seeds"), Cell(", ".join(str(seed) for seed in study.seeds))])
    return Table("", [row("what", "value, equal for all runs unless said")], rows)


def parameter_table(study: StudyRecord) -> Table | None:
    """Return the trainable parameters of each part of the model, by method where they differ."""
    inks = method_inks(study.methods)
    tables = {
        method: next(
            (run.facts["trainable"] for run in study.runs_of(method) if run.facts.get("trainable")),
            None,
        )
        for method in study.methods
    }
    known = {method: parts for method, parts in tables.items() if parts}
    if not known:
        return None
    alike = len({str(parts) for parts in known.values()}) == 1
    first = next(iter(known))
    rows = [
        [
            *([] if alike else [Cell(method, ink=inks[method])]),
            Cell(str(part["part"])),
            Cell(f"{int(part['parameters']):,}"),
            Cell(f"{int(part['trainable']):,}"),
        ]
        for method, parts in known.items()
        if not alike or method == first
        for part in parts
    ]
    head = row(*([] if alike else ["method"]), "part", "parameters", "trainable")
    return Table("", [head], rows)


def router_table(study: StudyRecord) -> Table | None:
    """Return how the routers of experts ended, by method; None where there are no experts.

    Each number is the median over the last tenth of a run's steps, averaged over seeds.
    """
    inks = method_inks(study.methods)
    rows = []
    for method in study.methods:
        ends = [run.steps.routers_at_end() for run in study.runs_of(method)]
        names = dict.fromkeys(name for end in ends for name in end)
        for name in names:
            values = [end[name] for end in ends if name in end]
            rows.append(
                [Cell(method, ink=inks[method]), Cell(name), Cell(f"{np.mean(values):.3f}")]
            )
    return Table("", [row("method", "of the routers", "at the end")], rows) if rows else None


def _settings(run: Run) -> Any:  # noqa: ANN401  YAML holds any plain value
    try:
        return YAML(typ="safe", pure=True).load(run.recipe) or {}
    except YAMLError as error:
        raise RunError(
            "the recipe of the run is not YAML",
            where=str(RunLayout(run.folder).recipe),
            hint="write it anew: maqam train",
        ) from error


def _flat(values: Any, prefix: str = "") -> dict[str, str]:  # noqa: ANN401  any plain value
    """Return a tree of settings as dotted keys and their text."""
    if not isinstance(values, Mapping):
        return {prefix: "null" if values is None else str(values)}
    found: dict[str, str] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def _print(run: Run, name: str) -> str:
    return str(run.facts.get("fingerprints", {}).get(name) or "n/a")[:12]
