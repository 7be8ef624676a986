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
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from maqam.data.manifest import Manifest
from maqam.errors import AudioError, StoreError, first_few
from maqam.features.pooling import mean_over_frames
from maqam.features.settings import FeatureSettings
from maqam.features.store import DONE, FeatureStore, StoreWriter
from maqam.models.audio_states import RowAudio, encode_rows
from maqam.models.protocol import AudioLLM
from maqam.progress import Progress

_DECODERS = 4  # threads that read audio while the encoder runs
_BATCHES_AHEAD = 2
_MOST_ROWS = 1024  # of one batch, whatever its seconds


def audio_fingerprint(audio: RowAudio, rows: np.ndarray) -> str:
    """Hash which audio each row names: path, size in bytes, start and length.

    Sizes stand for contents: hashing thousands of hours would take longer than encoding them.

    Raises:
        AudioError: If files are missing (all are counted), or a row names several.
    """
    counts = pc.list_value_length(audio.manifest.table.column("audios")).to_numpy()[rows]
    if (counts > 1).any():
        several = rows[counts > 1].tolist()
        raise AudioError(
            f"{len(several)} rows name more than one audio file: {first_few(several)}",
            where=str(audio.manifest.path),
            hint="leave them out, or join their audio",
        )
    digest = hashlib.blake2b(digest_size=16)
    sizes: dict[Path, int | None] = {}
    for row in rows[audio.seconds[rows] > 0]:
        path = audio.manifest.audio_path(int(row))
        if path not in sizes:
            sizes[path] = path.stat().st_size if path.is_file() else None
        name = audio.manifest.table.column("audios")[int(row)][0].as_py()
        text = f"{row}\x1f{name}\x1f{sizes[path]}\x1f{audio.start[row]}\x1f{audio.seconds[row]}\n"
        digest.update(text.encode())
    missing = [str(path) for path, size in sizes.items() if size is None]
    if missing:
        raise AudioError(
            f"{len(missing)} audio files are missing: {first_few(missing)}",
            where=str(audio.manifest.path),
            hint="run maqam data check on the manifest",
        )
    digest.update(rows[audio.seconds[rows] == 0].astype("<i8").tobytes())
    return digest.hexdigest()


def store_inputs(
    backbone: AudioLLM, manifest: Manifest, rows: np.ndarray, settings: FeatureSettings
) -> dict[str, str]:
    """Name everything the numbers of a store depend on.

    Args:
        backbone: The model; only encoder and aligner count.
        manifest: Where the audio is named; only the audio of `rows` counts.
        rows: (num_rows,) manifest rows.
        settings: How states are stored.

    Returns:
        A hash or description by name: weights, preprocessing, audio, dtype. Its hash by
        `fingerprint_of` is the fingerprint of the store.
    """
    audio = RowAudio(backbone, manifest)
    return {
        "weights": _encoder_fingerprint(backbone),
        "preprocessing": backbone.dialogue.front_end.name,
        "audio": audio_fingerprint(audio, np.unique(rows)),
        "dtype": settings.dtype,
    }


def fill_store(
    backbone: AudioLLM,
    manifest: Manifest,
    rows: np.ndarray,
    folder: Path,
    *,
    settings: FeatureSettings,
    progress: Progress | None = None,
) -> FeatureStore:
    """Compute the aligner outputs of manifest rows into a store.

    A store that is there already and was made from the same inputs is opened as it is; a half
    written one is gone on with, or begun anew where its inputs were others.

    Args:
        backbone: The model; it is put into evaluation mode.
        manifest: Where the audio is named.
        rows: (num_rows,) manifest rows; repetitions are stored once. Text rows get no frames.
        folder: Where the store goes.
        settings: Number format and batch size.
        progress: Called with the seconds of audio done and their total.

    Raises:
        AudioError: If audio is missing, cannot be read, or is too short for an audio token.
        StoreError: If a finished store of other inputs is there, or the disk is full.
    """
    inputs = store_inputs(backbone, manifest, rows, settings)
    if (folder / DONE).is_file():
        return FeatureStore(folder, inputs)
    audio = RowAudio(backbone, manifest)
    unique = np.unique(rows)
    order = unique[np.argsort(-audio.seconds[unique], kind="stable")]
    writer = StoreWriter(folder, inputs, order, backbone.audio_dim, settings.dtype)
    try:
        left = order[writer.num_done :]
        _check_room(backbone, audio.seconds[left], folder, np.dtype(settings.dtype).itemsize)
        backbone.model.eval()
        total = audio.seconds[order].sum()
        batches = _batches(left, audio.seconds[left], settings.batch_seconds)
        for batch, log_mels in _read_ahead(audio, batches):
            states = encode_rows(backbone, log_mels, batch)
            writer.append([one.numpy() for one in states], _pooled(states))
            if progress is not None:
                done = audio.seconds[order[: writer.num_done]].sum()
                progress(round(done), round(total))
        return writer.finish()
    finally:
        writer.close()


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


def _check_room(backbone: AudioLLM, seconds: np.ndarray, folder: Path, num_bytes: int) -> None:
    """Refuse to begin what the disk cannot hold."""
    tokens = sum(backbone.dialogue.num_audio_tokens_of(float(one)) for one in seconds)
    needed = tokens * backbone.audio_dim * num_bytes + len(seconds) * backbone.audio_dim * 4
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the feature store needs {needed / 1e9:.1f} GB more, the disk has {free / 1e9:.1f} GB",
            where=str(folder),
            hint="make room, name another folder, or choose fewer rows",
        )


def _encoder_fingerprint(backbone: AudioLLM) -> str:
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
