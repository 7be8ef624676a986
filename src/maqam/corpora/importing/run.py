"""A corpus of another format as a manifest; what cannot be a row is written down with its reason.

Rows stream from the format's reader through the processes that look at audio to parts on disk, so
memory does not grow with the source, and an import that was interrupted goes on where it was.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from shlex import quote
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.corpora.cards.catalog import card_names, is_card, read_card
from maqam.corpora.extra import Scalar
from maqam.corpora.formats import (
    classes,
    huggingface,
    kaldi,
    lhotse,
    maqam,
    nemo,
    tables,
    trainers,
    webdataset,
)
from maqam.corpora.importing.extra import known_types
from maqam.corpora.importing.inside import OUTSIDE, outside_folder
from maqam.corpora.importing.labels import LabelWay, SourceLabels, label_ways
from maqam.corpora.importing.listing import listing
from maqam.corpora.importing.origin import audio_roots, corpus_name
from maqam.corpora.importing.rows import (
    Row,
    RowRules,
    extra_values,
    faults,
    identity,
    manifest_row,
    split_of_name,
)
from maqam.corpora.importing.seen import digest
from maqam.corpora.importing.sounds import Answer, AudioJobs, Job, Measured, measured
from maqam.corpora.importing.store import Store
from maqam.corpora.layouts.reading import card_rows, card_settings
from maqam.corpora.layouts.stm import stm_rows
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import (
    Found,
    Note,
    Unfit,
    UnfitRowError,
    Unmatched,
    Unread,
    Utterance,
)
from maqam.data.containers import MISSING
from maqam.data.schema import IMPORT_SCHEMA
from maqam.errors import ConfigError, ManifestError
from maqam.files import writing
from maqam.progress import Progress
from maqam.settings_file import nearest
from maqam.tasks import default_tasks, write_tasks

Reader = Callable[[Path, ImportSettings], Iterator[Found | Note]]
Reason = tuple[str, str] | tuple[str, str, str | None]  # kind, text, and the word of a label

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        maqam.KIND: maqam.maqam_rows,
        "ms-swift": trainers.ms_swift_rows,
        "llamafactory": trainers.llamafactory_rows,
        "nemo": nemo.nemo_rows,
        "kaldi": kaldi.kaldi_rows,
        "common-voice": tables.common_voice_rows,
        "table": tables.table_rows,
        "classes": classes.class_rows,
        "lhotse": lhotse.lhotse_rows,
        "huggingface": huggingface.huggingface_rows,
        "webdataset": webdataset.webdataset_rows,
        "stm": stm_rows,
    }
)
KINDS = tuple(READERS)
_OF_TABLES = (maqam.KIND, "ms-swift", "llamafactory", "huggingface")  # as whose rows one passes

_VERSION = 2  # of what an interrupted import leaves
_BATCH_ROWS = 1024
_BATCH_BYTES = 32 << 20  # of audio held by the rows themselves
_MOST_WAYS = 5  # that an error names
_FOLDER_ROWS = 1000  # extracted files in one folder


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the rows of a source.

    Attributes:
        manifest: The manifest that was written.
        rejects: A JSON line for each rejected row: its file and line in the source, and why.
        num_rows: Rows of the source.
        num_imported: Rows of the manifest.
        reasons: Rejected rows by reason; a row has one, the first that was met.
        num_tags_added: Audio tags that rows left out, put in front as their trainer does.
        labels: Words for classes that have no label of the task, or no code, with what can be done.
        num_ids_numbered: Rows that got a number at the end of an id that several rows have.
        outside: Folder that `allow_outside` may name, where audio lies outside of the corpus.
        unmatched_columns: Columns that the user names and no row had, with what may be meant.
        unmatched: Words of `labels` that no row had, with what may be meant; not known of an
            import that was continued.
        unread: Files of a card's corpus that no part of it reads.
    """

    manifest: Path
    rejects: Path
    num_rows: int
    num_imported: int
    reasons: Mapping[str, int]
    num_tags_added: int
    labels: Sequence[LabelWay] = ()
    num_ids_numbered: int = 0
    outside: str | None = None
    unmatched: Mapping[str, str] = field(default_factory=dict)
    unread: Sequence[str] = ()
    unmatched_columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def num_rejected(self) -> int:
        """Rows that are not in the manifest."""
        return sum(self.reasons.values())


