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


def _session(recipe: Any) -> Any:  # noqa: ANN401  typed where it is imported
    """Return the session of a recipe: with a model only where its schedule needs clusters."""
    from maqam.cli import screen
    from maqam.runs import planning

    if not planning.needs_features(recipe):
        return planning.PlanningSession(recipe, screen.progress_bar, screen.say)
    from maqam.runs.session import Session

    return Session(recipe, screen.progress_bar, screen.say)


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
    force: Annotated[bool, typer.Option(help="Overwrite an existing plan.")] = False,
) -> None:
    """Compile the schedule of a recipe to the rows of every step."""
    from maqam.cli import screen
    from maqam.recipe import load_recipe
    from maqam.run_layout import RunLayout
    from maqam.runs import plans

    resolved = load_recipe(recipe, settings or [])
    folder = output or RunLayout(resolved.folder).plan.folder
    session = _session(resolved)
    plan = plans.write_plan(session, folder, overwrite=force)
    for note in plan.notes:
        if note not in session.left_out_note():  # which was said when the rows were found
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
    """Print what a plan holds of each task and label: shares, epochs, repeats, part of the loss."""
    from maqam.cli import screen, tables
    from maqam.run_layout import PlanLayout
    from maqam.schedule import audit, load_plan

    plan = load_plan(PlanLayout.of(folder).folder)
    if picture is not None:
        from maqam.report.page import write_plan_page
        from maqam.tasks import tasks_in

        name, tasks = str(plan.schedule["kind"]), tasks_in(PlanLayout.of(folder).folder)
        screen.say(str(write_plan_page(plan, picture, name=name, tasks=tasks)))
    summary = audit.stage_table(plan)
    if as_json:
        losses = {name: audit.loss_shares(plan, name) for name in ("token", "utterance", "task")}
        clusters = audit.epochs_of(plan, "cluster")
        about = {"fingerprint": plan.fingerprint, "notes": plan.notes, "loss_shares": losses}
        screen.print_json({**about, "clusters": clusters, "rows": summary})
        return
    tables.print_plan(plan, summary)


@app.command("diff")
def diff(
    first: Annotated[Path, typer.Argument(help="Folder of a plan, or of a run.")],
    second: Annotated[Path, typer.Argument(help="Folder of another plan or run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Print where two plans differ: settings, steps, rows, shares of groups."""
    from dataclasses import asdict

    from maqam.cli import screen, tables
    from maqam.run_layout import PlanLayout
    from maqam.schedule import load_plan
    from maqam.schedule.difference import difference

    found = difference(
        load_plan(PlanLayout.of(first).folder), load_plan(PlanLayout.of(second).folder)
    )
    if as_json:
        screen.print_json(asdict(found))
        return
    tables.print_difference(found)


@app.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder of a plan, or of a run.")],
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe it was compiled from, where none lies beside it.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Training log, train.jsonl; the run's own by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check a plan against its data, schedule and training log; exit code 1 if it fails."""
    from dataclasses import asdict

    from maqam.cli import screen
    from maqam.runs import plans

    session = _session(plans.plan_recipe(folder, recipe))
    checked, findings = plans.verify(folder, session, log=log)
    if as_json:
        screen.print_json({"checked": checked, "findings": [asdict(one) for one in findings]})
    else:
        for one in findings:
            screen.stdout.print(": ".join(filter(None, (one.problem, one.where))), markup=False)
        if not findings:
            screen.stdout.print(f"the plan holds: {', '.join(checked)}", markup=False)
    if findings:
        raise typer.Exit(1)


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Folder of a plan, or of a run.")],
    to: Annotated[str, typer.Option(help="ms-swift, llamafactory, hf-datasets or jsonl.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the export.")],
    model: Annotated[
        str | None,
        typer.Option(help="Hub id or folder of the audio LLM that is trained; its files name it."),
    ] = None,
    world_size: Annotated[int, typer.Option(help="Processes that share a global batch.")] = 1,
    micro_batch_size: Annotated[
        int, typer.Option(help="Utterances of a forward pass on one process.")
    ] = 1,
    loss_weight: Annotated[
        list[str] | None, typer.Option(help="Loss weight of a task, task=factor; repeatable.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="LLaMA-Factory's name of the model's prompt.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Recipe of the plan, where none lies beside it.")
    ] = None,
    tags: Annotated[
        str,
        typer.Option(
            help="Rows whose texts hold a tag or a special token: refuse, or escape by a space."
        ),
    ] = "refuse",
    force: Annotated[bool, typer.Option(help="Overwrite an existing export.")] = False,
) -> None:
    """Write a plan's rows in order for another trainer, with the command that keeps the order."""
    from maqam.cli import screen
    from maqam.errors import ConfigError, first_few
    from maqam.export.export import ExportSettings, export_plan, not_kept, read_meta
    from maqam.export.parts import DEFAULT_MODEL
    from maqam.run_layout import PlanLayout
    from maqam.runs import plans
    from maqam.runs.planning import PlanningSession
    from maqam.schedule import load_plan

    try:
        settings = ExportSettings(
            model=model or DEFAULT_MODEL,
            world_size=world_size,
            micro_batch_size=micro_batch_size,
            loss_weights=_weights(loss_weight or []),
            template=template,
            tags=tags,
            overwrite=force,
        )
    except ValueError as error:
        raise ConfigError(str(error), where="maqam plan export") from error
    plan = load_plan(PlanLayout.of(folder).folder)
    manifest = PlanningSession(plans.plan_recipe(folder, recipe), screen.progress_bar).manifest
    with screen.progress_bar("write the steps") as progress:
        made = export_plan(plan, manifest, output, target=to, settings=settings, progress=progress)
    for one in not_kept(plan):
        screen.say(f"{one}, which {to} does not do; the order of the rows is kept")
    escaped = read_meta(made)["escaped"]
    if escaped["count"]:
        named = first_few(escaped["ids"])
        screen.say(f"{escaped['count']} rows hold tags, written with a space in them: {named}")
    screen.stdout.print(str(made), markup=False)


def _weights(given: list[str]) -> dict[str, float]:
    """Read `task=factor` pairs."""
    from maqam.errors import ConfigError

    weights = {}
    for one in given:
        task, _, factor = one.partition("=")
        try:
            weights[task] = float(factor)
        except ValueError as error:
            raise ConfigError(
                f"{one!r} is no weight", where="--loss-weight", hint="write task=factor, as did=4"
            ) from error
    return weights
