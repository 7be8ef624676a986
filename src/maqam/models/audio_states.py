"""What a backbone hears of manifest rows: frames, and aligner outputs on the spot."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from maqam.data.manifest import Manifest
from maqam.errors import AudioError, first_few
from maqam.models.protocol import AudioLLM

TOO_SHORT = "too short for an audio token"


class RowAudio:
    """Frames of manifest rows, as the front end gives them, read when they are asked for.

    Args:
        backbone: The model that hears them.
        manifest: Where the audio is named.
    """

    def __init__(self, backbone: AudioLLM, manifest: Manifest) -> None:
        self.manifest = manifest
        self._front_end = backbone.dialogue.front_end
        self.seconds = np.asarray(manifest.column("seconds"), dtype=np.float64)

    def __call__(self, row: int) -> np.ndarray:
        """Return the (num_frames, num_bins) float32 frames of a row, empty for text.

        Raises:
            AudioError: If the file cannot be read as the row says, or is too short for a frame.
        """
        if not self.seconds[row]:
            return np.zeros((0, self._front_end.num_bins), dtype=np.float32)
        clip = self.manifest.clips([row])[row]
        frames = self._front_end.frames(clip.read(self._front_end.sample_rate))
        if not len(frames):
            raise _beyond([row], TOO_SHORT)
        return frames


class EncodedStates:
    """Aligner outputs computed when they are asked for, by an encoder that does not train.

    Args:
        backbone: The model, its encoder frozen.
        log_mels: Gives the frames of manifest rows, empty for text.
    """

    def __init__(
        self, backbone: AudioLLM, log_mels: Callable[[Sequence[int]], list[np.ndarray]]
    ) -> None:
        self._backbone, self._log_mels = backbone, log_mels

    def __call__(self, rows: Sequence[int]) -> list[Tensor]:
        """Return the aligner outputs [T_i, D] float32 of manifest rows; zero length for text rows.

        Raises:
            AudioError: If audio cannot be read, or is too short for a single audio token.
        """
        return encode_rows(self._backbone, self._log_mels(rows), rows)


def encoded_states(backbone: AudioLLM, manifest: Manifest) -> EncodedStates:
    """Return the aligner outputs of a manifest's rows without storing them."""
    audio = RowAudio(backbone, manifest)
    return EncodedStates(backbone, lambda rows: [audio(int(row)) for row in rows])


def encode_rows(
    backbone: AudioLLM, log_mels: Sequence[np.ndarray], rows: Iterable[int]
) -> list[Tensor]:
    """Return the aligner outputs [T_i, D] of frames, float32 on the CPU.

    Args:
        backbone: The model.
        log_mels: (num_frames, num_bins) each, empty for text.
        rows: Their manifest rows, to be named in an error.

    Raises:
        AudioError: If audio is too short for a single audio token, or too long for the encoder.
    """
    front_end = backbone.dialogue.front_end
    counted = [(int(row), len(one)) for row, one in zip(rows, log_mels, strict=True) if len(one)]
    too_short = [row for row, count in counted if front_end.num_audio_tokens(count) < 1]
    too_long = [row for row, count in counted if front_end.exceeds(count)]
    for found, fault in (
        (too_short, TOO_SHORT),
        (too_long, f"longer than the {front_end.max_seconds} s that the encoder takes"),
    ):
        if found:
            raise _beyond(found, fault)
    with torch.no_grad():
        heard = iter(backbone.encode_audio([frames for frames in log_mels if len(frames)]))
    silent = torch.zeros(0, backbone.audio_dim)
    return [next(heard).float().cpu() if len(frames) else silent for frames in log_mels]


def _beyond(rows: list[int], fault: str) -> AudioError:
    return AudioError(
        f"the audio of {len(rows)} rows is {fault}: {first_few(rows)}",
        where="manifest rows",
        hint="leave them out",
    )
