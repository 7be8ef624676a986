"""Aligner outputs of manifest rows: computed once into a feature store, or on the spot.

Rows go through the encoder longest first, so that a batch that does not fit into memory fails at
once and the time left is never underestimated. Attention in the encoder does not cross utterances,
so what a row gets does not depend on the rows beside it.
"""

import hashlib
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from maqam.data.contents import contents_mark
from maqam.data.manifest import Manifest
from maqam.errors import AudioError, StoreError, first_few
from maqam.features.pooling import mean_over_frames
from maqam.features.settings import FeatureSettings
from maqam.features.store import (
    AUDIO_KEY,
    DONE,
    POOLED_ONLY,
    FeatureStore,
    StoreWriter,
    fingerprint_of,
)
from maqam.models.audio_states import RowAudio, encode_rows
from maqam.models.dialogue import DialogueEncoder
from maqam.models.protocol import AudioLLM
from maqam.progress import Progress

_DECODERS = 4  # threads that read audio while the encoder runs
_BATCHES_AHEAD = 2
_MOST_ROWS = 1024  # of one batch, whatever its seconds


def audio_fingerprint(manifest: Manifest, rows: np.ndarray) -> str:
    """Hash which audio each row names: contents, start, length and channel.

    Raises:
        AudioError: If files are missing (all are counted), or a row names several.
    """
    counts = pc.list_value_length(manifest.table.column("audios")).to_numpy()[rows]
    if (counts > 1).any():
        several = rows[counts > 1].tolist()
        raise AudioError(
            f"{len(several)} rows name more than one audio file: {first_few(several)}",
            where=str(manifest.path),
            hint="leave them out, or join their audio",
        )
    digest = hashlib.blake2b(digest_size=16)
    clips = manifest.clips(rows)
    marks = {
        path: contents_mark(path) for path in dict.fromkeys(one.path for one in clips.values())
    }
    for row, clip in clips.items():
        segment = f"{clip.start}\x1f{clip.seconds}\x1f{clip.channel}"
        digest.update(f"{row}\x1f{marks[clip.path]}\x1f{segment}\n".encode())
    missing = [str(path) for path, mark in marks.items() if mark is None]
    if missing:
        raise AudioError(
            f"{len(missing)} audio files are missing: {first_few(missing)}",
            where=str(manifest.path),
            hint="maqam data check --fix -o FOLDER writes the rows whose audio is there",
        )
    digest.update(np.setdiff1d(rows, list(clips)).astype("<i8").tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class StoreContents:
    """What a store holds, and everything its numbers depend on.

    Attributes:
        manifest: Where the audio is named.
        rows: (num_rows,) manifest rows, ascending; text rows get no frames.
        settings: Number format and batch size; means alone are kept where `keep` is "pooled".
        inputs: A hash or description by name: weights, preprocessing, audio, dtype.
    """

    manifest: Manifest
    rows: np.ndarray
    settings: FeatureSettings
    inputs: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Hash of what the numbers depend on: 32 hex digits."""
        return fingerprint_of(self.inputs)

    def batches(self) -> list[np.ndarray]:
        """Cut the rows into what goes through the encoder at once, the longest first."""
        seconds = np.asarray(self.manifest.column("seconds"), dtype=np.float64)
        order = self.rows[np.argsort(-seconds[self.rows], kind="stable")]
        return list(_batches(order, seconds[order], self.settings.batch_seconds))


def store_contents(
    backbone: AudioLLM,
    manifest: Manifest,
    rows: np.ndarray,
    settings: FeatureSettings,
    *,
    weights: str | None = None,
) -> StoreContents:
    """Name what a store of manifest rows depends on.

    Args:
        backbone: The model; only encoder and aligner count.
        manifest: Where the audio is named; only the audio of `rows` counts.
        rows: (num_rows,) manifest rows; repetitions are stored once.
        settings: How states are stored, and whether.
        weights: What `encoder_fingerprint` says of the model, where it is known.

    Raises:
        AudioError: If audio files are missing.
    """
    unique = np.unique(rows)
    inputs = {
        "weights": weights or encoder_fingerprint(backbone),
        "preprocessing": backbone.dialogue.front_end.name,
        "audio": audio_fingerprint(manifest, unique),
        "audio key": AUDIO_KEY,
        "dtype": POOLED_ONLY if settings.keep == "pooled" else settings.dtype,
    }
    return StoreContents(manifest, unique, settings, inputs)


def fill_store(
    backbone: AudioLLM,
    contents: StoreContents,
    folder: Path,
    *,
    progress: Progress | None = None,
) -> FeatureStore:
    """Compute the aligner outputs of manifest rows into a store.

    A store that is there already and was made from the same inputs is opened as it is; a half
    written one is gone on with, or begun anew where its inputs were others.

    Args:
        backbone: The model; it is put into evaluation mode.
        contents: What the store holds.
        folder: Where it goes.
        progress: Called with the seconds of audio done and their total.

    Raises:
        AudioError: If audio is missing, cannot be read, or is too short for an audio token.
        StoreError: If a finished store of other inputs is there, or the disk is full.
    """
    if (folder / DONE).is_file():
        return FeatureStore(folder, contents.inputs)
    return _fill(backbone, contents, contents.batches(), folder, progress)


def fill_part(
    backbone: AudioLLM,
    contents: StoreContents,
    folder: Path,
    part: tuple[int, int],
    *,
    progress: Progress | None = None,
) -> None:
    """Compute one process's part of a store, which `join_parts` makes whole.

    Whole batches of the store are dealt out in turn, so that every row is encoded beside the same
    rows as by a single process.

    Args:
        backbone: The model; it is put into evaluation mode.
        contents: What the whole store holds.
        folder: Where the whole store goes.
        part: Number of this process, from 0, and how many there are.
        progress: Called with the seconds of audio done and their total.

    Raises:
        AudioError: If audio is missing, cannot be read, or is too short for an audio token.
        StoreError: If the disk is full.
    """
    own, batches = _part(contents, folder, part), contents.batches()[part[0] :: part[1]]
    part_of = replace(contents, inputs={**contents.inputs, "part": own.name})
    if not (own / DONE).is_file():
        _fill(backbone, part_of, batches, own, progress)


def join_parts(contents: StoreContents, folder: Path, num_parts: int) -> FeatureStore:
    """Join the parts of all processes to the store that one process would have written.

    Args:
        contents: What the whole store holds.
        folder: Where the whole store goes.
        num_parts: How many processes there were.

    Raises:
        StoreError: If a part is missing or of other inputs, or the disk is full.
    """
    places = [_part(contents, folder, (index, num_parts)) for index in range(num_parts)]
    parts = [FeatureStore(own, {**contents.inputs, "part": own.name}) for own in places]
    batches = contents.batches()
    inputs, dtype = contents.inputs, contents.inputs["dtype"]
    writer = StoreWriter(folder, inputs, _joined(batches), parts[0].dim, dtype)
    try:
        done = 0
        for index, batch in enumerate(batches):
            done += len(batch)
            if done > writer.num_done:
                part = parts[index % num_parts]
                writer.append(part.frames(batch), part.pooled(batch))
        whole = writer.finish()
    finally:
        writer.close()
    for own in places:
        shutil.rmtree(own, ignore_errors=True)
    return whole


def states_bytes(dialogue: DialogueEncoder, manifest: Manifest, rows: np.ndarray, dim: int) -> int:
    """Estimate what the aligner outputs of manifest rows take in half precision, in bytes.

    Args:
        dialogue: Counts audio tokens.
        manifest: Where the rows are.
        rows: (num_rows,) manifest rows.
        dim: Width of the aligner outputs.
    """
    seconds, counts = np.unique(np.asarray(manifest.column("seconds"))[rows], return_counts=True)
    tokens = [dialogue.num_audio_tokens_of(float(one)) for one in seconds]
    return int(np.dot(tokens, counts)) * dim * 2


def _fill(
    backbone: AudioLLM,
    contents: StoreContents,
    batches: Sequence[np.ndarray],
    folder: Path,
    progress: Progress | None,
) -> FeatureStore:
    """Encode batches into a store, those left where it was begun before."""
    audio, dtype = RowAudio(backbone, contents.manifest), contents.inputs["dtype"]
    order = _joined(batches)
    writer = StoreWriter(folder, contents.inputs, order, backbone.audio_dim, dtype)
    try:
        _check_room(backbone, audio.seconds[order[writer.num_done :]], folder, dtype)
        backbone.model.eval()
        total = audio.seconds[order].sum()
        for batch, log_mels in _read_ahead(audio, _left(batches, writer.num_done)):
            states = encode_rows(backbone, log_mels, batch)
            writer.append([one.numpy() for one in states], _pooled(states))
            if progress is not None:
                done = audio.seconds[order[: writer.num_done]].sum()
                progress(round(done), round(total))
        return writer.finish()
    finally:
        writer.close()


def _left(batches: Sequence[np.ndarray], num_done: int) -> list[np.ndarray]:
    """Return the batches without their first rows."""
    left = []
    for batch in batches:
        if num_done < len(batch):
            left.append(batch[num_done:])
        num_done = max(0, num_done - len(batch))
    return left


def _joined(batches: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *batches])


def _part(contents: StoreContents, folder: Path, part: tuple[int, int]) -> Path:
    """Return the folder of a process's part; other contents have another."""
    return folder / f"part-{part[0] + 1}-of-{part[1]}-{contents.fingerprint[:8]}"


def _pooled(states: Sequence[Tensor]) -> np.ndarray:
    """Return the (num_rows, dim) float32 means over frames, 0 where there are none."""
    lengths = torch.tensor([len(one) for one in states])
    padded = pad_sequence(list(states), batch_first=True)
    if not padded.shape[1]:
        return padded.new_zeros(len(states), padded.shape[2]).numpy()
    return mean_over_frames(padded, lengths.clamp(min=1)).numpy()


def _batches(rows: np.ndarray, seconds: np.ndarray, batch_seconds: float) -> Iterator[np.ndarray]:
    """Cut rows into runs of at most `batch_seconds`, each with a row at least."""
    first, held = 0, 0.0
    for position, length in enumerate(seconds):
        is_full = held + length > batch_seconds or position - first >= _MOST_ROWS
        if is_full and position > first:
            yield rows[first:position]
            first, held = position, 0.0
        held += float(length)
    if first < len(rows):
        yield rows[first:]


def _read_ahead(
    audio: RowAudio, batches: Iterable[np.ndarray]
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Yield batches with their log-mels, the next ones being read meanwhile."""
    ahead: deque[tuple[np.ndarray, list[Future[np.ndarray]]]] = deque()
    pool = ThreadPoolExecutor(_DECODERS)
    try:
        for batch in batches:
            ahead.append((batch, [pool.submit(audio, int(row)) for row in batch]))
            if len(ahead) > _BATCHES_AHEAD:
                ready, futures = ahead.popleft()
                yield ready, [one.result() for one in futures]
        while ahead:
            ready, futures = ahead.popleft()
            yield ready, [one.result() for one in futures]
    finally:
        pool.shutdown(cancel_futures=True)


def _check_room(backbone: AudioLLM, seconds: np.ndarray, folder: Path, dtype: str) -> None:
    """Refuse to begin what the disk cannot hold."""
    num_bytes = 0 if dtype == POOLED_ONLY else np.dtype(dtype).itemsize
    tokens = sum(backbone.dialogue.num_audio_tokens_of(float(one)) for one in seconds)
    needed = tokens * backbone.audio_dim * num_bytes + len(seconds) * backbone.audio_dim * 4
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the feature store needs {needed / 1e9:.1f} GB more, the disk has {free / 1e9:.1f} GB",
            where=str(folder),
            hint="make room, name another folder, or choose fewer rows",
        )


def encoder_fingerprint(backbone: AudioLLM) -> str:
    """Hash the parameters that aligner outputs depend on, and their number format."""
    parts = backbone.parts()
    counted = {*parts["encoder"], *parts["aligner"]}
    digest = hashlib.blake2b(digest_size=16)
    parameters: Mapping[str, Tensor] = dict(backbone.model.named_parameters())
    for name in sorted(counted):
        plain = parameters[name].detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
        digest.update(plain.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
