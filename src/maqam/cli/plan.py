"""`maqam plan`: compile a schedule to the rows of every step, and look at the result."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class _CompilesByDefault(TyperGroup):
    """`maqam plan RECIPE` compiles: a first word that is no subcommand is a recipe."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  vendored
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["compile", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_CompilesByDefault,
    no_args_is_help=True,
    help="Compile a recipe's schedule to a plan (maqam plan RECIPE), or show one.",
)


@app.command("compile")
def compile_plan(
    recipe: Annotated[Path, typer.Argument(help="Recipe in YAML.")],
    settings: Annotated[
        list[str] | None, typer.Argument(help="Settings on top of the recipe: key.sub=value.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the plan.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Write over a plan that exists.")] = False,
) -> None:
    """Compile the schedule of a recipe to the rows of every step."""
    from maqam.cli import screen
    from maqam.recipe import load_recipe
    from maqam.studies import pipeline

    resolved = load_recipe(recipe, settings or [])
    prepared = pipeline.prepare(resolved, screen.progress_bar)
    folder = output or resolved.folder / "plan"
    plan = pipeline.write_plan(resolved, prepared, folder, overwrite=force)
    for note in plan.notes:
        screen.say(note)
    screen.stdout.print(str(folder), markup=False)


@app.command("show")
def show(
    folder: Annotated[Path, typer.Argument(help="Folder of a plan, or of a run.")],
    picture: Annotated[
        Path | None, typer.Option("-o", "--output", help="HTML page with stacked areas to write.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Tell what each stage of a plan holds, by task and label; draw it with -o."""
    from maqam.cli import screen, tables
    from maqam.schedule import audit, load_plan

    source = folder / "plan" if (folder / "plan").is_dir() else folder
    plan = load_plan(source)
    if picture is not None:
        from maqam.report.page import write_plan_page

        screen.say(str(write_plan_page(plan, picture, name=str(plan.schedule["kind"]))))
    summary = audit.stage_table(plan)
    if as_json:
        screen.print_json({"fingerprint": plan.fingerprint, "notes": plan.notes, "rows": summary})
        return
    tables.print_plan(plan, summary)
