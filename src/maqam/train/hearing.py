"""Audio of manifest rows while a model trains: log-mels, or the outputs of a frozen encoder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maqam.data.audio import read_audio
from maqam.data.log_mel import log_mel
from maqam.data.manifest import Manifest
from maqam.errors import AudioError, first_few
from maqam.models.backbone import Backbone

CACHE_BYTES = 2 << 30


class LogMels:
    """Log-mels of manifest rows, kept in memory in half precision where all of them fit.

    They pass through half precision whether kept or not, so that a run does not depend on it.

    Args:
        backbone: The model that hears them.
        manifest: Where the audio is named.
        rows: (num_rows,) rows that will be asked for.

    Raises:
        AudioError: If audio files are missing; the message counts them and names the first.
    """

    def __init__(self, backbone: Backbone, manifest: Manifest, rows: np.ndarray) -> None:
        self._manifest = manifest
        self._start = np.asarray(manifest.column("start"), dtype=np.float64)
        self._seconds = np.asarray(manifest.column("seconds"), dtype=np.float64)
        self._sample_rate = backbone.sample_rate
        self._num_mel_bins = backbone.num_mel_bins
        num_frames = self._seconds[rows].sum() * backbone.frames_per_second
        self._keep = bool(num_frames * self._num_mel_bins * 2 <= CACHE_BYTES)
        self._kept: dict[int, np.ndarray] = {}
        self._check_files(rows)

    def __call__(self, rows: Sequence[int]) -> list[np.ndarray]:
        """Give the (num_frames, num_mel_bins) float32 log-mel of each row, empty for text."""
        return [self._one(int(row)).astype(np.float32) for row in rows]

    def _one(self, row: int) -> np.ndarray:
        if row in self._kept:
            return self._kept[row]
        if not self._seconds[row]:
            return np.zeros((0, self._num_mel_bins), dtype=np.float16)
        samples = read_audio(
            self._manifest.audio_path(row),
            start=float(self._start[row]),
            seconds=float(self._seconds[row]),
            sample_rate=self._sample_rate,
        )
        frames = log_mel(samples, num_mel_bins=self._num_mel_bins).astype(np.float16)
        if self._keep:
            self._kept[row] = frames
        return frames

    def _check_files(self, rows: np.ndarray) -> None:
        spoken = [int(row) for row in rows if self._seconds[row]]
        paths = {str(self._manifest.audio_path(row)) for row in spoken}
        missing = sorted(path for path in paths if not Path(path).is_file())
        if missing:
            raise AudioError(
                f"{len(missing)} audio files are missing: {first_few(missing)}",
                where=str(self._manifest.path),
                hint="run `maqam data check` on the manifest",
            )


class OnlineStates:
    """Aligner outputs computed on the spot, by an encoder that does not train.

    Args:
        backbone: The model.
        log_mels: Where its input comes from.
    """

    def __init__(self, backbone: Backbone, log_mels: LogMels) -> None:
        self._backbone = backbone
        self._log_mels = log_mels

    @torch.no_grad()
    def __call__(self, rows: Sequence[int]) -> list[Tensor]:
        """Give the aligner outputs [T_i, D] of manifest rows; zero length for text rows."""
        log_mels = self._log_mels(rows)
        heard = iter(self._backbone.encode_audio([one for one in log_mels if len(one)]))
        silent = torch.zeros(0, self._backbone.audio_dim)
        return [next(heard) if len(one) else silent for one in log_mels]
