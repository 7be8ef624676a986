"""`maqam model families`: which audio LLMs are trained."""

from typing import Annotated

import typer


def families(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Write the page of the documentation.")
    ] = False,
) -> None:
    """List the families of audio LLMs, by the name that `model.kind` takes."""
    from maqam.cli import screen
    from maqam.models.checkpoint import family_limits
    from maqam.models.families import FAMILIES
    from maqam.models.families.page import families_page

    if markdown:
        screen.stdout.out(families_page(), end="", highlight=False)
        return
    rows = [
        (
            one.kind,
            one.hub_id,
            f"{one.front_end.tokens_per_second:.3g}",
            f"{family_limits(one).max_seconds:.0f}",
        )
        for one in FAMILIES.values()
    ]
    columns = ("kind", "for example", "tokens a second", "longest, s")
    screen.print_table("", columns, rows)
