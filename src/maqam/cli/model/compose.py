"""`maqam model compose`: an audio LLM from an encoder and an LLM."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Audio LLMs: listed, put together, exported.")


class Projector(StrEnum):
    """Layers of an aligner."""

    linear = "linear"
    mlp = "mlp"


class NumberFormat(StrEnum):
    """Number formats of weights."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


Encoder = Annotated[str, typer.Option(help="Folder or hub id of a Whisper.")]
Llm = Annotated[str, typer.Option(help="Folder or hub id of a causal LLM.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Checkpoint folder.")]
Dtype = Annotated[
    NumberFormat | None, typer.Option(help="Of the LLM's weights; its own without it.")
]
Force = Annotated[bool, typer.Option(help="Write over what is there.")]


@app.command("compose")
def compose(
    encoder: Encoder,
    llm: Llm,
    output: Output,
    stack: Annotated[
        int, typer.Option(help="Encoder outputs, of 20 ms each, that become an audio token.")
    ] = 2,
    projector: Annotated[Projector, typer.Option(help="Aligner.")] = Projector.linear,
    dtype: Dtype = None,
    seed: Annotated[int, typer.Option(help="Seed of the aligner.")] = 0,
    force: Force = False,
) -> None:
    """Put an audio LLM together: the encoder of a Whisper, a new aligner, a causal LLM."""
    from maqam.cli import screen
    from maqam.models.composed.compose import Composition, compose

    found = compose(
        Composition(encoder, llm, stack, projector.value, dtype and dtype.value, seed),
        output,
        overwrite=force,
    )
    for note in found.notes:
        screen.stderr.print(f"note: {note}", markup=False)
    counts = ", ".join(
        f"{part} {count / 1e6:.1f} M" for part, count in found.num_parameters.items()
    )
    screen.stdout.print(f"{found.form.architecture}: {counts}", markup=False)
    screen.stdout.print(str(found.folder), markup=False)
