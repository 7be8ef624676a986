"""The encoder's chunks side by side: the same states and gradients from fewer calls."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maqam.models.common.attention import single_precision_attention
from maqam.models.pocket import new_pocket
from maqam.models.qwen_omni.chunks import encode_side_by_side
from maqam.models.qwen_omni.family import QWEN_OMNI

LENGTHS = np.array([201, 30, 400, 199, 650])  # a chunk is 200 frames; one here is a single frame


@pytest.fixture
def tower():
    return new_pocket(["نعم لا"], 0).model.model.audio_tower


@pytest.fixture
def frames():
    return torch.randn(128, LENGTHS.sum(), generator=torch.Generator().manual_seed(0))


def chunk_by_chunk(tower, frames):
    return tower(frames, feature_lens=torch.from_numpy(LENGTHS)).last_hidden_state


def gradients(tower, states):
    tower.zero_grad()
    (states * torch.linspace(-1, 1, states.numel()).view_as(states)).sum().backward()
    return {
        name: one.grad.clone() for name, one in tower.named_parameters() if one.grad is not None
    }


def test_states_and_gradients_are_those_of_chunk_after_chunk(tower, frames):
    apart, together = chunk_by_chunk(tower, frames), encode_side_by_side(tower, frames, LENGTHS)
    assert apart.shape == together.shape
    assert (apart - together).abs().max() < 1e-5 * apart.abs().max()
    wanted, found = gradients(tower, apart), gradients(tower, together)
    assert wanted.keys() == found.keys()
    for name, gradient in wanted.items():
        assert (gradient - found[name]).norm() < 1e-4 * gradient.norm() + 1e-6, name


def test_attention_is_called_once_a_layer(tower, frames, monkeypatch):
    calls, attend = [], F.scaled_dot_product_attention

    def watched(query, *args, **settings):
        calls.append(tuple(query.shape))
        return attend(query, *args, **settings)

    monkeypatch.setattr(F, "scaled_dot_product_attention", watched)
    encode_side_by_side(tower, frames, LENGTHS)
    num_heads, num_layers = tower.config.encoder_attention_heads, tower.config.encoder_layers
    width = tower.config.d_model // num_heads
    assert calls == [(10, num_heads, 100, width)] * num_layers
    calls.clear()
    chunk_by_chunk(tower, frames)
    assert len(calls) == 10 * num_layers


def test_chunks_stay_apart_in_single_precision_attention_too(tower, frames):
    with single_precision_attention(tower):
        together = encode_side_by_side(tower, frames, LENGTHS)
    assert (chunk_by_chunk(tower, frames) - together).abs().max() < 1e-5


def test_a_chunk_hears_nothing_of_its_neighbours(tower, frames):
    before = encode_side_by_side(tower, frames, LENGTHS)
    changed = frames.clone()
    first = int(LENGTHS[:2].sum())
    changed[:, first : first + 200] += 1.0  # the first of the two chunks of the third utterance
    after = encode_side_by_side(tower, changed, LENGTHS)
    is_changed = (before != after).any(dim=1).nonzero()[:, 0]
    tokens_before = sum(QWEN_OMNI.front_end.num_audio_tokens(int(one)) for one in LENGTHS[:2])
    assert is_changed.tolist() == list(range(tokens_before, tokens_before + 50))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_backbone_on_a_gpu_hears_as_on_a_processor_with_a_call_a_layer(monkeypatch):
    backbone = new_pocket(["نعم لا"], 0)
    rng = np.random.default_rng(0)
    log_mels = [rng.normal(size=(one, 128)).astype(np.float32) for one in LENGTHS]
    wanted = backbone.encode_audio(log_mels)
    backbone.model.to("cuda")
    calls, attend = [], F.scaled_dot_product_attention

    def watched(query, *args, **settings):
        calls.append(query.shape)
        return attend(query, *args, **settings)

    monkeypatch.setattr(F, "scaled_dot_product_attention", watched)
    found = backbone.encode_audio(log_mels)
    assert len(calls) == backbone.model.config.audio_config.encoder_layers
    for one, other in zip(wanted, found, strict=True):
        assert (one - other.cpu()).abs().max() < 1e-2 * one.abs().max()
