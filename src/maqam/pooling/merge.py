"""Manifests of several corpora as one: no id twice, every audio found, no column lost.

An id becomes `corpus/task/id`, a speaker `corpus/speaker`, always and once: so ids depend neither
on what is merged nor on the order, merging a merged manifest changes nothing, and one corpus can
stand in a pool for two tasks.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from maqam.data.manifest import FILE_NAME, Manifest
from maqam.data.prompts import prompt_language
from maqam.data.schema import CHANNEL, PROMPT_LANGUAGE, SCHEMA, has_channels
from maqam.errors import ManifestError, first_few
from maqam.pooling.place import at_folder
from maqam.tasks import Task, Tasks, default_tasks

_BATCH_ROWS = 65_536
_OTHER_NAME = (
    "import one of them again with the column under another name, or make its values alike"
)


@dataclass(frozen=True, slots=True)
class CorpusRows:
    """What one corpus brought into a pool.

    Attributes:
        name: The corpus, column `source` of its rows.
        num_rows: Its rows.
        hours: Its audio, in hours.
        tasks: Rows by task.
        splits: Rows by split.
        num_labels: Different labels.
    """

    name: str
    num_rows: int
    hours: float
    tasks: dict[str, int]
    splits: dict[str, int]
    num_labels: int


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What came into a pool.

    Attributes:
        corpora: Each corpus, by name.
        num_same_rows: Rows that two manifests held, of which the first stays.
        num_unlike: How many of these had something else in a column that is not the manifest's own.
        repeated: Ids of the rows whose audio file and segment another row of their task has.
        num_left_out: How many of these were left out; none unless asked for.
    """

    corpora: tuple[CorpusRows, ...]
    num_same_rows: int
    num_unlike: int
    repeated: tuple[str, ...]
    num_left_out: int

    def lines(self) -> list[str]:
        """Return what a user should know beside the corpora."""
        said = []
        if self.num_same_rows:
            said.append(f"{self.num_same_rows} rows were in two manifests: each is there once")
        if self.num_unlike:
            said.append(
                f"{self.num_unlike} of them differ in columns of the corpus's own: those of the "
                "manifest that was named first are kept"
            )
        if self.repeated:
            left = "left out" if self.num_left_out else "leave them out with --once"
            said.append(
                f"{len(self.repeated)} rows have the audio and segment of another row of their "
                f"task ({first_few(self.repeated, 3)}): {left}"
            )
        return said


def merge(
    manifests: Sequence[Manifest], folder: Path | None = None, *, once: bool = False
) -> tuple[Manifest, MergeReport]:
    """Return the rows of several manifests as one manifest, and what each corpus brought.

    Args:
        manifests: In the order of their rows.
        folder: Where the pool will lie: audio below it gets relative paths, all other absolute
            ones; the folder that all manifests lie below when None.
        once: Whether rows with the audio file and segment of another row of their task are left
            out; the smallest id stays.

    Raises:
        ManifestError: If there is no manifest, two rows of one corpus and task have one id, two
            manifests define a task differently, or a column has types that do not go together.
    """
    if not manifests:
        raise ManifestError("there is nothing to merge", hint="name a manifest or more")
    place = common_folder(manifests) if folder is None else folder
    tasks = united_tasks(manifests)
    tables = [_named(one, place) for one in manifests]
    table = pa.concat_tables(_united(tables, manifests))
    table, num_same, num_unlike = _without_same(table, manifests)
    repeats = _repeats(table)
    repeated = tuple(table.column("id").take(pa.array(repeats, pa.int64())).to_pylist())
    if once and len(repeats):
        table = table.take(pa.array(np.setdiff1d(np.arange(table.num_rows), repeats), pa.int64()))
    languages = {one.language for one in manifests}
    language = languages.pop() if len(languages) == 1 else None
    merged = Manifest(place / FILE_NAME, table, tasks, language)
    num_left_out = len(repeats) if once else 0
    return merged, MergeReport(
        tuple(_corpora(merged)), num_same, num_unlike, repeated, num_left_out
    )


def common_folder(manifests: Sequence[Manifest]) -> Path:
    """Return the folder that all manifests lie in or below."""
    return Path(os.path.commonpath([one.folder.resolve() for one in manifests]))


