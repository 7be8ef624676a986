"""`maqam features`, `maqam train` and `maqam eval`: the stages of one run."""

from pathlib import Path
from typing import Annotated

import typer

from maqam.cli.data.manifests import known_split

RecipeFile = Annotated[Path, typer.Argument(help="Recipe in YAML.")]
Settings = Annotated[
    list[str] | None, typer.Argument(help="Settings on top of the recipe: key.sub=value.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def features(recipe: RecipeFile, settings: Settings = None, as_json: AsJson = False) -> None:
    """Store the aligner outputs of a recipe's data and cluster their means."""
    from maqam.cli import screen
    from maqam.recipe import load_recipe
    from maqam.runs.session import Session

    resolved = load_recipe(recipe, settings or [])
    summary = Session(resolved, screen.progress_bar, screen.say).describe_features()
    if as_json:
        screen.print_json(summary)
    else:
        screen.print_table("features", ("quantity", "value"), list(summary.items()))


def train(
    recipe: RecipeFile,
    settings: Settings = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last whole checkpoint.")] = False,
    extend: Annotated[
        int | None, typer.Option(help="Steps to add to the finished run.", metavar="STEPS")
    ] = None,
) -> None:
    """Train one run: the plan is compiled (or found) and followed."""
    from maqam.cli import screen
    from maqam.recipe import load_recipe
    from maqam.runs import stages
    from maqam.runs.session import Session

    resolved = load_recipe(recipe, settings or [])
    session = Session(resolved, screen.progress_bar, screen.say)
    result = stages.train(session, resume=resume, extend=extend)
    screen.print_table(
        "trainable parameters",
        ("part", "parameters", "trainable"),
        [(row["part"], f"{row['parameters']:,}", f"{row['trainable']:,}") for row in result.parts],
    )
    for note in result.notes:
        screen.say(note)
    screen.stdout.print(str(resolved.folder), markup=False)


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    split: Annotated[
        str, typer.Option(callback=known_split, help="Split to decode: train, dev or test.")
    ] = "test",
    task: Annotated[
        list[str] | None, typer.Option(help="Task to decode, as often as needed; all by default.")
    ] = None,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Score the stored hypotheses; no model is loaded.")
    ] = False,
    profile: Annotated[
        str | None, typer.Option(help="Normalizer profile to rescore by; else the recipe's.")
    ] = None,
    batch_check: Annotated[
        bool,
        typer.Option(
            "--batch-check",
            help="Decode 32 utterances one by one and in batches, and print what differs.",
        ),
    ] = False,
    bertscore: Annotated[
        Path | None,
        typer.Option(help="Folder of a text encoder: BERTScore of the stored summaries by it."),
    ] = None,
    bertscore_layer: Annotated[
        int | None, typer.Option(help="Hidden layer BERTScore compares; the last by default.")
    ] = None,
    base: Annotated[
        bool,
        typer.Option("--base", help="Score the model as it was before training, beside the run."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Decode a split with a run's adapter and score it, per task and per dialect."""
    from maqam.cli import screen, tables

    if profile is not None and not rescore:
        raise typer.BadParameter("--profile goes with --rescore; a recipe sets score.profile")
    if sum((rescore, batch_check, bertscore is not None, base)) > 1:
        raise typer.BadParameter(
            "--rescore, --batch-check, --bertscore and --base are one or the other"
        )
    if task and (rescore or batch_check or bertscore is not None or base):
        raise typer.BadParameter("--task chooses what is decoded: it goes with --split alone")
    if batch_check:
        _check_batches(run, split, as_json=as_json)
        return
    if bertscore is not None:
        _score_meaning(run, split, bertscore, bertscore_layer, as_json=as_json)
        return
    if rescore:
        from maqam.runs.rescoring import rescore_run

        scores, file = rescore_run(run, split=split, profile=profile)
        screen.say(str(file))
    else:
        from maqam.run_layout import RunLayout
        from maqam.runs import stages
        from maqam.runs.folders import recipe_from_here
        from maqam.runs.session import Session

        session = Session(recipe_from_here(run), screen.progress_bar, screen.say)
        if base:
            scores = stages.evaluate_start(session, RunLayout(run).start, split=split)
        else:
            scores = stages.evaluate(session, run, split=split, tasks=task or [])
    if as_json:
        screen.print_json(scores)
    else:
        tables.print_scores(scores)


def _score_meaning(
    run: Path, split: str, encoder: Path, layer: int | None, *, as_json: bool
) -> None:
    from maqam.cli import screen
    from maqam.runs.bertscore import score_run_meaning

    record, file = score_run_meaning(run, encoder, screen.progress_bar, layer=layer, split=split)
    screen.say(str(file))
    if as_json:
        screen.print_json(record)
        return
    rows = []
    for task, found in record["tasks"].items():
        for name in ("precision", "recall", "f1"):
            one = found[name]
            ends = ["-" if one[end] is None else f"{one[end]:.3f}" for end in ("low", "high")]
            rows.append((f"{task} {name}", f"{one['mean']:.3f}", " to ".join(ends)))
    title = f"BERTScore, layer {record['layer']} of {encoder.name}"
    screen.print_table(title, ("score", "mean", "95 % interval"), rows)


def _check_batches(run: Path, split: str, *, as_json: bool) -> None:
    from maqam.cli import screen
    from maqam.runs import stages
    from maqam.runs.folders import recipe_from_here
    from maqam.runs.session import Session

    session = Session(recipe_from_here(run), screen.progress_bar, screen.say)
    found = stages.check_run_batches(session, run, split=split)
    if as_json:
        screen.print_json(found.as_dict())
        return
    screen.print_table(
        "one by one against side by side",
        ("utterances", "answers that differ", "labels that differ", "largest gap of a label score"),
        [
            (
                str(found.num_utterances),
                str(len(found.differences)),
                str(found.num_choices),
                "-" if found.largest_gap is None else f"{found.largest_gap:.2g}",
            )
        ],
    )
    for one in found.differences:
        screen.say(f"{one.id} ({one.task}): {one.alone!r} alone, {one.together!r} side by side")
