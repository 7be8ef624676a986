"""`maqam study`: runs that differ in one thing, compared."""

from pathlib import Path
from typing import Annotated

import typer


def study(
    file: Annotated[Path, typer.Argument(help="Study in YAML.")],
    settings: Annotated[
        list[str] | None, typer.Argument(help="Settings on top of the study: key.sub=value.")
    ] = None,
) -> None:
    """Train, score and compare every method and seed of a study; finished runs are kept."""
    from maqam.cli import screen, tables
    from maqam.studies import grid, runner

    resolved = grid.load_study(file, settings or [])
    outcome = runner.run_study(resolved, screen.progress_bar, screen.say)
    tables.print_comparison(outcome.comparison)
    screen.stdout.print(str(outcome.report), markup=False)
