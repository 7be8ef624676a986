"""What a report shows of why runs went as they did: what `maqam diagnose` left in their folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maqam.diagnose.conflict import UNTOLD, verdict_of
from maqam.diagnose.null import seed_null, values_of
from maqam.diagnose.record import ADAM, read_conflicts, tasks_of
from maqam.files import read_table
from maqam.report.charts import panel_width
from maqam.report.palette import method_inks
from maqam.report.parts import Cell, Figure, Panel, Table, row
from maqam.report.records import Run, StudyRecord
from maqam.report.why.matrices import matrix_picture
from maqam.run_layout import RunLayout

_MOST_PANELS = 6  # measures of a method that are drawn
_HINT = "diagnose the run again: maqam diagnose"

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a page shows of diagnoses.

    Attributes:
        notes: What was not measured, by run.
        signatures: Rules that hold, with their evidence; None where there are none.
        conflicts: Conflict between tasks over training, a figure a method.
        spikes: Spikes of all runs; None where there are none.
        probes: What probes read by layer, a figure a method.
        null: Differences between methods that lie beyond seeds, or all of one seed; None if none.
    """

    notes: Mapping[str, Sequence[str]]
    signatures: Table | None
    conflicts: Sequence[Figure]
    spikes: Table | None
    probes: Sequence[Figure]
    null: Table | None


def diagnosis_of(study: StudyRecord) -> Diagnosis | None:
    """Return what diagnoses of a study's runs found; None where no run was diagnosed.

    Raises:
        RunError: If a file is broken or of another format.
    """
    measured = {run.name: read_conflicts(RunLayout(run.folder).conflicts) for run in study.runs}
    found = {
        run.name: read_table(RunLayout(run.folder).diagnosis, _HINT)
        for run in study.runs
        if RunLayout(run.folder).diagnosis.is_file()
    }
    if not found and not any(measured.values()):
        return None
    firsts = [next(iter(study.runs_of(method)), None) for method in study.methods]
    runs = [run for run in firsts if run is not None]
    conflicts = [_conflict_figure(run, measured[run.name]) for run in runs if measured[run.name]]
    probes = [
        _probe_figure(run.method, found[run.name]["probes"]["after"])
        for run in runs
        if found.get(run.name, {}).get("probes")
    ]
    return Diagnosis(
        notes={name: one["notes"] for name, one in found.items() if one["notes"]},
        signatures=_signatures(study, found),
        conflicts=conflicts,
        spikes=_spikes(study, found),
        probes=probes,
        null=_null(found),
    )


def _conflict_figure(run: Run, lines: Sequence[Line]) -> Figure:
    """Draw the cosines of tasks at some measures of a run, the switch told."""
    at = np.unique(np.linspace(0, len(lines) - 1, _MOST_PANELS).round().astype(int))
    chosen = [lines[index] for index in at]
    switches = sorted(run.plan.switches) if run.plan is not None else []
    panels = []
    for line in chosen:
        table = tasks_of(line)
        names = table["names"]
        told = [
            [
                i != j and is_told(table["lows"][i][j], table["highs"][i][j])
                for j in range(len(names))
            ]
            for i in range(len(names))
        ]
        title = f"{run.method}, step {line['step']:,}"
        svg = matrix_picture(
            f"Cosines of gradients, {title}",
            (names, names),
            table["cosines"],
            told,
            panel_width(len(chosen)),
        )
        panels.append(Panel(title, _since_switch(line["step"], switches), svg))
    return Figure(
        title=f"Conflict between tasks: {run.method}",
        caption="Cosine of two tasks' gradients on fixed utterances without their noise, "
        f"{_metric_words(chosen[-1])}. Below 0, a step that helps one hurts the other; a frame: "
        "the 95 % interval leaves 0 out. A dash: the gradient is not told from noise.",
        legend=(),
        panels=panels,
        tables=[_pair_table(lines, switches)],
    )


def is_told(low: float | None, high: float | None) -> bool:
    """Tell whether an interval of a cosine leaves 0 out.

    Examples:
        >>> is_told(-0.4, -0.1), is_told(-0.1, 0.2), is_told(None, None)
        (True, False, False)
    """
    return verdict_of(low, high) != UNTOLD


def _metric_words(line: Line) -> str:
    return "as the optimiser weighs them" if ADAM in line["metrics"] else "in the plain metric"


def _since_switch(step: int, switches: Sequence[int]) -> str:
    """Say where a step lies to the switch of schedule."""
    past = [switch for switch in switches if switch <= step]
    if past:
        return f"after the switch at step {past[-1]:,}"
    return f"before the switch at step {switches[0]:,}" if switches else ""


def _pair_table(lines: Sequence[Line], switches: Sequence[int]) -> Table:
    """Return every two tasks by measures, each cosine with its interval."""
    names = list(dict.fromkeys(name for line in lines for name in tasks_of(line)["names"]))
    pairs = [(one, two) for at, one in enumerate(names) for two in names[at + 1 :]]
    head = row(
        "tasks",
        *(Cell(f"{line['step']:,}", _since_switch(line["step"], switches)) for line in lines),
    )
    body = [
        [Cell(f"{one} / {two}"), *(_cosine(line, one, two) for line in lines)] for one, two in pairs
    ]
    return Table("Cosine of every two tasks by step", [head], body)