def of_corpus(manifest: Manifest, name: str) -> Manifest:
    """Return a manifest whose rows all come from a corpus of this name."""
    index = manifest.table.column_names.index("source")
    column = pa.array([name] * manifest.num_utterances, pa.string())
    table = manifest.table.set_column(index, "source", column)
    return Manifest(manifest.path, table, manifest.tasks, manifest.language)


def united_tasks(manifests: Sequence[Manifest]) -> Tasks:
    """Return the tasks of all manifests.

    A definition counts where the manifest has rows of the task or changes that of the paper.

    Raises:
        ManifestError: If two that count differ.
    """
    found: dict[str, tuple[Task, Manifest]] = {
        name: (task, manifests[0]) for name, task in default_tasks().items()
    }
    is_certain: set[str] = set()
    for manifest in manifests:
        present = set(pc.unique(manifest.table.column("task")).to_pylist())
        for name, task in manifest.tasks.items():
            if name not in present and task == default_tasks().get(name):
                continue
            known, where = found.get(name, (task, manifest))
            if name in is_certain and known != task:
                raise ManifestError(
                    f"task {name!r} is defined otherwise in {where.path}: "
                    f"{_difference(known, task)}",
                    where=str(manifest.path),
                    hint="make their tasks.yaml agree, or give the task of one another name",
                )
            found[name] = (task, manifest)
            is_certain.add(name)
    return {name: task for name, (task, _) in found.items()}


def _difference(one: Task, other: Task) -> str:
    names = [name for name in Task.__slots__ if getattr(one, name) != getattr(other, name)]
    first = names[0]
    return f"its {first} are {getattr(one, first)!r} there and {getattr(other, first)!r} here"


def _named(manifest: Manifest, place: Path) -> pa.Table:
    """Return a manifest's rows with the ids, speakers, audio paths and prompts of a pool."""
    table = at_folder(manifest.table, manifest.folder, place)
    columns: dict[str, list[str | None]] = {"id": [], "speaker": []}
    for batch in table.select(["id", "speaker", "source", "task"]).to_batches(_BATCH_ROWS):
        ids, speakers, sources, tasks = (column.to_pylist() for column in batch.columns)
        for name, speaker, source, task in zip(ids, speakers, sources, tasks, strict=True):
            columns["id"].append(_below(f"{source}/{task}/", name))
            columns["speaker"].append(speaker and _below(f"{source}/", speaker))
    for name, values in columns.items():
        index = table.column_names.index(name)
        table = table.set_column(index, name, pa.array(values, pa.string()))
    if PROMPT_LANGUAGE not in table.column_names:
        asked = [
            prompt_language(row, manifest.tasks)
            for batch in table.select(["task", "messages", "audios"]).to_batches(_BATCH_ROWS)
            for row in batch.to_pylist()
        ]
        table = table.append_column(PROMPT_LANGUAGE, pa.array(asked, pa.string()))
    return table


def _below(prefix: str, name: str) -> str:
    return name if name.startswith(prefix) else prefix + name


def _united(tables: Sequence[pa.Table], manifests: Sequence[Manifest]) -> list[pa.Table]:
    """Return tables with one schema: nulls where a manifest has no such column."""
    names = list(dict.fromkeys(name for table in tables for name in table.column_names))
    wanted = {name: _common_type(name, tables, manifests) for name in names}
    return [
        pa.table({name: _cast(table, name, kind, one) for name, kind in wanted.items()})
        for table, one in zip(tables, manifests, strict=True)
    ]


def _cast(
    table: pa.Table, name: str, kind: pa.DataType, manifest: Manifest
) -> pa.ChunkedArray | pa.Array:
    """Return a column in the type of all manifests; nulls where there is none."""
    if name not in table.column_names:
        return pa.nulls(table.num_rows, kind)
    try:
        return table.column(name).cast(kind)
    except pa.ArrowInvalid as error:
        raise ManifestError(
            f"column {name!r} does not fit {kind}, which another manifest has: {error}",
            where=str(manifest.path),
            hint=_OTHER_NAME,
        ) from error


