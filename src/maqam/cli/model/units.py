"""`maqam model units`: an audio LLM that hears discrete units."""

from pathlib import Path
from typing import Annotated

import typer

from maqam.cli.model.compose import Dtype, Encoder, Force, Llm, Output


def units(
    encoder: Encoder,
    llm: Llm,
    layer: Annotated[int, typer.Option(help="Layer of the encoder, from 1.")],
    output: Output,
    num_units: Annotated[int, typer.Option(help="Units, each a new token of the LLM.")] = 500,
    manifest: Annotated[
        Path | None, typer.Option(help="Audio to cluster; the embedded corpus without it.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split of it.")] = "train",
    dtype: Dtype = None,
    seed: Annotated[int, typer.Option(help="Seed of clusters and tokens.")] = 0,
    force: Force = False,
) -> None:
    """Put a model of discrete units together: encoder frames clustered, each unit a token."""
    from maqam.cli import screen
    from maqam.features.units import make_units
    from maqam.models.units.make import UnitComposition, UnitParts
    from maqam.recipe import validate
    from maqam.runs.planning import PlanningSession

    composition = UnitComposition(encoder, llm, layer, num_units, dtype and dtype.value, seed)
    parts = UnitParts(composition, output, overwrite=force)
    data = {"manifest": str(manifest)} if manifest else {}
    session = PlanningSession(
        validate({"name": "units", "data": data}, where="maqam model units"),
        screen.progress_bar,
        screen.say,
    )
    with screen.progress_bar("hear the audio (frames)") as progress:
        found = make_units(parts, session.manifest, split=split, progress=progress)
    rows = {
        "rows heard": found.num_rows,
        "seconds": round(found.seconds, 1),
        "frames clustered": found.num_frames,
        "units": found.codebook.num_units,
        "perplexity of the units": round(found.perplexity, 1),
        "units a second, runs merged": round(found.tokens_per_second, 2),
    }
    screen.print_table("units", ("quantity", "value"), list(rows.items()))
    screen.stdout.print(str(output), markup=False)