def _cosine(line: Line, one: str, two: str) -> Cell:
    table = tasks_of(line)
    if one not in table["names"] or two not in table["names"]:
        return Cell("n/a", mark="missing")
    i, j = table["names"].index(one), table["names"].index(two)
    cosine, low, high = (table[name][i][j] for name in ("cosines", "lows", "highs"))
    if cosine is None:
        return Cell("–", "not told from noise")
    ends = "" if low is None or high is None else f"[{low:.2f}, {high:.2f}]"
    return Cell(f"{cosine:.2f}", ends, "warned" if is_told(low, high) and cosine < 0 else "")


def _signatures(study: StudyRecord, found: Mapping[str, Line]) -> Table | None:
    inks = method_inks(study.methods)
    rows = [
        [Cell(run.name, ink=inks[run.method]), Cell(one["rule"]), Cell(one["sentence"])]
        for run in study.runs
        for one in found.get(run.name, {}).get("signatures", ())
    ]
    return Table("", [row("run", "signature", "evidence")], rows) if rows else None


def _spikes(study: StudyRecord, found: Mapping[str, Line]) -> Table | None:
    inks = method_inks(study.methods)
    rows = [
        [
            Cell(run.name, ink=inks[run.method]),
            Cell(one["series"]),
            Cell(f"{one['onset']:,}", _after(one["after_switch"])),
            Cell(f"{one['size']:.1f}"),
            Cell(f"{one['duration']:,}"),
            Cell("never" if one["recovery"] is None else f"{one['recovery']:,}"),
        ]
        for run in study.runs
        for one in found.get(run.name, {}).get("volatility", {}).get("spikes", ())
    ]
    names = ("run", "of", "from step", "times the usual", "steps", "as usual after")
    return Table("", [row(*names)], rows) if rows else None


def _after(steps: int | None) -> str:
    return "" if steps is None else f"{steps:,} steps after a switch"


def _probe_figure(method: str, probes: Mapping[str, Any]) -> Figure:
    """Draw what probes read by layer, at the prompt's end and over the audio."""
    first = next(iter(probes.values()))["places"]
    panels = []
    for position in ("audio", "prompt"):
        places = [place for place in first if place == "aligner" or place.endswith(f", {position}")]
        names = [place.removesuffix(f", {position}").removeprefix("layer ") for place in places]
        values = [[one["places"][place]["macro_f1"] for place in places] for one in probes.values()]
        told = [
            [one["places"][place]["low"] > one["places"][place]["shuffled"] for place in places]
            for one in probes.values()
        ]
        where = "mean over the audio" if position == "audio" else "end of the prompt"
        svg = matrix_picture(
            f"Probes of {method}, {where}", ([*probes], names), values, told, panel_width(2)
        )
        panels.append(Panel(where, "layers of the LLM from left to right", svg))
    return Figure(
        title=f"What a linear probe reads: {method}",
        caption="Macro-F1 of a logistic regression on speakers it was not trained on (for the "
        "speaker itself: on other utterances). A frame: the 95 % interval lies above the probe of "
        "shuffled labels. What it reads from the aligner is the ceiling of a label task.",
        legend=(),
        panels=panels,
        tables=[_probe_table(probes)],
    )


def _probe_table(probes: Mapping[str, Any]) -> Table:
    places = [*next(iter(probes.values()))["places"]]
    heads = [
        Cell(name, f"{one['classes']} classes, {one['test']:,} utt.")
        for name, one in probes.items()
    ]
    rows = [
        [Cell(place), *(_probe_cell(one["places"][place]) for one in probes.values())]
        for place in places
    ]
    return Table(
        "Macro-F1 %, its interval, and that of shuffled labels", [[Cell("place"), *heads]], rows
    )


def _probe_cell(score: Mapping[str, float]) -> Cell:
    value, low, high, shuffled = (
        100 * score[name] for name in ("macro_f1", "low", "high", "shuffled")
    )
    return Cell(f"{value:.1f}", f"[{low:.1f}, {high:.1f}] shuffled {shuffled:.1f}")


def _null(found: Mapping[str, Line]) -> Table | None:
    """Return what differs between methods, the surest first."""
    rows = [one for one in seed_null(values_of(list(found.values()))) if one["p_value"] is not None]
    rows.sort(key=lambda one: float(one["p_corrected"]))
    body = [
        [
            Cell(one["measure"]),
            Cell(f"{one['method']} / {one['other']}"),
            Cell(" / ".join(f"{mean:.3g}" for mean in one["means"])),
            Cell(f"{one['between_seeds']:.3g}"),
            Cell(f"{one['p_corrected']:.2g}"),
            Cell(one["verdict"]),
        ]
        for one in rows
    ]
    names = ("measure", "methods", "means", "two seeds differ by", "p, corrected", "verdict")
    return Table("", [row(*names)], body) if body else None
