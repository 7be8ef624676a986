"""`maqam data`: look at a manifest, or make the embedded corpus."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Import, check, count and synthesize data.")

ManifestPath = Annotated[Path, typer.Argument(help="Manifest: a folder or its Parquet file.")]
TasksFile = Annotated[
    Path | None, typer.Option(help="YAML of tasks of one's own; else tasks.yaml beside the data.")
]
Force = Annotated[bool, typer.Option(help="Replace the manifest that is in the folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def known_split(value: str | None) -> str | None:
    """Return what --split names, and refuse it before anything is read if it is no split.

    Raises:
        ConfigError: If there is no such split.
    """
    from maqam.data.schema import SPLITS
    from maqam.errors import ConfigError
    from maqam.settings_file import nearest

    if value is not None and value not in SPLITS:
        raise ConfigError(f"no split {value!r}", where="split", hint=nearest(value, SPLITS))
    return value


@app.command("synth")
def synth(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the corpus.")],
    seed: Annotated[int, typer.Option(help="Random seed of the corpus.")] = 0,
    scale: Annotated[float, typer.Option(help="Factor on the number of utterances.")] = 1.0,
    workers: Annotated[
        int | None, typer.Option(help="Processes that synthesize; one for each core by default.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Overwrite a corpus with other settings.")] = False,
) -> None:
    """Generate the embedded corpus: SYNTHETIC Arabic speech by eSpeak NG, five tasks."""
    from maqam.cli import screen
    from maqam.synth.corpus import make_corpus
    from maqam.synth.settings import SynthSettings

    settings = SynthSettings(seed=seed).scaled(scale)
    with screen.progress_bar("generate the corpus") as progress:
        made = make_corpus(output, settings, num_workers=workers, progress=progress, force=force)
    screen.stdout.print(str(made), markup=False)


@app.command("check")
def check(
    manifest: ManifestPath,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for the rows that passed and rejects.jsonl."),
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what can be mended in OUTPUT; exit 0 where it is.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(help="Limits of a model: a kind of model.kind, or a folder; else of all."),
    ] = None,
    read: Annotated[bool, typer.Option(help="Decode all audio.")] = True,
    tasks: TasksFile = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Find missing, damaged and leaking utterances; all findings are listed.

    Exit code 1 says that rows are to reject; with --fix, that none could be written.
    """
    from dataclasses import asdict

    from maqam.cli import screen
    from maqam.data.manifest import check_free, read_manifest
    from maqam.errors import ConfigError
    from maqam.inspection.checks import check_manifest, mend, write_sound_rows
    from maqam.runs.fitting import limits_for

    if fix and output is None:
        raise ConfigError("no folder to write to", where="--fix", hint="name one: -o FOLDER")
    known = known_tasks(tasks, manifest)
    found = read_manifest(manifest, tasks=known, check_rows=False)
    if output is not None:
        check_free(output, (found.path,), force=force)
    limits, unfit = limits_for(model, found)
    screen.say(f"limits of {limits.name}{'' if model else '; --model KIND takes those of one'}")
    with screen.progress_bar("check utterances") as progress:
        report = check_manifest(found, read=read, limits=limits, unfit=unfit, progress=progress)
    if fix:
        found, report = mend(found, report)
    if as_json:
        screen.print_json(
            {
                "num_utterances": report.num_utterances,
                "num_rejected": len(report.rejected_ids),
                "findings": [asdict(finding) for finding in report.findings],
            }
        )
    else:
        for finding in report.findings:
            screen.stdout.print(f"{finding.id}: {finding.kind}: {finding.text}", markup=False)
        counts = ", ".join(f"{count} {kind}" for kind, count in report.counts().items())
        screen.stdout.print(
            f"{report.num_utterances} utterances, {len(report.rejected_ids)} to reject; "
            f"findings: {counts or 'none'}",
            markup=False,
        )
    if report.num_missing and report.num_missing == report.num_clips:
        screen.say(
            "all audio is missing: import again with --media-dir, the folder paths start from"
        )
    if output is not None:
        for path in write_sound_rows(found, report, output, force=force):
            screen.say(str(path))
    if len(report.rejected_ids) > (max(found.num_utterances - 1, 0) if fix else 0):
        raise typer.Exit(1)


@app.command("overlap")
def overlap(
    train: Annotated[Path, typer.Argument(help="Manifest of the training data.")],
    test: Annotated[Path, typer.Argument(help="Manifest of the test set.")],
    train_split: Annotated[
        str | None, typer.Option(callback=known_split, help="One split of TRAIN; else all.")
    ] = None,
    test_split: Annotated[
        str | None, typer.Option(callback=known_split, help="One split of TEST; else all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find audio, near-duplicates, sentences and speakers that a test set shares with training."""
    from maqam.cli import screen
    from maqam.data.manifest import read_manifest
    from maqam.inspection.overlap import find_overlap, overlap_record, side

    sides = side(read_manifest(train), train_split), side(read_manifest(test), test_split)
    with screen.progress_bar("compare audio") as progress:
        report = find_overlap(*sides, progress=progress)
    if as_json:
        screen.print_json(overlap_record(*sides, report))
    else:
        rows = [(one.kind, one.num_train, one.num_test) for one in report.shared]
        screen.print_table("", ("shared", "train utterances", "test utterances"), rows)
        for one in report.shared:
            for example in one.examples:
                line = f"{one.kind}: {example.test} and {example.train}: {example.text}"
                screen.stdout.print(line, markup=False)
        screen.stdout.print(report.verdict, markup=False)
    if report.num_leaking:
        raise typer.Exit(1)


@app.command("stats")
def stats(manifest: ManifestPath, as_json: AsJson = False) -> None:
    """Count hours, utterances, speakers and labels of every task and split."""
    from dataclasses import asdict

    from maqam.cli import screen
    from maqam.data.manifest import read_manifest
    from maqam.inspection.stats import manifest_stats

    opened = read_manifest(manifest)
    found = manifest_stats(opened)
    if as_json:
        screen.print_json([asdict(group) for group in found])
        return
    rows = [
        (
            f"{group.split} {group.task}",
            group.num_utterances,
            f"{group.hours:.2f}",
            f"{group.median_seconds:.1f}",
            f"{group.longest_seconds:.1f}",
            group.num_speakers,
            ", ".join(
                f"{name} {count}" for name, count in (group.labels or group.dialects).items()
            ),
        )
        for group in found
    ]
    header = ("split, task", "utterances", "hours", "median s", "longest s", "speakers", "labels")
    title = "SYNTHETIC speech" if opened.is_synthetic else ""
    screen.print_table(title, header, rows)


def known_tasks(file: Path | None, *places: Path) -> Mapping[str, Any]:
    """Return the tasks of a file, else those beside the data, else the five of the paper."""
    from maqam.score.metrics import check_metrics
    from maqam.tasks import TASKS_FILE, read_tasks, tasks_in

    folders = [place if place.is_dir() else place.parent for place in places]
    beside = [folder for folder in folders if (folder / TASKS_FILE).is_file()]
    found = read_tasks(file) if file is not None else tasks_in((beside or folders)[0])
    check_metrics(found)
    return found
