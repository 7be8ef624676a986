"""`maqam judge`: summaries given to a language model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from maqam.cli.data.manifests import known_split


def judge(
    run: Annotated[Path, typer.Argument(help="Folder of a scored run.")],
    other: Annotated[
        Path | None,
        typer.Argument(help="Another scored run, to compare with, in both orders."),
    ] = None,
    url: Annotated[
        str, typer.Option(help="Base URL of an OpenAI-compatible endpoint.")
    ] = "http://localhost:8000/v1",
    model: Annotated[str, typer.Option(help="Name of the judge model.")] = "",
    split: Annotated[
        str, typer.Option(callback=known_split, help="Split that was decoded.")
    ] = "test",
    limit: Annotated[
        int | None, typer.Option(help="Maximum utterances per task, drawn by the seed.", min=1)
    ] = None,
    per_minute: Annotated[float, typer.Option(help="Maximum requests per minute.")] = 120.0,
    parallel: Annotated[int, typer.Option(help="Maximum concurrent requests.")] = 4,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for a reply.")] = 60.0,
    attempts: Annotated[int, typer.Option(help="Maximum attempts per question.")] = 5,
    key_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the key, if one is needed.")
    ] = "MAQAM_JUDGE_KEY",
    cache: Annotated[
        Path | None,
        typer.Option(help="Folder of cached replies; RUN/eval/judge-replies by default."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the draw and of the order.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Rate summaries from 0 to 5 by a language model, or compare them with another run's."""
    from maqam.cli import screen
    from maqam.evaluate.endpoint import Endpoint
    from maqam.evaluate.judge import Judging
    from maqam.run_layout import RunLayout
    from maqam.runs.judging import judge_run

    if not model:
        raise typer.BadParameter("--model names the judge, such as --model gpt-4o-mini")
    endpoint = Endpoint(
        url,
        model,
        key_variable,
        per_minute=per_minute,
        parallel=parallel,
        timeout=timeout,
        attempts=attempts,
    )
    judging = Judging(endpoint, cache or RunLayout(run).judge_replies, limit, seed)
    record, file = judge_run(run, other, judging, screen.progress_bar, split=split)
    screen.say(str(file))
    if as_json:
        screen.print_json(record)
    elif other is None:
        screen.print_table("rated from 0 to 5", *_table(record, "rating", 1.0))
    else:
        screen.print_table(
            f"{run.name} against {other.name}: better, ties as half, %",
            *_table(record, "better %", 100.0),
        )


def _table(
    record: dict[str, Any], name: str, factor: float
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    head = ("task", name, "95 % interval", "judged", "of", "unanswered", "turns with the order")
    rows = []
    for task, one in record["tasks"].items():
        mean, low, high = (
            "-" if one[key] is None else f"{factor * one[key]:.2f}"
            for key in ("mean", "low", "high")
        )
        turns = str(one.get("turns_with_the_order", ""))
        counts = (str(one["num_judged"]), str(one["num_utterances"]), str(one["num_unanswered"]))
        rows.append((task, mean, f"{low} to {high}", *counts, turns))
    return head if "against" in record else head[:-1], [
        row if "against" in record else row[:-1] for row in rows
    ]
