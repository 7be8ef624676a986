"""`maqam pocket`: build the small audio LLM that ships with the package."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The pocket audio LLM: build it and read its card.")


@app.command("build")
def build(
    output: Annotated[Path, typer.Option("-o", "--output", help="Checkpoint folder.")],
    work: Annotated[Path, typer.Option(help="Corpus and run folder.")] = Path("runs/pocket"),
    settings: Annotated[
        list[str] | None, typer.Argument(help="Settings on top of the recipe: key.sub=value.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last whole checkpoint.")] = False,
) -> None:
    """Train the pocket backbone from random weights on the embedded synthetic corpus."""
    from maqam.cli import screen
    from maqam.pocket import build as pocket

    card = pocket.build(output, work, screen.progress_bar, overrides=settings or [], resume=resume)
    screen.stdout.print(str(card), markup=False)


@app.command("card")
def card() -> None:
    """Print how the shipped pocket weights were made and what they score."""
    from maqam.cli import screen
    from maqam.models.checkpoint import pocket_path

    screen.stdout.print((pocket_path() / "README.md").read_text(encoding="utf-8"), markup=False)