def import_corpus(
    source: Path,
    folder: Path,
    settings: ImportSettings,
    *,
    num_workers: int | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> ImportReport:
    """Make a manifest of a corpus of another format.

    An import that was interrupted is continued by the same call.

    Args:
        source: File or folder of the corpus, as its format has it.
        folder: Where `manifest.parquet` and `rejects.jsonl` go, and `audio/` for audio that has no
            file of its own; all other audio stays where it is.
        settings: Format, task, split and names.
        num_workers: Processes that look at audio; one for each core when absent.
        progress: Called with the rows done; their total is not known before the end.
        force: Whether a manifest that is in the folder is replaced, once the new one is whole.

    Raises:
        ConfigError: If the format is unknown, or the corpus of a card cannot serve the task.
        ManifestError: If the source cannot be read, no row of it is sound, or the folder has a
            manifest or cannot be written.
    """
    kind = settings.kind
    read, names = READERS.get(kind), SourceLabels(settings)
    if read is None:
        check_kind(kind)
        read, settings = card_rows, card_settings(settings)
        names = SourceLabels(settings, read_card(kind).labels)
    if source.exists():  # else the name of a dataset of the hub
        source = source.resolve() if ".." in source.parts else source.absolute()
    settings = replace(
        settings,
        corpus=settings.corpus or _corpus(source, kind),
        media_dir=None if settings.media_dir is None else settings.media_dir.absolute(),
    )
    manifest_source = maqam.manifest_file(source) if kind in _OF_TABLES else None
    if manifest_source is not None:
        read, settings = maqam.maqam_rows, replace(settings, kind=maqam.KIND)
    roots = None if manifest_source else audio_roots(source, settings)
    rules = RowRules(settings, names, None if is_card(kind) else split_of_name(source.name))
    with (
        writing(folder, error=ManifestError),
        Store(
            folder,
            _fingerprint(source, settings),
            listing(source, folder),
            _extra_types(manifest_source),
            force=force,
        ) as store,
    ):
        is_continued = store.num_rows > 0
        notes: list[Note] = []
        found = islice(_rows(read(source, settings), notes), store.num_rows, None)
        batches = _batches(found, store)
        workers = num_workers or os.cpu_count() or 1
        for rows, answers in measured(
            batches, num_workers=workers, decode=settings.decode, roots=roots
        ):
            _store(store, rules, rows, answers)
            if progress is not None:
                progress(store.num_rows, None)
        manifest, rejects = store.finish(settings.channel)
    labels = label_ways(manifest, rejects, settings)
    columns = {one.column: one.hint for one in notes if isinstance(one, Unmatched)}
    if manifest is None:
        raise ManifestError(
            f"none of {store.num_rows} rows can be imported: {_counted(store.reasons)}",
            where=str(source),
            hint=_hint(store.reasons, labels, columns, rejects),
        )
    if settings.tasks != default_tasks():
        write_tasks(settings.tasks, folder)
    return ImportReport(
        manifest,
        rejects,
        store.num_rows,
        store.num_imported,
        dict(store.reasons.most_common()),
        num_tags_added=store.changes["tags added"],
        labels=labels,
        num_ids_numbered=store.changes["ids numbered"],
        outside=outside_folder(rejects) if OUTSIDE in store.reasons else None,
        unmatched={} if is_continued else names.unmatched(),
        unread=[name for one in notes if isinstance(one, Unread) for name in one.files],
        unmatched_columns=columns,
    )


def check_kind(kind: str) -> None:
    """Refuse a format or card that there is not.

    Raises:
        ConfigError: If there is none of that name.
    """
    if kind not in READERS and not is_card(kind):
        hint = nearest(kind, [*READERS, *card_names()])
        raise ConfigError(f"no kind {kind!r}", where="kind", hint=hint)


def _extra_types(manifest: Path | None) -> pa.Schema | None:
    if manifest is None:
        return None
    return known_types(pq.read_schema(manifest), IMPORT_SCHEMA.names)


def _corpus(source: Path, kind: str) -> str:
    return kind if kind == "common-voice" else corpus_name(source)


def _fingerprint(source: Path, settings: ImportSettings) -> str:
    """Name a source and the settings."""
    known = asdict(settings) | {"source": str(source.absolute()), "version": _VERSION}
    text = json.dumps(known, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _rows(found: Iterator[Found | Note], notes: list[Note]) -> Iterator[Found]:
    """Yield the rows of a reader, and keep what it says of all of them."""
    for one in found:
        if isinstance(one, Note):
            notes.append(one)
        else:
            yield one


def _batches(found: Iterator[Found], store: Store) -> Iterator[AudioJobs[Found]]:
    first = store.num_rows
    while rows := list(_few(found)):
        yield AudioJobs(rows, [_job(row, first + at, store) for at, row in enumerate(rows)])
        first += len(rows)


def _few(found: Iterator[Found]) -> Iterator[Found]:
    """Yield the next rows, fewer where they hold audio themselves."""
    num_bytes = 0
    for row in islice(found, _BATCH_ROWS):
        yield row
        held = row.sound.held if isinstance(row, Utterance) and row.sound else None
        num_bytes += len(held) if isinstance(held, bytes) else 0
        if num_bytes >= _BATCH_BYTES:
            return


def _job(row: Found, number: int, store: Store) -> Job | None:
    if isinstance(row, Unfit) or row.sound is None:
        return None
    if row.sound.held is None:
        return row.sound, ""
    stem = store.audio_folder / f"{number // _FOLDER_ROWS:06d}" / f"{number:09d}"
    return row.sound, str(stem)


def _store(
    store: Store,
    rules: RowRules,
    found: Sequence[Found],
    answers: Sequence[Answer],
) -> None:
    """Sort what was found into rows and rejects, in the order of the source."""
    tasks = rules.settings.tasks
    made: list[tuple[int, Row, Mapping[str, Scalar]]] = []
    reasons: dict[int, Reason] = {}
    for index, (one, answer) in enumerate(zip(found, answers, strict=True)):
        if isinstance(one, Unfit):
            reasons[index] = (one.kind, one.text)
            continue
        try:
            row = manifest_row(one, _inside(one, answer, store.folder), rules)
            made.append((index, row, extra_values(one, tasks[row["task"]])))
        except UnfitRowError as error:
            reasons[index] = (error.kind, error.text, error.label)
    table, broken = faults([row for _, row, _ in made], tasks)
    sound = [at for at in range(len(made)) if at not in broken]
    known = {at: digest(identity(made[at][1], answers[made[at][0]])) for at in sound}
    for at, is_copy in zip(sound, store.copies(list(known.values())), strict=True):
        if is_copy:
            broken[at] = ("duplicate row", "an earlier row has this id, audio, segment and task")
    reasons |= {made[at][0]: reason for at, reason in broken.items()}
    _remove_audio(found, answers, reasons)
    rejects = [_reject(found[index], *reasons[index]) for index in sorted(reasons)]
    kept = [at for at in sound if at not in broken]
    tags = sum(_num_added_tags(found[made[at][0]]) for at in kept)
    if broken:
        table = table.take(pa.array(kept, pa.int64()))
    extra, digests = [made[at][2] for at in kept], [known[at] for at in kept]
    store.add(table, extra, digests, rejects, {"tags added": tags})


def _num_added_tags(found: Found) -> int:
    return found.num_added_tags if isinstance(found, Utterance) else 0


def _remove_audio(
    found: Sequence[Found], answers: Sequence[Answer], reasons: Mapping[int, object]
) -> None:
    """Remove the files that were made for rows that are rejected."""
    for index in reasons:
        one, answer = found[index], answers[index]
        if isinstance(one, Utterance) and one.sound is not None and one.sound.held is not None:
            path = getattr(answer, "path", None)
            if path is not None:
                Path(path).unlink(missing_ok=True)


def _inside(found: Utterance, answer: Answer, folder: Path) -> Answer:
    """Name audio that was written to the folder from there on, so that it can be moved."""
    is_held = found.sound is not None and found.sound.held is not None
    if not is_held or not isinstance(answer, Measured):
        return answer
    return replace(answer, path=answer.path.removeprefix(f"{folder}{os.sep}"))


def _reject(found: Found, kind: str, text: str, label: str | None = None) -> dict[str, Any]:
    place = {"file": found.place.file, "line": found.place.line}
    known = {} if label is None else {"label": label}
    return {**place, "id": found.id, "reason": kind, "text": text, **known}


def _hint(
    reasons: Counter[str], labels: Sequence[LabelWay], columns: Mapping[str, str], rejects: Path
) -> str:
    if columns:
        told = [f"no row has --column {column}: {hint}" for column, hint in columns.items()]
        return "; ".join([*told, f"see {rejects}"])
    if set(reasons) == {MISSING}:
        return f"--media-dir names the folder that audio paths start from; see {rejects}"
    ways = [way.text for way in labels[:_MOST_WAYS]]
    if OUTSIDE in reasons and (folder := outside_folder(rejects)) is not None:
        ways.append(f"--allow-outside {quote(folder)} lets audio in")
    return "; ".join([*ways, f"see {rejects}"])


def _counted(reasons: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in reasons.most_common()) or "it is empty"
