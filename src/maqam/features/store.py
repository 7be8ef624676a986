"""The feature store: aligner outputs of a frozen encoder, computed once and memory-mapped.

A folder of `states.npy` (all frames, one utterance after the other), `offsets.npy` (where each
starts), `rows.npy` (its manifest row), `pooled.npy` (its mean over frames) and `store.json`, which
is written last: without it the store is half written and nothing reads it. Utterances lie in the
order they were computed in, so that filling only ever appends, and a killed fill goes on where its
last note in `filling.json` says.

The folder belongs to one writer at a time.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maqam.errors import StoreError, first_few
from maqam.features.npy_file import GrowingArray
from maqam.files import whole_file, write_json, writing

FORMAT_VERSION = 1
DONE, FILLING = "store.json", "filling.json"
_WHAT = "the feature store"
_GO_ON = (
    "make room on the disk or name another folder, then run the same command: it goes on where "
    "it was stopped"
)
NOTE_SECONDS = 5.0  # between notes: each waits for the disk, most of a tenth of a second
AUDIO_KEY = "contents 1"  # what stands for audio; stores of before went by sizes of files
POOLED_ONLY = "means only"  # in the place of a number format: no states are kept
STATES, OFFSETS, ROWS, POOLED = "states.npy", "offsets.npy", "rows.npy", "pooled.npy"


class FeatureStore:
    """Aligner outputs of manifest rows, read from disk.

    Args:
        folder: A finished store.
        inputs: What the store must have been made from, as `store_contents` names it; None to take
            it as it is.

    Raises:
        StoreError: If there is no store, it is half written, broken, or made from other inputs.
    """

    def __init__(self, folder: Path, inputs: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        record = _read_record(folder)
        self.inputs: dict[str, str] = record["inputs"]
        if inputs is not None:
            _refuse_other(folder, self.inputs, inputs)
        self._states = None
        if self.inputs["dtype"] != POOLED_ONLY:
            self._states = _opened(folder / STATES, (record["num_frames"], record["dim"]))
        self._offsets = np.array(_opened(folder / OFFSETS, (record["num_rows"] + 1,)))
        self._pooled = _opened(folder / POOLED, (record["num_rows"], record["dim"]))
        self._rows = np.array(_opened(folder / ROWS, (record["num_rows"],)))
        self._order = np.argsort(self._rows, kind="stable")

    def __call__(self, rows: Sequence[int]) -> list[Tensor]:
        """Return the aligner outputs [T_i, D] float32 of manifest rows; zero length for text rows.

        Raises:
            StoreError: If a row is not in the store, or the store keeps means only.
        """
        states = self._states
        if states is None:
            raise StoreError(
                "the feature store keeps the means of aligner outputs only",
                where=str(self.folder),
                hint="set features.keep: states",
            )
        return [
            torch.from_numpy(states[self._offsets[at] : self._offsets[at + 1]].astype(np.float32))
            for at in self._positions(rows)
        ]

    def frames(self, rows: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Return what is stored of manifest rows, as `StoreWriter.append` takes it.

        Args:
            rows: Manifest rows.

        Returns:
            (num_frames, dim) aligner outputs of each; zeros where the store keeps means only.
        """
        states = self._states
        if states is None:
            counts = self.num_frames(rows)
            return [np.broadcast_to(np.float32(0), (int(one), self.dim)) for one in counts]
        return [states[self._offsets[at] : self._offsets[at + 1]] for at in self._positions(rows)]

    @staticmethod
    def is_whole(folder: Path) -> bool:
        """Tell whether a folder holds a finished store."""
        return (folder / DONE).is_file()

    @staticmethod
    def num_older(folder: Path, inputs: Mapping[str, str]) -> int:
        """Count the stores of a folder that went by sizes of audio files, of the same weights.

        Args:
            folder: Where stores are.
            inputs: What a store would be made from.
        """
        count = 0
        for record in folder.glob(f"*/{DONE}"):
            with suppress(StoreError, OSError):
                found = _read_record(record.parent).get("inputs", {})
                is_older = "audio key" not in found
                count += is_older and found.get("weights") == inputs.get("weights")
        return count

    @property
    def fingerprint(self) -> str:
        """Hash of everything the store was made from: 32 hex digits."""
        return fingerprint_of(self.inputs)

    @property
    def dim(self) -> int:
        """Width of the aligner outputs."""
        return int(self._pooled.shape[1])

    @cached_property
    def rows(self) -> np.ndarray:
        """(num_rows,) int64 manifest rows in the store, ascending."""
        stored: np.ndarray = self._rows[self._order]
        return stored

    def num_frames(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Count the audio tokens of manifest rows: (num_rows,) int64, 0 for text rows."""
        at = self._positions(rows)
        counts: np.ndarray = self._offsets[at + 1] - self._offsets[at]
        return counts

    def pooled(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the (num_rows, dim) float32 mean over frames of manifest rows; 0 for text rows."""
        means: np.ndarray = self._pooled[self._positions(rows)]
        return means

    def _positions(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        wanted = np.asarray(rows, dtype=np.int64)
        found = np.searchsorted(self.rows, wanted)
        is_here = found < len(self.rows)
        is_here[is_here] = self.rows[found[is_here]] == wanted[is_here]
        if not is_here.all():
            absent = wanted[~is_here].tolist()
            raise StoreError(
                f"{len(absent)} manifest rows are not in the store: {first_few(absent)}",
                where=str(self.folder),
                hint="fill a store for these rows: run maqam features again",
            )
        positions: np.ndarray = self._order[found]
        return positions


class StoreWriter:
    """A store being filled, in a fixed order of rows.

    Args:
        folder: Where the store goes; it is made where there is none.
        inputs: What the store is made from, as `store_contents` names it.
        rows: (num_rows,) manifest rows in the order they will be appended.
        dim: Width of the aligner outputs.
        dtype: "float16" or "float32", the number format of the states.

    Raises:
        StoreError: If the folder cannot be written.
    """

    def __init__(
        self, folder: Path, inputs: Mapping[str, str], rows: np.ndarray, dim: int, dtype: str
    ) -> None:
        self.folder = folder
        self._inputs, self._dim = dict(inputs), dim
        self._done = 0, 0
        self._dtype = None if dtype == POOLED_ONLY else np.dtype(dtype).newbyteorder("<")
        with writing(self.folder, _WHAT, error=StoreError, hint=_GO_ON):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / DONE).unlink(missing_ok=True)
            try:
                self._open(*self._noted(rows))
            except ValueError:  # the files are shorter than the note: the machine went down
                (folder / FILLING).unlink()
                self._open(0, 0)
            if not self._pooled.num_rows:
                (folder / FILLING).unlink(missing_ok=True)
                with whole_file(folder / ROWS) as draft, draft.open("wb") as file:
                    np.save(file, rows, allow_pickle=False)
        self._noted_at = time.monotonic()

    @property
    def num_done(self) -> int:
        """Rows written so far, those of an earlier attempt included."""
        return self._done[0]

    def append(self, states: Sequence[np.ndarray], pooled: np.ndarray) -> None:
        """Write the next rows, and from time to time note how many are done.

        Args:
            states: (num_frames, dim) float32 aligner outputs of each row.
            pooled: (num_rows, dim) float32 their means over frames.

        Raises:
            StoreError: If the disk is full or the folder cannot be written, or if a value does
                not fit the store's number format.
        """
        frames = np.concatenate([*states, np.zeros((0, self._dim), dtype=np.float32)])
        largest = float(np.abs(frames).max(initial=0.0))
        limit = float(np.finfo(self._dtype or np.float32).max)
        if not largest <= limit:
            raise StoreError(
                f"an aligner output of size {largest:g} does not fit a store of numbers up to "
                f"{limit:g}",
                where=str(self.folder),
                hint="set features.dtype: float32; if it is not finite, check the weights",
            )
        starts = self._done[1] + np.cumsum([0, *(len(one) for one in states)])
        with writing(self.folder, _WHAT, error=StoreError, hint=_GO_ON):
            if self._states is not None:
                self._states.append(frames)
            self._pooled.append(pooled)
            self._offsets.append(starts[:-1])
            self._done = self._pooled.num_rows, int(starts[-1])
            if time.monotonic() - self._noted_at >= NOTE_SECONDS:
                self._note()

    def finish(self) -> FeatureStore:
        """Mark the store as whole and open it.

        Raises:
            StoreError: If the folder cannot be written.
        """
        num_rows, num_frames = self._done
        record = {
            "format_version": FORMAT_VERSION,
            "fingerprint": fingerprint_of(self._inputs),
            "inputs": self._inputs,
            "num_rows": num_rows,
            "num_frames": num_frames,
            "dim": self._dim,
        }
        with writing(self.folder, _WHAT, error=StoreError, hint=_GO_ON):
            self._offsets.append(np.array([num_frames]))
            for array in self._arrays():
                array.finish()
            write_json(self.folder / DONE, record, _WHAT, error=StoreError)
            (self.folder / FILLING).unlink(missing_ok=True)
        return FeatureStore(self.folder)

    def close(self) -> None:
        """Let go of the files; unless finished, what is done stays for the next attempt."""
        if self.num_done and not (self.folder / DONE).is_file():
            with suppress(OSError, StoreError):  # on a full disk the note before this one stands
                self._note()
        for array in self._arrays():
            array.close()

    def _open(self, num_rows: int, num_frames: int) -> None:
        folder, dim = self.folder, self._dim
        self._offsets = GrowingArray(folder / OFFSETS, "<i8", num_rows=num_rows)
        self._pooled = GrowingArray(folder / POOLED, "<f4", width=dim, num_rows=num_rows)
        self._states = None
        if self._dtype is not None:
            floats = self._dtype.str
            self._states = GrowingArray(folder / STATES, floats, width=dim, num_rows=num_frames)
        self._done = num_rows, num_frames

    def _arrays(self) -> list[GrowingArray]:
        arrays = [self._states, self._pooled, self._offsets]
        return [one for one in arrays if one is not None]

    def _note(self) -> None:
        for array in self._arrays():
            array.sync()
        note = {
            "format_version": FORMAT_VERSION,
            "fingerprint": fingerprint_of(self._inputs),
            "num_rows": self._done[0],
            "num_frames": self._done[1],
        }
        write_json(self.folder / FILLING, note, _WHAT, error=StoreError)
        self._noted_at = time.monotonic()

    def _noted(self, rows: np.ndarray) -> tuple[int, int]:
        """Return the rows and frames of an earlier attempt that can be gone on from."""
        try:
            note = json.loads((self.folder / FILLING).read_text(encoding="utf-8"))
            order = np.load(self.folder / ROWS, allow_pickle=False)
        except (OSError, ValueError):
            return 0, 0
        is_ours = (
            note.get("format_version") == FORMAT_VERSION
            and note.get("fingerprint") == fingerprint_of(self._inputs)
            and np.array_equal(order, rows)
        )
        return (int(note["num_rows"]), int(note["num_frames"])) if is_ours else (0, 0)


def fingerprint_of(inputs: Mapping[str, str]) -> str:
    """Hash named inputs into 32 hex digits, whatever their order.

    Examples:
        >>> fingerprint_of({"a": "1", "b": "2"}) == fingerprint_of({"b": "2", "a": "1"})
        True
    """
    text = json.dumps(dict(inputs), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / DONE
    if not path.is_file():
        is_begun = (folder / FILLING).is_file() or (folder / STATES).is_file()
        raise StoreError(
            "the feature store is half written" if is_begun else "there is no feature store here",
            where=str(folder),
            hint="run maqam features, which goes on where it was stopped",
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        record = None
    if not isinstance(record, dict) or record.get("format_version") != FORMAT_VERSION:
        raise StoreError(
            f"not the description of a feature store of format {FORMAT_VERSION}",
            where=str(path),
            hint="remove the folder and run maqam features",
        )
    return record


def _refuse_other(folder: Path, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    unlike = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    if unlike:
        raise StoreError(
            f"the feature store was made with other {', '.join(unlike)}",
            where=str(folder),
            hint="remove the folder and run maqam features, or name another folder",
        )


def _opened(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the feature store is broken: {error}",
            where=str(path),
            hint="remove the folder and run maqam features",
        ) from error
    if array.shape != shape:
        raise StoreError(
            f"the feature store is broken: shape {array.shape}, its description says {shape}",
            where=str(path),
            hint="remove the folder and run maqam features",
        )
    return array
