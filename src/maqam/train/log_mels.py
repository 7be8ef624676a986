"""What an encoder hears of manifest rows while it trains, kept in memory where it fits.

Most encoders hear log-mels; those with frames of another kind are served alike.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maqam.data.manifest import Manifest
from maqam.errors import AudioError, first_few
from maqam.models.audio_states import RowAudio
from maqam.models.protocol import AudioLLM

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

    def __init__(self, backbone: AudioLLM, manifest: Manifest, rows: np.ndarray) -> None:
        self._audio = RowAudio(backbone, manifest)
        front_end = backbone.dialogue.front_end
        num_frames = self._audio.seconds[rows].sum() * front_end.frames_per_second
        self._keep = bool(num_frames * front_end.num_bins * 2 <= CACHE_BYTES)
        self._kept: dict[int, np.ndarray] = {}
        self._check_files(rows)

    def __call__(self, rows: Sequence[int]) -> list[np.ndarray]:
        """Return the (num_frames, num_mel_bins) float32 log-mel of each row, empty for text."""
        return [self._one(int(row)).astype(np.float32) for row in rows]

    def _one(self, row: int) -> np.ndarray:
        if row in self._kept:
            return self._kept[row]
        frames = self._audio(row).astype(np.float16)
        if self._keep:
            self._kept[row] = frames
        return frames

    def _check_files(self, rows: np.ndarray) -> None:
        spoken = [int(row) for row in rows if self._audio.seconds[row]]
        paths = {str(self._audio.manifest.audio_path(row)) for row in spoken}
        missing = sorted(path for path in paths if not Path(path).is_file())
        if missing:
            raise AudioError(
                f"{len(missing)} audio files are missing: {first_few(missing)}",
                where=str(self._audio.manifest.path),
                hint="run `maqam data check` on the manifest",
            )
