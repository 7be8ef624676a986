"""`maqam data import`: a manifest of a corpus of another format."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from maqam.cli.data import pooling
from maqam.cli.data.manifests import AsJson, Force, TasksFile, known_split, known_tasks

_MOST_WAYS = 20  # labels without a place that are listed


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
        str | None,
        typer.Option(help="Of a table or Common Voice: what stands between cells, such as ';'."),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="Of a table or Common Voice: its encoding, such as windows-1256."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the prompts, ar or en; the card's, or Arabic.")
    ] = None,
    tasks: TasksFile = None,
    decode: Annotated[bool, typer.Option(help="Decode all audio, not only headers.")] = False,
    channel: Annotated[
        str, typer.Option(help="Channel that is heard, from 0; mix is the mean of all.")
    ] = "mix",
    workers: Annotated[
        int | None, typer.Option(help="Processes that read audio; one for each core by default.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a manifest of a corpus of another format; rejected rows are in rejects.jsonl.

    Formats (maqam docs import): maqam, ms-swift, llamafactory, nemo, kaldi, common-voice, table,
    classes, lhotse, huggingface, webdataset, stm.

    Cards of corpora (maqam data catalog): adi-17, adi-20, baved, casablanca, common-voice-ar, eaed,
    fleurs (fleurs-ar-eg and so on), iemocap, iwslt22-ta, ksuemotions, librispeech, madar, masc,
    mega-ssum, mgb-2, nadi-2025, qasr, ravdess, sada22, xl-sum-ar.

    An interrupted import is continued by the same command.
    """
    from maqam.cli import screen
    from maqam.corpora.cards.catalog import is_card, read_card
    from maqam.corpora.formats.tables import table_files, unusual_form
    from maqam.corpora.importing.rows import split_of_name
    from maqam.corpora.importing.run import import_corpus
    from maqam.corpora.layouts.reading import found_parts
    from maqam.corpora.settings import ImportSettings
    from maqam.errors import MaqamError

    given_labels = pairs("--label", label, may_be_empty=True)
    given: dict[str, Any] = dict(
        kind=kind,
        task=task,
        split=split,
        media_dir=media_dir,
        allow_outside=tuple(allow_outside or ()),
        corpus=corpus,
        columns=pairs("--column", column),
        labels={name: ours or None for name, ours in given_labels.items()},
        label_set=label_set,
        language=language,
        delimiter={"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter),
        encoding=encoding,
        decode=decode,
        channel=_channel(channel),
    )
    try:
        known = known_tasks(tasks, source, output)
    except MaqamError as broken:
        raise _with_others(broken, given, source, output, force=force) from broken
    settings = ImportSettings(**given, tasks=known)
    if is_card(kind):
        card = read_card(kind)
        screen.say(f"{card.title}, licence {card.licence.name}: {card.licence.note}")
        for overlap in card.overlaps:
            screen.say(f"overlap with {overlap.corpus}: {overlap.text}")
        there, absent = found_parts(card, source)
        if there and absent:
            screen.say(f"parts found: {', '.join(there)}; not found: {', '.join(absent)}")
    for file in table_files(source, settings):
        if said := unusual_form(file, settings):
            screen.say(f"{file.name}: {said}; if that is wrong, name it: --encoding, --delimiter")
    with screen.progress_bar("import rows") as progress:
        report = import_corpus(
            source, output, settings, num_workers=workers, progress=progress, force=force
        )
    if split is None and (named := split_of_name(source.name)) and not is_card(kind):
        screen.say(f"rows that name no split are {named}, as {source.name} is called; or --split")
    if split is None:
        pooling.advise(report.manifest)
    _print_import(context, report, as_json=as_json)


def _with_others(
    broken: Any,  # noqa: ANN401  a MaqamError, which is imported inside the command
    given: Mapping[str, Any],
    source: Path,
    output: Path,
    *,
    force: bool,
) -> Any:  # noqa: ANN401
    """Return the error of broken tasks with all else that is wrong with an import."""
    from maqam.corpora.importing.run import check_kind
    from maqam.corpora.settings import ImportSettings
    from maqam.data.manifest import check_free
    from maqam.errors import ConfigError, ManifestError, MaqamError

    def check_source() -> None:
        if given["kind"] != "huggingface" and not source.exists():
            raise ManifestError("it is not there", where=str(source), hint="check the path")

    faults = [broken]
    apart = {**given, "task": None, "labels": {}, "language": None}  # what tasks have no part in
    for check in (
        lambda: check_kind(given["kind"]),
        check_source,
        lambda: ImportSettings(**apart),
        lambda: check_free(output, force=force),
    ):
        try:
            check()
        except MaqamError as fault:
            faults.append(fault)
    problem = "; ".join([broken.problem, *map(str, faults[1:])])
    hints = [fault.hint for fault in faults if fault.hint]
    return ConfigError(problem, where=broken.where, hint="; ".join(hints))


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
                "outside": report.outside,
                "unmatched_labels": dict(report.unmatched),
                "unmatched_columns": dict(report.unmatched_columns),
                "unread_files": list(report.unread),
            }
        )
        return
    if report.num_rejected:
        screen.say(f"{report.num_rejected} of {report.num_rows} rows rejected: {report.rejects}")
        for reason, count in report.reasons.items():
            screen.say(f"  {count} {reason}")
    if report.unread:
        named = ", ".join(report.unread[:5]) + (" and others" if len(report.unread) > 5 else "")
        screen.say(
            f"{len(report.unread)} files are of no part and not read: {named}; a card of your own "
            "(docs/extend/corpus-card.md) or a format of docs/import.md reads them"
        )
    _say_labels(context, report)
    if report.outside:
        allowed = shlex.quote(report.outside)
        screen.say(f"--allow-outside {allowed} lets in what lies outside of the source")
    if report.num_tags_added:
        screen.say(f"{report.num_tags_added} audio tags added that rows left out")
    if report.num_ids_numbered:
        screen.say(f"{report.num_ids_numbered} rows numbered whose id an earlier row has")
    screen.stdout.print(str(report.manifest), markup=False)


