"""`maqam data`: look at a manifest, or make the embedded corpus."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from maqam.cli import pooling

_MOST_WAYS = 20  # labels without a place that are listed

app = typer.Typer(no_args_is_help=True, help="Import, check, count and synthesize data.")

ManifestPath = Annotated[Path, typer.Argument(help="Manifest: a folder or its Parquet file.")]
TasksFile = Annotated[
    Path | None, typer.Option(help="YAML of tasks of one's own; else tasks.yaml beside the data.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def known_split(value: str | None) -> str | None:
    """Return what --split names, and refuse it before anything is read if it is no split.

    Raises:
        ConfigError: If there is no such split.
    """
    from maqam.data.schema import SPLITS
    from maqam.errors import ConfigError

    if value is not None and value not in SPLITS:
        raise ConfigError(f"no split {value!r}", where="split", hint=f"use {', '.join(SPLITS)}")
    return value


@app.command("synth")
def synth(
    folder: Annotated[Path, typer.Argument(help="Folder of the corpus.")],
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
        made = make_corpus(folder, settings, num_workers=workers, progress=progress, force=force)
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
    as_json: AsJson = False,
) -> None:
    """Find missing, damaged and leaking utterances; all findings are listed.

    Exit code 1 says that rows are to reject; with --fix, that none could be written.
    """
    from dataclasses import asdict

    from maqam.cli import screen
    from maqam.data.manifest import read_manifest
    from maqam.errors import ConfigError
    from maqam.inspection.checks import check_manifest, mend, write_sound_rows

    if fix and output is None:
        raise ConfigError("no folder to write to", where="--fix", hint="name one: -o FOLDER")
    known = _tasks(tasks, manifest)
    found = read_manifest(manifest, tasks=known, check_rows=False)
    limits, unfit = _model_limits(model, found)
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
    if output is not None:
        for path in write_sound_rows(found, report, output):
            screen.say(str(path))
    if len(report.rejected_ids) > (max(found.num_utterances - 1, 0) if fix else 0):
        raise typer.Exit(1)


def _model_limits(model: str | None, found: Any) -> tuple[Any, list[tuple[int, str, str]]]:  # noqa: ANN401
    """Return what a model takes of audio, and the rows that do not fit its context."""
    from maqam.errors import ConfigError
    from maqam.inspection.checks import sound_rows
    from maqam.models.checkpoint import (
        common_limits,
        dialogue_of,
        family_limits,
        limits_of,
        open_checkpoint,
    )
    from maqam.models.families import FAMILIES
    from maqam.models.settings import AUTO, ModelSettings
    from maqam.train.rows import unfit_rows

    if model is None:
        return common_limits(), []
    if model in FAMILIES:
        return family_limits(FAMILIES[model]), []
    try:
        is_place = Path(model).is_dir()
        settings = ModelSettings(AUTO, model) if is_place else ModelSettings(model)
    except ValueError as error:
        raise ConfigError(str(error), where="--model") from error
    checkpoint = open_checkpoint(settings)
    unfit = unfit_rows(checkpoint, found, sound_rows(found), lambda: dialogue_of(checkpoint))
    return limits_of(checkpoint), [(one.row, one.kind, one.text) for one in unfit]


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


@app.command("import")
def import_from(
    context: typer.Context,
    kind: Annotated[
        str, typer.Argument(help="Format or card, as listed above, or a card of your own: a .yaml.")
    ],
    source: Annotated[Path, typer.Argument(help="File or folder, as the format has it.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the manifest.")],
    task: Annotated[
        str | None,
        typer.Option(help="Task of rows that name none: asr, did, ser, ssum, tsum, or yours."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            callback=known_split,
            help="Split of all rows: train, dev or test; else each row's own, or train.",
        ),
    ] = None,
    media_dir: Annotated[
        Path | None, typer.Option(help="Folder that relative audio paths start from.")
    ] = None,
    allow_outside: Annotated[
        list[Path] | None,
        typer.Option(help="Folder beside SOURCE that audio may lie in; may be repeated."),
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Name of the rows' source.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="text=sentence: our column, and the source's.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="EGY=EG: the source's label, and ours or a code; EGY= leaves it out."),
    ] = None,
    label_set: Annotated[
        str | None, typer.Option(help="Label set that the source's words are of, such as adi17.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Of a table: what stands between cells, such as ';'.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of a table: its encoding, such as windows-1256.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the prompts, ar or en; the card's, or Arabic.")
    ] = None,
    tasks: TasksFile = None,
    decode: Annotated[bool, typer.Option(help="Decode all audio, not only headers.")] = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes that read audio; one for each core by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a manifest of a corpus of another format; rejected rows are in rejects.jsonl.

    Formats (maqam docs import): ms-swift, llamafactory, nemo, kaldi, common-voice, table, classes,
    lhotse, huggingface, webdataset, stm.

    Cards of corpora (maqam data catalog): adi-17, adi-20, baved, casablanca, common-voice-ar, eaed,
    fleurs (fleurs-ar-eg and so on), iemocap, iwslt22-ta, ksuemotions, librispeech, madar, masc,
    mega-ssum, mgb-2, nadi-2025, qasr, ravdess, sada22, xl-sum-ar.

    An interrupted import is continued by the same command.
    """
    from maqam.cli import screen
    from maqam.corpora.cards.catalog import is_card, read_card
    from maqam.corpora.formats.tables import unusual_form
    from maqam.corpora.importing.run import import_corpus
    from maqam.corpora.layouts.reading import found_parts
    from maqam.corpora.layouts.unread import unread_tables
    from maqam.corpora.settings import ImportSettings

    known = _tasks(tasks, source, output)
    given_labels = _pairs("--label", label, may_be_empty=True)
    settings = ImportSettings(
        kind=kind,
        tasks=known,
        task=task,
        split=split,
        media_dir=media_dir,
        allow_outside=tuple(allow_outside or ()),
        corpus=corpus,
        columns=_pairs("--column", column),
        labels={name: ours or None for name, ours in given_labels.items()},
        label_set=label_set,
        language=language,
        delimiter={"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter),
        encoding=encoding,
        decode=decode,
    )
    if is_card(kind):
        card = read_card(kind)
        screen.say(f"{card.title}, licence {card.licence.name}: {card.licence.note}")
        for overlap in card.overlaps:
            screen.say(f"overlap with {overlap.corpus}: {overlap.text}")
        there, absent = found_parts(card, source)
        if there and absent:
            screen.say(f"parts found: {', '.join(there)}; not found: {', '.join(absent)}")
        if unread := unread_tables(card, source):
            named = ", ".join(unread[:5]) + (" and others" if len(unread) > 5 else "")
            screen.say(
                f"{len(unread)} files are of no part and not read: {named}; a card of your own "
                "(docs/extend/corpus-card.md) or a format of docs/import.md reads them"
            )
    elif kind == "table" and (said := unusual_form(source, settings)):
        screen.say(f"{source.name}: {said}; if that is wrong, name it: --encoding, --delimiter")
    with screen.progress_bar("import rows") as progress:
        report = import_corpus(source, output, settings, num_workers=workers, progress=progress)
    if split is None:
        pooling.advise(report.manifest)
    _print_import(context, report, as_json=as_json)


def _print_import(context: typer.Context, report: Any, *, as_json: bool) -> None:  # noqa: ANN401
    """Print what became of the rows of an import."""
    from dataclasses import asdict

    from maqam.cli import screen

    if as_json:
        screen.print_json(
            {
                "manifest": str(report.manifest),
                "num_rows": report.num_rows,
                "num_imported": report.num_imported,
                "rejected": dict(report.reasons),
                "num_tags_added": report.num_tags_added,
                "labels": [asdict(way) for way in report.labels],
                "num_ids_numbered": report.num_ids_numbered,
            }
        )
        return
    if report.num_rejected:
        screen.say(f"{report.num_rejected} of {report.num_rows} rows rejected: {report.rejects}")
        for reason, count in report.reasons.items():
            screen.say(f"  {count} {reason}")
    for way in report.labels[:_MOST_WAYS]:
        screen.say(way.text)
    if len(report.labels) > _MOST_WAYS:
        screen.say(f"{len(report.labels) - _MOST_WAYS} more labels; --json lists all of them")
    if report.labels:
        screen.say(f"again: {_again(context, report.labels[:_MOST_WAYS])}")
    if report.num_tags_added:
        screen.say(f"{report.num_tags_added} audio tags added that rows left out")
    if report.num_ids_numbered:
        screen.say(f"{report.num_ids_numbered} rows numbered whose id an earlier row has")
    screen.stdout.print(str(report.manifest), markup=False)


def _tasks(file: Path | None, *places: Path) -> Mapping[str, Any]:
    """Return the tasks of a file, else those beside the data, else the five of the paper."""
    from maqam.score.metrics import check_metrics
    from maqam.tasks import TASKS_FILE, read_tasks, tasks_in

    folders = [place if place.is_dir() else place.parent for place in places]
    beside = [folder for folder in folders if (folder / TASKS_FILE).is_file()]
    found = read_tasks(file) if file is not None else tasks_in((beside or folders)[0])
    check_metrics(found)
    return found


def _again(context: typer.Context, ways: Sequence[Any]) -> str:
    """Return the command of an import with what its labels lacked, into another folder."""
    words = ["maqam", "data", "import", context.params["kind"], str(context.params["source"])]
    for option in context.command.params:
        value = context.params[option.name or ""]
        if option.param_type_name != "option" or value in (None, False, option.default):
            continue
        if option.name == "output":
            value = f"{value}-again"
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [option.opts[-1], *([] if one is True else [str(one)])]
    asked = dict.fromkeys(way.maps.partition(" (")[0] for way in ways)
    return " ".join([shlex.join(words), *asked])


def _pairs(option: str, given: list[str] | None, *, may_be_empty: bool = False) -> dict[str, str]:
    """Read NAME=NAME words of an option."""
    from maqam.errors import ConfigError

    pairs = {}
    for word in given or []:
        name, equals, value = word.partition("=")
        if not (name and equals and (value or may_be_empty)):
            raise ConfigError(f"{word!r} is no pair", where=option, hint="write it as NAME=NAME")
        pairs[name] = value
    return pairs