def _common_type(
    name: str, tables: Sequence[pa.Table], manifests: Sequence[Manifest]
) -> pa.DataType:
    common, first = pa.null(), manifests[0]
    for table, manifest in zip(tables, manifests, strict=True):
        if name not in table.column_names:
            continue
        kind = table.schema.field(name).type
        kind = kind.value_type if kinds.is_dictionary(kind) else kind
        pair = [pa.schema([(name, one)]) for one in (common, kind)]
        try:
            united = pa.unify_schemas(pair, promote_options="permissive").field(name).type
        except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
            raise ManifestError(
                f"column {name!r} is {kind} here and {common} in {first.path}",
                where=str(manifest.path),
                hint=_OTHER_NAME,
            ) from error
        common, first = united, (manifest if kinds.is_null(common) else first)
    return pa.string() if kinds.is_large_string(common) else common


def _without_same(table: pa.Table, manifests: Sequence[Manifest]) -> tuple[pa.Table, int, int]:
    """Leave out rows that are there already; refuse other rows of the same id.

    Returns:
        The rest; how many rows were left out, and how many of these differ in other columns.
    """
    codes = table.column("id").combine_chunks().dictionary_encode()
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.unify_dictionaries().combine_chunks()
    numbers = codes.indices.to_numpy()
    _, earliest, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    first = earliest[inverse]
    later = np.flatnonzero(first != np.arange(len(first)))
    if not len(later):
        return table, 0, 0
    ones = table.take(pa.array(later, pa.int64())).to_pylist()
    others = table.take(pa.array(first[later], pa.int64())).to_pylist()
    pairs = list(zip(ones, others, strict=True))
    own = [*SCHEMA.names, *([CHANNEL] if has_channels(table.schema) else [])]
    unlike = [one["id"] for one, other in pairs if any(one[name] != other[name] for name in own)]
    if unlike:
        raise ManifestError(
            f"{len(unlike)} ids stand for two different rows of one corpus and task: "
            f"{first_few(unlike)}",
            where=" and ".join(str(one.path) for one in manifests),
            hint="call one of them otherwise: maqam data merge NAME=MANIFEST, or import it with "
            "--corpus",
        )
    kept = np.setdiff1d(np.arange(table.num_rows), later)
    num_unlike = sum(repr(one) != repr(other) for one, other in pairs)  # a NaN equals itself
    return table.take(pa.array(kept, pa.int64())), len(later), num_unlike


def _repeats(table: pa.Table) -> np.ndarray:
    """Return the rows whose audio, segment and task another row with a smaller id has."""
    counts = pc.list_value_length(table.column("audios")).to_numpy()
    rows = np.flatnonzero(counts > 0)
    spoken = table.select(["id", "task", "audios", "start", "seconds"]).take(
        pa.array(rows, pa.int64())
    )
    channels = pa.nulls(len(rows))
    if has_channels(table.schema):
        channels = table.column(CHANNEL).take(pa.array(rows, pa.int64()))
    segments = pa.table(
        {
            "id": spoken.column("id"),
            "task": spoken.column("task"),
            "audio": pc.list_element(spoken.column("audios"), 0),
            "start": pc.round(spoken.column("start"), 3),
            "seconds": pc.round(spoken.column("seconds"), 3),
            "channel": pc.fill_null(channels.cast(pa.string()), "all"),
            "row": rows,
        }
    )
    keys = ["task", "audio", "start", "seconds", "channel"]
    counted = segments.group_by(keys).aggregate([("id", "min"), ("id", "count")])
    crowded = counted.filter(pc.greater(counted.column("id_count"), 1))
    if not crowded.num_rows:
        return np.zeros(0, dtype=np.int64)
    shared = segments.join(crowded, keys, join_type="inner")
    repeats = shared.filter(pc.not_equal(shared.column("id"), shared.column("id_min")))
    return np.sort(repeats.column("row").to_numpy())


def _corpora(manifest: Manifest) -> list[CorpusRows]:
    coded = {name: manifest.codes(name) for name in ("source", "task", "split", "label")}
    seconds = manifest.column("seconds")
    found = []
    for code, name in enumerate(coded["source"][1]):
        rows = np.flatnonzero(coded["source"][0] == code)
        counts = {
            column: {
                one: int(count)
                for one, count in zip(
                    names, np.bincount(codes[rows], minlength=len(names)), strict=True
                )
                if count
            }
            for column, (codes, names) in coded.items()
        }
        found.append(
            CorpusRows(
                name,
                len(rows),
                float(seconds[rows].sum() / 3600),
                counts["task"],
                counts["split"],
                len(counts["label"].keys() - {"-"}),
            )
        )
    return found
