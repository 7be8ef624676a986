"""`maqam data merge`, `split` and `select`: manifests to one pool of training data."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from maqam.cli.data.manifests import AsJson, Force, ManifestPath, known_split

Output = Annotated[Path, typer.Option("-o", "--output", help="Folder of the new manifest.")]
Seed = Annotated[int, typer.Option(help="Random seed: the same seed, the same rows.")]


def merge(
    manifests: Annotated[
        list[str],
        typer.Argument(help="Manifests; NAME=MANIFEST gives all its rows this corpus name."),
    ],
    output: Output,
    once: Annotated[
        bool,
        typer.Option(help="Leave out rows with audio and segment of another row of their task."),
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make one manifest of several corpora: no id twice, audio found, no column lost.

    Ids become corpus/task/id and speakers corpus/speaker, whatever is merged and in which order.
    """
    from dataclasses import asdict

    from maqam.cli import screen
    from maqam.data.manifest import check_free
    from maqam.pooling.merge import merge as merged
    from maqam.pooling.place import write_pool

    parts = [_part(word) for word in manifests]
    sources = tuple(part.path for part in parts)
    check_free(output, sources, force=force)
    pool, report = merged(parts, output, once=once)
    path = write_pool(pool, output, sources=sources, force=force)
    if as_json:
        screen.print_json({"manifest": str(path), **asdict(report)})
        return
    rows = [
        (
            one.name,
            one.num_rows,
            f"{one.hours:.2f}",
            _counted(one.tasks),
            _counted(one.splits),
            one.num_labels,
        )
        for one in report.corpora
    ]
    header = ("corpus", "rows", "hours", "tasks", "splits", "labels")
    screen.print_table("SYNTHETIC speech" if pool.is_synthetic else "", header, rows)
    _say(report.lines())
    screen.stdout.print(str(path), markup=False)


def split(
    manifest: ManifestPath,
    output: Output,
    by: Annotated[
        str,
        typer.Option(help="What stays whole: speaker, document (the recording or text), a column."),
    ],
    dev: Annotated[float, typer.Option(help="Share of the rows for dev.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the rows for test.")] = 0.1,
    seed: Seed = 0,
    redo: Annotated[
        bool,
        typer.Option("--all", help="Deal all rows anew; else a corpus keeps its dev and test."),
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Deal training rows to train, dev and test by whole groups, every label to each."""
    from maqam.cli import screen
    from maqam.data.manifest import check_free
    from maqam.pooling.place import write_pool
    from maqam.pooling.split import split as dealt

    pool = _opened(manifest)
    check_free(output, (pool.path,), force=force)
    made, report = dealt(pool, by, dev=dev, test=test, seed=seed, redo=redo)
    path = write_pool(made, output, sources=(pool.path,), force=force)
    if as_json:
        screen.print_json(
            {
                "manifest": str(path),
                "num_groups": report.num_groups,
                "num_rows": report.num_rows,
                "notes": report.lines(),
            }
        )
        return
    total = sum(report.num_rows.values())
    rows = [(name, count, f"{count / total:.1%}") for name, count in report.num_rows.items()]
    screen.print_table(
        f"{report.num_groups} groups by {by} dealt", ("split", "rows", "share"), rows
    )
    _say(report.lines())
    screen.stdout.print(str(path), markup=False)


def select(
    manifest: ManifestPath,
    output: Output,
    where: Annotated[
        str | None,
        typer.Option(help="Rows to keep: \"seconds >= 0.3 and wmer <= 40 and task == 'asr'\"."),
    ] = None,
    cap: Annotated[
        list[str] | None,
        typer.Option(help="COLUMN=N: at most N rows of each value of the column, drawn by seed."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--split",
            callback=known_split,
            help="The split that is selected from; rows of others stay.",
        ),
    ] = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Keep the rows that meet a condition, and tell how many rows each part of it took away."""
    from dataclasses import asdict

    from maqam.cli import screen
    from maqam.data.manifest import check_free
    from maqam.errors import ConfigError
    from maqam.pooling.place import write_pool
    from maqam.pooling.select import select as selected

    if where is None and not cap:
        raise ConfigError(
            "nothing says which rows to keep", where="data select", hint="give --where or --cap"
        )
    pool = _opened(manifest)
    check_free(output, (pool.path,), force=force)
    left, report = selected(pool, where, _caps(cap or ()), split=only, seed=seed)
    if not as_json:
        for line in report.lines():
            screen.stdout.print(line, markup=False)
    path = write_pool(left, output, sources=(pool.path,), force=force)
    if as_json:
        screen.print_json({"manifest": str(path), **asdict(report)})
    else:
        screen.stdout.print(str(path), markup=False)


def advise(manifest: Path) -> None:
    """Say how to hold rows out of a manifest that has training rows only."""
    from maqam.cli import screen
    from maqam.pooling.split import one_split_advice

    if advice := one_split_advice(manifest):
        screen.say(advice)


def _part(word: str) -> Any:  # noqa: ANN401  a manifest, whose module loads numpy
    """Open a manifest given as PATH or NAME=PATH."""
    from maqam.pooling.merge import of_corpus

    name, equals, place = word.partition("=")
    if not (name and equals and place) or Path(word).exists():
        return _opened(Path(word))
    return of_corpus(_opened(Path(place)), name)


def _opened(place: Path) -> Any:  # noqa: ANN401  a manifest, whose module loads numpy
    from maqam.data.manifest import read_manifest

    return read_manifest(place)


def _caps(given: Iterable[str]) -> dict[str, int]:
    """Read COLUMN=N words."""
    from maqam.errors import ConfigError

    caps = {}
    for word in given:
        column, _, most = word.rpartition("=")
        if not column or not most.isascii() or not most.isdigit():
            raise ConfigError(
                f"{word!r} is no cap", where="--cap", hint="write it as COLUMN=N: --cap dialect=500"
            )
        caps[column] = int(most)
    return caps


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _say(lines: Iterable[str]) -> None:
    from maqam.cli import screen

    for line in lines:
        screen.say(line)
