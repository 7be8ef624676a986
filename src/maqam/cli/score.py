"""`maqam score`: the answers of any system, scored as those of a run are."""

from pathlib import Path
from typing import Annotated

import typer


def score(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Answers: JSON lines, a table with a header, trn, Kaldi's text, plain lines."
        ),
    ],
    references: Annotated[
        Path | None,
        typer.Option(
            "--references",
            "--manifest",
            help="References: a file, or a manifest; else those in the answers' own rows.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Split of the manifest, and name of the scores.")
    ] = "test",
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="jsonl, table, trn, kaldi, lines or parquet; told from the content."
        ),
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="hypothesis=whisper: our column, and the file's.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="EGY=egyptian: the files' label, and ours.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Task of rows that name none, asr by default; of a manifest, the one."),
    ] = None,
    tasks: Annotated[Path | None, typer.Option(help="YAML of tasks of one's own.")] = None,
    profile: Annotated[str | None, typer.Option(help="Normalizer profile.")] = None,
    missing: Annotated[
        str, typer.Option(help="An utterance without an answer: empty, error or leave-out.")
    ] = "empty",
    unknown: Annotated[
        str, typer.Option(help="An answer to no utterance: error or leave-out.")
    ] = "error",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for the answers and scores, read as a run."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Overwrite scored answers in that folder.")] = False,
    trn: Annotated[
        Path | None, typer.Option(help="Folder for hyp.trn and ref.trn, for sclite.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Score the answers of any system: every profile, group and interval, without a run."""
    from typing import Any, cast

    from maqam.cli import screen, tables
    from maqam.cli.data.imports import pairs
    from maqam.evaluate.answer_files import FORMS
    from maqam.evaluate.systems import JoinSettings, join_answers
    from maqam.evaluate.trn import write_trn
    from maqam.runs.systems import columns_of, keep_answers, score_answers
    from maqam.score.settings import ScoreSettings
    from maqam.tasks import read_tasks

    _one_of("--format", form, (None, *FORMS))
    _one_of("--missing", missing, ("empty", "error", "leave-out"))
    _one_of("--unknown", unknown, ("error", "leave-out"))
    settings = ScoreSettings() if profile is None else ScoreSettings(profile=profile)
    answers = join_answers(
        files,
        JoinSettings(
            references=references,
            split=split,
            form=cast(Any, form),
            columns=pairs("--column", column),
            labels=pairs("--label", label),
            task=task,
            tasks=None if tasks is None else read_tasks(tasks),
            missing=cast(Any, missing),
            unknown=cast(Any, unknown),
        ),
    )
    for note in answers.notes:
        screen.say(note)
    if trn is not None:
        for file in write_trn(columns_of(answers), answers.tasks, settings.profile, trn):
            screen.say(str(file))
    if output is None:
        scores = score_answers(answers, settings)
    else:
        scores = keep_answers(answers, settings, output, files=files, force=force)
        screen.say(str(output))
    if as_json:
        screen.print_json({**scores, "notes": answers.notes})
    else:
        tables.print_scores(scores)


def _one_of(option: str, given: str | None, allowed: tuple[str | None, ...]) -> None:
    if given not in allowed:
        known = ", ".join(name for name in allowed if name is not None)
        raise typer.BadParameter(f"{given!r} is none of {known}", param_hint=option)
