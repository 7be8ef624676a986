"""Feature extractors of transformers that need torchaudio, on transformers' own spectrograms.

They stand in for torchaudio, whose newest release does not go with every torch; that they give
its numbers is held by `tests/models/test_stacked_mels.py`.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function


def kaldi_fbank(waveform: Tensor, num_mel_bins: int) -> Tensor:
    """Return the (num_frames, num_mel_bins) frames of `torchaudio.compliance.kaldi.fbank`."""
    filters = mel_filter_bank(
        num_frequency_bins=257,
        num_mel_filters=num_mel_bins,
        min_frequency=20,
        max_frequency=8000,
        sampling_rate=16_000,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    made = spectrogram(
        waveform.numpy(),
        window_function(400, "hamming", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=filters,
        log_mel="log",
        mel_floor=1.192092955078125e-07,
        remove_dc_offset=True,
    )
    return torch.from_numpy(np.ascontiguousarray(made.T, dtype=np.float32))


class MelSpectrogram:
    """`torchaudio.transforms.MelSpectrogram`."""

    def __init__(self, *, n_mels: int, sample_rate: int, **settings: int) -> None:
        self.settings = settings
        self.filters = mel_filter_bank(
            num_frequency_bins=settings["n_fft"] // 2 + 1,
            num_mel_filters=n_mels,
            min_frequency=0,
            max_frequency=sample_rate / 2,
            sampling_rate=sample_rate,
            mel_scale="htk",
        )

    def to(self, device: str) -> "MelSpectrogram":
        return self

    def __call__(self, samples: Tensor) -> Tensor:
        window = torch.hann_window(self.settings["win_length"])
        spectrum = torch.stft(samples, **self.settings, window=window, return_complex=True)
        return torch.from_numpy(self.filters.T.astype(np.float32)) @ spectrum.abs().square()


torchaudio = SimpleNamespace(transforms=SimpleNamespace(MelSpectrogram=MelSpectrogram))


class AnyExtractor:
    """A processor that takes feature extractors that transformers does not list."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        return type(argument)
