"""`maqam report` and `maqam compare`: read finished runs."""

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[list[Path], typer.Argument(help="Run folders, or one study folder.")]
Single = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TASK=RUN", help="A run trained on one task alone, for negative transfer."
    ),
]
Start = Annotated[Path | None, typer.Option(help="Run that the others began with, for forgetting.")]


def report(
    runs: Runs,
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file to write.")] = Path(
        "report.html"
    ),
    overlap: Annotated[
        Path | None, typer.Option(help="Output of maqam data overlap --json, to show its verdict.")
    ] = None,
) -> None:
    """Write one self-contained HTML page about runs or a study."""
    from maqam.cli import screen
    from maqam.report.page import write_report

    screen.stdout.print(str(write_report(runs, output, overlap=overlap)), markup=False)


def compare(
    runs: Runs,
    baseline: Annotated[
        str | None, typer.Option(help="Method the others are compared with; the first by default.")
    ] = None,
    checkpoints: Annotated[
        bool,
        typer.Option(
            "--checkpoints", help="Compare these models over test items, not methods over seeds."
        ),
    ] = False,
    single: Single = None,
    start: Start = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare methods over paired seeds, with intervals; no winner is named from one seed."""
    from maqam.cli import screen, tables
    from maqam.studies.comparison import References, compare_run_checkpoints, compare_runs

    if checkpoints and (single or start):
        raise typer.BadParameter("--single and --start compare methods, not --checkpoints")
    if checkpoints:
        comparison = compare_run_checkpoints(runs, baseline)
    else:
        references = References(runs_by_task(single or []), start)
        comparison = compare_runs(runs, baseline, references=references)
    if as_json:
        screen.print_json(comparison)
    elif checkpoints:
        tables.print_checkpoints(comparison)
    else:
        tables.print_comparison(comparison)


def runs_by_task(single: list[str]) -> dict[str, list[Path]]:
    """Read TASK=RUN options.

    Raises:
        ConfigError: If one is written otherwise, or there is no such task.
    """
    from maqam.errors import ConfigError
    from maqam.tasks import tasks_in

    found: dict[str, list[Path]] = {}
    for text in single:
        task, _, run = text.partition("=")
        tasks = tasks_in(Path(run))
        if task not in tasks or not run:
            raise ConfigError(
                f"{text!r} is not TASK=RUN", where="--single", hint=f"tasks are {', '.join(tasks)}"
            )
        found.setdefault(task, []).append(Path(run))
    return found
