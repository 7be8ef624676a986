"""Attention in single precision inside mixed precision."""

import pytest
import torch
import torch.nn.functional as F

from maqam.models.common.attention import single_precision_attention
from maqam.models.pocket import new_pocket


@pytest.fixture
def model():
    return new_pocket(["نعم لا"], 0).model


def dtypes_attended_in(model, frames, monkeypatch):
    """Return encoder states under bfloat16, and the number formats attention was called with."""
    seen, attend = set(), F.scaled_dot_product_attention

    def watched(query, *args, **settings):
        seen.add(query.dtype)
        return attend(query, *args, **settings)

    monkeypatch.setattr(F, "scaled_dot_product_attention", watched)
    with torch.autocast("cpu", torch.bfloat16):
        lengths = torch.tensor([frames.shape[1]])
        states = model.model.audio_tower(frames, feature_lens=lengths).last_hidden_state
    monkeypatch.setattr(F, "scaled_dot_product_attention", attend)
    return states, seen


def test_only_attention_leaves_mixed_precision_and_comes_back(model, monkeypatch):
    frames = torch.randn(128, 230, generator=torch.Generator().manual_seed(0))
    plain, seen = dtypes_attended_in(model, frames, monkeypatch)
    assert seen == {torch.bfloat16}
    with single_precision_attention(model):
        single, seen = dtypes_attended_in(model, frames, monkeypatch)
    assert seen == {torch.float32}
    assert single.dtype == plain.dtype == torch.bfloat16
    assert (single - plain).abs().max() < 0.05 * plain.abs().max()
    assert dtypes_attended_in(model, frames, monkeypatch)[1] == {torch.bfloat16}


def test_every_part_attends_as_before_afterwards(model):
    parts = [model, model.model.audio_tower, model.model.language_model]
    before = [part.config._attn_implementation for part in parts]
    assert len(set(before)) == 2  # encoder and LLM attend in their own ways
    with single_precision_attention(model):
        assert len({part.config._attn_implementation for part in parts}) == 1
    assert [part.config._attn_implementation for part in parts] == before


def test_in_full_precision_it_changes_nothing(model):
    frames = torch.randn(128, 230, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([230])
    plain = model.model.audio_tower(frames, feature_lens=lengths).last_hidden_state
    with single_precision_attention(model):
        single = model.model.audio_tower(frames, feature_lens=lengths).last_hidden_state
    assert torch.equal(plain, single)
