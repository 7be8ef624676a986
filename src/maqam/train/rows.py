"""The rows of a plan, tokenised once before the first step.

What does not fit is refused with all its rows counted before anything trains, and the number of
supervised tokens, which the weights of a batch rest on, is known from the start. Audio takes one
placeholder here and its true width when its step comes: the width of a stored or computed aligner
output is exact, the `seconds` of a manifest are not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maqam.data.manifest import Manifest
from maqam.errors import ModelError
from maqam.models.checkpoint import Checkpoint, limits_of
from maqam.models.dialogue import DialogueEncoder, Encoded
from maqam.progress import Progress

TOO_MANY_TOKENS = "too many tokens"

_CHUNK = 4096
_TURN_TOKENS = 32  # more than a template writes around a turn
_FRAME_TOKENS = 256  # more than it writes around a dialogue and its audio


@dataclass(frozen=True, slots=True)
class PreparedRows:
    """What is known of each row before training.

    Attributes:
        rows: (num_rows,) manifest rows, ascending.
        ids: Token ids of all dialogues, one after the other, one placeholder an audio.
        offsets: (num_rows + 1,) where each dialogue starts in `ids`.
        num_target_tokens: (num_rows,) supervised tokens of each.
        num_audio_tokens: (num_rows,) audio tokens expected from the length of the audio.
        tasks: (num_rows,) index into `task_names`.
        task_names: Tasks present, sorted.
    """

    rows: np.ndarray
    ids: np.ndarray
    offsets: np.ndarray
    num_target_tokens: np.ndarray
    num_audio_tokens: np.ndarray
    tasks: np.ndarray
    task_names: tuple[str, ...]

    @property
    def num_tokens(self) -> np.ndarray:
        """(num_rows,) tokens of each dialogue with its audio at the expected width."""
        widths: np.ndarray = np.diff(self.offsets) + np.maximum(self.num_audio_tokens - 1, 0)
        return widths

    @property
    def lengths(self) -> np.ndarray:
        """(last row + 1,) `num_tokens` by manifest row, 0 for rows that are not here."""
        lengths = np.zeros(int(self.rows[-1]) + 1, dtype=np.int32)
        lengths[self.rows] = self.num_tokens
        return lengths

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """Return the positions here of manifest rows."""
        found: np.ndarray = np.searchsorted(self.rows, rows)
        return found

    def of(self, rows: np.ndarray) -> "PreparedRows":
        """Return what is known of some of the rows.

        Args:
            rows: Manifest rows that are here, repetitions allowed.
        """
        return self._taken(self.positions(np.unique(rows)))

    def joined(self, other: "PreparedRows") -> "PreparedRows":
        """Return what is known of these rows and of others.

        Args:
            other: Rows none of which is here.
        """
        both = PreparedRows(
            rows=np.concatenate([self.rows, other.rows]),
            ids=np.concatenate([self.ids, other.ids]),
            offsets=np.concatenate([self.offsets, self.offsets[-1] + other.offsets[1:]]),
            num_target_tokens=np.concatenate([self.num_target_tokens, other.num_target_tokens]),
            num_audio_tokens=np.concatenate([self.num_audio_tokens, other.num_audio_tokens]),
            tasks=np.concatenate([self.tasks, other.tasks + len(self.task_names)]),
            task_names=self.task_names + other.task_names,
        )
        return both._taken(np.argsort(both.rows))

    def _taken(self, at: np.ndarray) -> "PreparedRows":
        """Return the rows at some positions, in that order."""
        lengths = np.diff(self.offsets)[at]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        source = np.repeat(self.offsets[:-1][at] - offsets[:-1], lengths) + np.arange(offsets[-1])
        names, tasks = np.unique(np.array(self.task_names)[self.tasks[at]], return_inverse=True)
        return PreparedRows(
            rows=self.rows[at],
            ids=self.ids[source],
            offsets=offsets,
            num_target_tokens=self.num_target_tokens[at],
            num_audio_tokens=self.num_audio_tokens[at],
            tasks=tasks,
            task_names=tuple(str(name) for name in names),
        )

    def encoded(self, position: int, num_audio_tokens: int, audio_id: int) -> Encoded:
        """Return one dialogue with its audio at its true width."""
        ids = self.ids[self.offsets[position] : self.offsets[position + 1]].astype(np.int64)
        if num_audio_tokens:
            ids = np.repeat(ids, np.where(ids == audio_id, num_audio_tokens, 1))
        return Encoded(ids, num_audio_tokens, len(ids) - int(self.num_target_tokens[position]))


def prepare_rows(
    dialogue: DialogueEncoder,
    manifest: Manifest,
    rows: np.ndarray,
    progress: Progress | None = None,
) -> PreparedRows:
    """Tokenise the dialogues of a plan's rows.

    Args:
        dialogue: Dialogue encoder of the model that reads them.
        manifest: Where the rows are.
        rows: Manifest rows, repetitions allowed.
        progress: Called with the rows done and their total.

    Raises:
        ModelError: If dialogues do not fit the model; all are counted and the first named.
    """
    unique = np.unique(rows)
    kept: list[Encoded] = []
    tasks: list[str] = []
    faults: list[str] = []
    for first in range(0, len(unique), _CHUNK):
        for row in manifest.rows(unique[first : first + _CHUNK]):
            tasks.append(row["task"])
            try:
                kept.append(_encode(dialogue, row))
            except ModelError as fault:
                faults.append(str(fault))
        if progress is not None:
            progress(len(tasks), len(unique))
    if faults:
        raise ModelError(
            f"{len(faults)} rows do not fit the model: {'; '.join(faults[:5])}",
            where=str(manifest.path),
            hint="split the audio into shorter segments or leave these rows out; nothing is "
            "truncated",
        )
    task_names, codes = np.unique(tasks, return_inverse=True)
    return PreparedRows(
        rows=unique,
        ids=np.concatenate([one.input_ids for one in kept]),
        offsets=np.concatenate([[0], np.cumsum([len(one.input_ids) for one in kept])]),
        num_target_tokens=np.array([one.num_target_tokens for one in kept]),
        num_audio_tokens=np.array([one.num_audio_tokens for one in kept]),
        tasks=codes,
        task_names=tuple(str(name) for name in task_names),
    )


@dataclass(frozen=True, slots=True)
class UnfitRow:
    """A row that a model does not take.

    Attributes:
        row: Its row in the manifest.
        kind: Such as "too many tokens".
        text: What was found.
    """

    row: int
    kind: str
    text: str


def unfit_rows(
    checkpoint: Checkpoint,
    manifest: Manifest,
    rows: np.ndarray,
    dialogue: Callable[[], DialogueEncoder],
) -> list[UnfitRow]:
    """Find the rows that a model does not take, by what the manifest says of them.

    A token is a byte of text at least, so most rows are known to fit without a tokenizer.

    Args:
        checkpoint: The model.
        manifest: Where the rows are.
        rows: (num_rows,) manifest rows, ascending.
        dialogue: Loads its dialogue encoder, asked only where rows may be too long.

    Returns:
        What does not fit, in the order of the rows.

    Raises:
        MissingExtraError: If rows may be too long and there is no tokenizer to tell.
    """
    limits = limits_of(checkpoint)
    seconds = np.asarray(manifest.column("seconds"), dtype=np.float64)[rows]
    is_known = limits.is_too_short(seconds) | limits.is_too_long(seconds)
    found = [
        UnfitRow(row, *fault)
        for row, length in zip(rows[is_known].tolist(), seconds[is_known].tolist(), strict=True)
        if (fault := limits.fault(length))
    ]
    most = _most_tokens(manifest, rows) + checkpoint.front_end.most_audio_tokens(seconds)
    doubtful = rows[~is_known & (most > checkpoint.max_tokens)]
    for first in range(0, len(doubtful), _CHUNK):
        chunk = doubtful[first : first + _CHUNK]
        for row, values in zip(chunk.tolist(), manifest.rows(chunk), strict=True):
            try:
                _encode(dialogue(), values)
            except ModelError as fault:
                found.append(UnfitRow(row, TOO_MANY_TOKENS, fault.problem))
    return sorted(found, key=lambda one: one.row)


def _most_tokens(manifest: Manifest, rows: np.ndarray) -> np.ndarray:
    """Return more tokens than the words of rows have: (num_rows,) int64."""
    prompts = [words for task in manifest.tasks.values() for words in task.prompts.values()]
    longest = max((len(words.encode()) for words in prompts), default=0)
    counts = []
    messages = manifest.table.column("messages").take(pa.array(rows, pa.int64()))
    for turns in messages.chunks:
        contents = pc.struct_field(turns.flatten(), "content").cast(pa.binary())
        sizes = pc.fill_null(pc.binary_length(contents), 0).to_numpy().astype(np.int64)
        ends = np.cumsum(pc.fill_null(pc.list_value_length(turns), 0).to_numpy())
        sums = np.concatenate([[0], np.cumsum(sizes + _TURN_TOKENS)])[np.concatenate([[0], ends])]
        counts.append(np.diff(sums))
    return np.concatenate([np.zeros(0, np.int64), *counts]) + longest + _FRAME_TOKENS


def check_width(dialogue: DialogueEncoder, encoded: Encoded, name: str) -> None:
    """Refuse a dialogue whose audio turned out longer or shorter than its row says.

    Raises:
        ModelError: If the dialogue exceeds the context, or its audio gives no audio token.
    """
    if len(encoded.input_ids) > dialogue.max_tokens:
        raise ModelError(
            f"{len(encoded.input_ids)} tokens ({encoded.num_audio_tokens} of audio) exceed the "
            f"context of {dialogue.max_tokens}",
            where=name,
            hint="correct the row's `seconds`; nothing is truncated",
        )
    if not encoded.num_audio_tokens and dialogue.audio_id in encoded.input_ids:
        raise ModelError(
            "the row has audio, but no audio tokens came from it",
            where=name,
            hint="fill the feature store again",
        )


def _encode(dialogue: DialogueEncoder, row: Mapping[str, Any]) -> Encoded:
    """Tokenise one dialogue and check its full width, then keep one placeholder of its audio."""
    longest = dialogue.front_end.max_seconds
    if longest is not None and row["seconds"] > longest:
        raise ModelError(f"{row['seconds']} s of audio exceed {longest:.0f} s", where=row["id"])
    num_audio_tokens = dialogue.num_audio_tokens_of(row["seconds"])
    if row["audios"] and num_audio_tokens < 1:
        raise ModelError(f"{row['seconds']} s of audio give no audio token", where=row["id"])
    if len(row["audios"]) > 1:
        raise ModelError(f"{len(row['audios'])} audios in one dialogue", where=row["id"])
    full = dialogue.encode(row["messages"], num_audio_tokens, name=row["id"])
    is_audio = full.input_ids == dialogue.audio_id
    narrow = full.input_ids[~(is_audio & np.roll(is_audio, 1))].astype(np.int32)
    return Encoded(narrow, num_audio_tokens, len(narrow) - full.num_target_tokens)
