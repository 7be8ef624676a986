"""`maqam diagnose`: why runs went as they did."""

from pathlib import Path
from typing import Annotated

import typer

from maqam.cli.data.manifests import known_split
from maqam.cli.report import Runs, Single, Start, runs_by_task


def diagnose(
    runs: Runs,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder to write to; the runs' own when absent."),
    ] = None,
    record_only: Annotated[
        bool, typer.Option("--record-only", help="Read what the runs recorded; load no model.")
    ] = False,
    single: Single = None,
    start: Start = None,
    rows_from: Annotated[
        str | None,
        typer.Option(
            callback=known_split,
            help="Split of the fixed rows; that of the recipe, diagnose.split, when absent.",
        ),
    ] = None,
    probes: Annotated[
        bool, typer.Option(help="Probe the layers for dialect, emotion and speaker.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Tell why runs went as they did: conflict, spikes, transfer, and what seeds alone do."""
    from maqam.cli import screen, tables_of_diagnosis
    from maqam.studies.comparison import References
    from maqam.studies.diagnosing import Diagnosing, diagnose_runs
    from maqam.studies.measuring import Measuring

    references = References(runs_by_task(single or []), start)
    asked = Diagnosing(record_only, output, references, measuring=Measuring(rows_from, probes))
    found = diagnose_runs(runs, asked, screen.progress_bar, screen.say)
    if as_json:
        screen.print_json(found)
    else:
        tables_of_diagnosis.print_diagnosis(found)