def _say_labels(context: typer.Context, report: Any) -> None:  # noqa: ANN401
    """Say which labels of the source have none here, and which options matched no row."""
    from maqam.cli import screen

    for column, meant in report.unmatched_columns.items():
        screen.say(f"--column {column} matched no row: {meant}")
    for word, meant in report.unmatched.items():
        screen.say(f"--label {word}=... matched no row: {meant}")
    for way in report.labels[:_MOST_WAYS]:
        screen.say(way.text)
    if len(report.labels) > _MOST_WAYS:
        screen.say(f"{len(report.labels) - _MOST_WAYS} more labels; --json lists all of them")
    if report.labels:
        screen.say(f"again: {_again(context, report.labels[:_MOST_WAYS])}")


def _again(context: typer.Context, ways: Sequence[Any]) -> str:
    """Return the command that imports again, elsewhere, with the label options that it lacked."""
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


def _channel(word: str) -> int | None:
    """Return the channel that a word names; None for the mean of all."""
    from maqam.errors import ConfigError

    if word == "mix":
        return None
    if not (word.isascii() and word.isdigit() and int(word) < 1000):
        raise ConfigError(f"no channel {word!r}", where="--channel", hint="use 0, 1 or mix")
    return int(word)


def pairs(option: str, given: list[str] | None, *, may_be_empty: bool = False) -> dict[str, str]:
    """Read NAME=NAME words of an option."""
    from maqam.errors import ConfigError

    pairs = {}
    for word in given or []:
        name, equals, value = word.partition("=")
        if not (name and equals and (value or may_be_empty)):
            raise ConfigError(f"{word!r} is no pair", where=option, hint="write it as NAME=NAME")
        pairs[name] = value
    return pairs
