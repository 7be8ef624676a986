"""What a manifest must hold: its columns, and the rules that every row keeps.

Rules are checked a batch of rows at a time on Arrow and NumPy columns, so ten million rows need
little memory, and every row that breaks one is found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maqam.tasks import Tasks
from maqam.taxonomy.tree import TAXONOMIES

FORMAT_VERSION = 1
FILE_NAME = "manifest.parquet"
SPLITS = ("train", "dev", "test")
ROLES = ("system", "user", "assistant")
AUDIO_TAG = "<audio>"

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("audios", pa.list_(pa.string())),
        ("task", pa.string()),
        ("label", pa.string()),
        ("dialect", pa.string()),
        ("speaker", pa.string()),
        ("source", pa.string()),
        ("split", pa.string()),
        ("start", pa.float64()),
        ("seconds", pa.float64()),
        ("target", pa.string()),
        ("synthetic", pa.bool_()),
    ]
)
PROMPT_LANGUAGE = "prompt_language"  # of the task's prompt in the question; null: own words
CHANNEL = "channel"  # that is heard, from 0; null or no such column: the mean of all
CLASS_COLUMNS = tuple(name for name in TAXONOMIES if name not in SCHEMA.names)
IMPORT_SCHEMA = pa.schema(
    [*SCHEMA, *((name, pa.string()) for name in (*CLASS_COLUMNS, PROMPT_LANGUAGE))]
)
NULLABLE = ("label", "dialect", "speaker")
REQUIRED = tuple(name for name in SCHEMA.names if name not in NULLABLE)

_BATCH_ROWS = 65_536
_RULES = {
    "duplicate id": "an earlier row has this id",
    "missing value": "",
    "unknown task": "task is {task!r}, not one of {known_tasks}",
    "unknown label": "label is {label!r}, which task {task!r} does not have",
    "label unlike target": "label is {label!r} but the target {target!r}",
    "unknown split": f"split is {{split!r}}, not one of {', '.join(SPLITS)}",
    "empty target": "target is {target!r}",
    "impossible times": "start is {start} and seconds is {seconds}",
    "no audio": "task {task!r} needs audio and audios is {audios!r}",
    "several audios": "audios is {audios!r}, but start and seconds describe one",
    "audio tags": f"the questions do not hold one {AUDIO_TAG} for each of the audios {{audios!r}}",
    "unknown role": f"a message's role is not one of {', '.join(ROLES)}",
    "answer unlike target": "the last message is not the assistant's with the target {target!r}",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """The rows of a manifest that break one rule.

    Attributes:
        kind: The rule, such as "unknown task".
        rows: (num_rows,) int64 indexes of the rows, ascending.
        known_tasks: Names of the tasks that there are.
    """

    kind: str
    rows: np.ndarray
    known_tasks: tuple[str, ...] = ()

    def describe(self, row: Mapping[str, Any]) -> str:
        """Say what is wrong with one of the rows, given as plain values.

        Examples:
            >>> Fault("empty target", np.array([0])).describe({"target": " "})
            "target is ' '"
        """
        if self.kind == "missing value":
            return f"no {', '.join(name for name in REQUIRED if row[name] is None)}"
        known = {"known_tasks": ", ".join(self.known_tasks)}
        return _RULES[self.kind].format_map({**row, **known})


def has_channels(schema: pa.Schema) -> bool:
    """Tell whether rows may choose a channel: by numbers only, a corpus may mean other things."""
    return CHANNEL in schema.names and pa.types.is_integer(schema.field(CHANNEL).type)


def column_faults(schema: pa.Schema) -> list[str]:
    """List the columns that are missing or of a type that is not the manifest's.

    Examples:
        >>> column_faults(SCHEMA), column_faults(SCHEMA.remove(0))
        ([], ['the columns id are missing'])
    """
    missing = [name for name in SCHEMA.names if name not in schema.names]
    if missing:
        return [f"the columns {', '.join(missing)} are missing"]
    wrong = []
    for field in SCHEMA:
        found = schema.field(field.name).type
        try:
            pa.nulls(0, found).cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            wrong.append(f"column {field.name!r} is {found}, not {field.type}")
    return wrong


def conformed(table: pa.Table) -> pa.Table:
    """Return the manifest's columns their types and put them first; others follow.

    Raises:
        pyarrow.ArrowInvalid: If a value does not fit its column's type.
    """
    extra = [name for name in table.column_names if name not in SCHEMA.names]
    columns = {field.name: table.column(field.name).cast(field.type) for field in SCHEMA}
    return pa.table({**columns, **{name: table.column(name) for name in extra}})


def row_faults(table: pa.Table, tasks: Tasks) -> list[Fault]:
    """Find all rows that break a rule, a fault for each rule that is broken.

    Args:
        table: A table with the manifest's columns and types.
        tasks: Tasks that rows may name.
    """
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in _RULES}
    found["duplicate id"].append(_repeated(table.column("id")))
    first = 0
    kept = [name for name in IMPORT_SCHEMA.names if name in table.column_names]
    for batch in table.select(kept).to_batches(max_chunksize=_BATCH_ROWS):
        for kind, is_bad in (_value_masks(batch, tasks) | _audio_masks(batch, tasks)).items():
            found[kind].append(first + np.flatnonzero(is_bad))
        first += batch.num_rows
    rows = {kind: np.concatenate(parts) for kind, parts in found.items() if parts}
    return [Fault(kind, indexes, tuple(tasks)) for kind, indexes in rows.items() if len(indexes)]


def _repeated(ids: pa.ChunkedArray) -> np.ndarray:
    """Return the rows whose id an earlier row has."""
    if pc.count_distinct(ids, mode="only_valid").as_py() == len(ids) - ids.null_count:
        return np.zeros(0, dtype=np.int64)
    codes = pc.fill_null(_codes(ids), -1).to_numpy()
    _, earliest = np.unique(codes, return_index=True)
    is_later = codes >= 0
    is_later[earliest] = False
    return np.flatnonzero(is_later)


def _codes(values: pa.ChunkedArray) -> pa.ChunkedArray:
    encoded = values.dictionary_encode().unify_dictionaries()
    return pa.chunked_array([chunk.indices for chunk in encoded.chunks], pa.int32())


def _mask(values: pa.Array) -> np.ndarray:
    mask: np.ndarray = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return mask


def _value_masks(batch: pa.RecordBatch, known: Tasks) -> dict[str, np.ndarray]:
    """Find what is wrong with single values: (num_rows,) bool for each rule."""
    tasks, labels, targets = (batch.column(name) for name in ("task", "label", "target"))
    labelled = [name for name, task in known.items() if task.labels]
    allowed = pa.array(
        [f"{name}\x1f{label}" for name in labelled for label in known[name].labels], pa.string()
    )
    pairs = pc.binary_join_element_wise(tasks, pc.fill_null(labels, ""), "\x1f")
    is_labelled = _mask(pc.is_in(tasks, pa.array(labelled, pa.string())))
    is_known = _mask(pc.is_in(pairs, allowed))
    start, seconds = (batch.column(name).fill_null(0).to_numpy() for name in ("start", "seconds"))
    is_possible = np.isfinite(start) & np.isfinite(seconds) & (start >= 0) & (seconds >= 0)
    has_audio = pc.fill_null(pc.list_value_length(batch.column("audios")), 0).to_numpy() > 0
    nulls = [_mask(batch.column(name).is_null()) for name in REQUIRED]
    return {
        "missing value": np.logical_or.reduce(nulls),
        "unknown task": _mask(pc.invert(pc.is_in(tasks, pa.array(list(known))))) & ~nulls[3],
        "unknown label": is_labelled & ~is_known,
        "label unlike target": is_labelled & is_known & _mask(pc.not_equal(labels, targets)),
        "unknown split": _mask(pc.invert(pc.is_in(batch.column("split"), pa.array(SPLITS))))
        & _mask(batch.column("split").is_valid()),
        "empty target": _mask(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(targets)), 0)),
        "impossible times": ~is_possible | (has_audio & (seconds == 0)),
    }


def _audio_masks(batch: pa.RecordBatch, known: Tasks) -> dict[str, np.ndarray]:
    """Find messages that fit neither audios nor target: (num_rows,) bool for each rule."""
    messages, audios, targets = (batch.column(name) for name in ("messages", "audios", "target"))
    num_turns = pc.fill_null(pc.list_value_length(messages), 0).to_numpy()
    turns = messages.flatten()
    contents = pc.fill_null(pc.struct_field(turns, "content"), "")
    roles = pc.fill_null(pc.struct_field(turns, "role"), "")
    row_of_turn = np.repeat(np.arange(batch.num_rows), num_turns)
    is_asked = _mask(pc.not_equal(roles, "assistant"))  # an answer is text, whatever it holds
    tags = np.bincount(
        row_of_turn,
        weights=pc.count_substring(contents, AUDIO_TAG).to_numpy() * is_asked,
        minlength=batch.num_rows,
    )
    strange = row_of_turn[_mask(pc.invert(pc.is_in(roles, pa.array(ROLES))))]
    last = pa.array(np.cumsum(num_turns) - 1, mask=num_turns == 0)
    is_answer = _mask(pc.equal(roles.take(last), "assistant")) & _mask(
        pc.equal(contents.take(last), targets)
    )
    num_audios = pc.fill_null(pc.list_value_length(audios), 0).to_numpy()
    paths = pc.fill_null(audios.flatten(), "")
    row_of_path = np.repeat(np.arange(batch.num_rows), num_audios)
    pathless = row_of_path[_mask(pc.equal(paths, ""))]
    spoken = pa.array([name for name, task in known.items() if task.has_audio], pa.string())
    is_spoken = _mask(pc.is_in(batch.column("task"), spoken))
    has_target, has_messages = _mask(targets.is_valid()), _mask(messages.is_valid())
    return {
        "no audio": (is_spoken & (num_audios == 0)) | _rows(pathless, batch.num_rows),
        "several audios": num_audios > 1,
        "audio tags": has_messages
        & (num_audios > 0)
        & ((tags < num_audios) | (_has_own_words(batch) & (tags > num_audios))),
        "unknown role": _rows(strange, batch.num_rows),
        "answer unlike target": has_messages & has_target & ~is_answer,
    }


def _has_own_words(batch: pa.RecordBatch) -> np.ndarray:
    """Tell which rows ask in words of their own, where a second audio tag is not just text."""
    if PROMPT_LANGUAGE not in batch.schema.names:
        return np.ones(batch.num_rows, dtype=bool)
    return _mask(batch.column(PROMPT_LANGUAGE).is_null())


def _rows(indexes: np.ndarray, num_rows: int) -> np.ndarray:
    mask = np.zeros(num_rows, dtype=bool)
    mask[indexes] = True
    return mask
