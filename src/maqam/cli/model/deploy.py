"""`maqam model export`: what a run trained, for other tools."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="Folder of a finished run.")]


class Audience(StrEnum):
    """For whom a model is written."""

    hf = "hf"
    vllm = "vllm"
    peft = "peft"


def export(
    run: Run,
    to: Annotated[
        Audience,
        typer.Option(
            help="hf: merged weights; vllm: of a class that vLLM registers; peft: the adapter by "
            "the names of each tool."
        ),
    ] = Audience.hf,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder it goes into; RUN/export/hf and so on."),
    ] = None,
    task: Annotated[str | None, typer.Option(help="Of adapters by task, whose.")] = None,
    average: Annotated[
        bool, typer.Option("--average", help="The mean of the adapters of all tasks.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over what is there.")] = False,
) -> None:
    """Write what a run trained for other tools: merged weights, or its adapter."""
    from maqam.cli import screen
    from maqam.deploy.export import ExportChoice, export_run

    place = output or run / "export" / to.value
    for note in export_run(run, place, ExportChoice(to.value, task, average, force)):
        screen.stderr.print(f"note: {note}", markup=False)
    screen.stdout.print(str(place), markup=False)
