"""`maqam study` and `maqam demo`, a study that is embedded: runs that differ in one thing."""

from pathlib import Path
from typing import Annotated

import typer


def study(
    file: Annotated[Path, typer.Argument(help="Study in YAML.")],
    settings: Annotated[
        list[str] | None, typer.Argument(help="Settings on top of the study: key.sub=value.")
    ] = None,
    power: Annotated[
        bool,
        typer.Option(
            "--power", help="Train nothing: tell from finished runs how many seeds show what."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train, score and compare every method and seed of a study; finished runs are kept."""
    from maqam.cli import screen, tables
    from maqam.studies import grid, runner
    from maqam.studies.power import power_of

    resolved = grid.load_study(file, settings or [])
    if power:
        rows = power_of(resolved)
        if as_json:
            screen.print_json(rows)
        else:
            tables.print_power(rows)
        return
    outcome = runner.run_study(resolved, screen.progress_bar, screen.say)
    if as_json:
        screen.print_json(outcome.comparison)
        return
    tables.print_comparison(outcome.comparison)
    screen.stdout.print(str(outcome.report), markup=False)


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the study.")] = Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option(help="Seed of corpus order, plans and adapters.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Argument(help="Settings on top of the demo: key.sub=value.")
    ] = None,
) -> None:
    """Train an audio LLM under four data schedules on synthetic Arabic speech and compare them."""
    from maqam.cli import screen, tables
    from maqam.studies import demo as job
    from maqam.studies import runner

    resolved = job.demo_study(output, seed, settings or [])
    screen.say(job.WHAT_HAPPENS)
    outcome = runner.run_study(resolved, screen.progress_bar, screen.say)
    tables.print_comparison(outcome.comparison)
    screen.say(
        "\nThe speech is synthetic: figures show direction, not what real speech would give."
    )
    screen.stdout.print(f"report: {outcome.report}", markup=False)
