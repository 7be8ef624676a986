import numpy as np
import pytest
import torch

from maqam.data.audio import read_audio
from maqam.errors import AudioError
from maqam.models.audio_states import EncodedStates
from maqam.models.log_mel import log_mel
from maqam.train import log_mels
from maqam.train.log_mels import LogMels

from .corpus import make_manifest

SPOKEN, WRITTEN = 0, 2


def test_a_row_gives_the_log_mel_of_its_audio(backbone, manifest):
    (frames,) = LogMels(backbone, manifest, np.array([SPOKEN]))([SPOKEN])
    expected = log_mel(read_audio(manifest.audio_path(SPOKEN)))
    assert frames.dtype == np.float32
    assert np.allclose(frames, expected, atol=2e-3)


def test_a_run_does_not_depend_on_what_is_kept_in_memory(backbone, manifest, monkeypatch):
    kept = LogMels(backbone, manifest, np.array([SPOKEN]))
    kept([SPOKEN])
    monkeypatch.setattr(log_mels, "CACHE_BYTES", 0)
    read_again = LogMels(backbone, manifest, np.array([SPOKEN]))
    assert np.array_equal(kept([SPOKEN])[0], read_again([SPOKEN])[0])
    assert not read_again._kept


def test_missing_audio_is_named_before_training(backbone, tmp_path):
    manifest = make_manifest(tmp_path, 8)
    for index in (0, 1, 3):
        manifest.audio_path(index).unlink()
    with pytest.raises(AudioError, match=r"3 audio files are missing: .*0\.wav"):
        LogMels(backbone, manifest, np.arange(8))


def test_aligner_outputs_computed_on_the_spot_need_no_gradient(backbone, manifest):
    states = EncodedStates(backbone, LogMels(backbone, manifest, np.arange(4)))
    spoken, written = states([SPOKEN, WRITTEN])
    assert written.shape == (0, backbone.audio_dim)
    assert not spoken.requires_grad
    expected = backbone.encode_audio(LogMels(backbone, manifest, np.arange(4))([SPOKEN]))[0]
    assert torch.equal(spoken, expected)
