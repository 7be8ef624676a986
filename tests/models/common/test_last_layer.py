import pytest
import torch

from maqam.models.adapters import add_adapter
from maqam.models.common.last_layer import last_layer_at
from maqam.models.protocol import collate
from maqam.train.objective import supervise
from tests.train.corpus import make_backbone

ANSWERS = ("نعم", "مرحبا يا صديقي", "لا")


def make_batch(backbone):
    messages = [
        [{"role": "user", "content": "كيف الحال " * 5}, {"role": "assistant", "content": answer}]
        for answer in ANSWERS
    ]
    encoded = [backbone.dialogue.encode(one, 0) for one in messages]
    silent = torch.zeros(0, backbone.audio_dim)
    return collate(encoded, [silent] * len(encoded), backbone.dialogue.padding_id)


@pytest.fixture
def backbone():
    return make_backbone()


@pytest.mark.parametrize("has_adapter", [False, True])
def test_supervised_positions_and_their_gradients_do_not_notice(backbone, has_adapter):
    if has_adapter:
        add_adapter(backbone, rank=4, alpha=8, seed=0)
    batch = make_batch(backbone)
    positions, _, _ = supervise(batch)
    language_model = backbone.model.model.language_model

    def outcome():
        backbone.model.zero_grad()
        chosen = backbone.hidden(batch).flatten(0, 1)[positions]
        chosen.square().mean().backward()
        named = backbone.model.named_parameters()
        return chosen.detach(), {name: one.grad for name, one in named if one.grad is not None}

    whole, whole_gradients = outcome()
    with last_layer_at(language_model, positions):
        trimmed, gradients = outcome()
    assert torch.allclose(trimmed, whole, atol=1e-5)
    assert gradients.keys() == whole_gradients.keys()
    for name, one in gradients.items():
        assert torch.allclose(one, whole_gradients[name], atol=1e-6), name


def test_the_model_is_whole_again_afterwards(backbone):
    batch = make_batch(backbone)
    before = backbone.hidden(batch)
    with last_layer_at(backbone.model.model.language_model, torch.tensor([3])):
        trimmed = backbone.hidden(batch)
    assert not torch.allclose(trimmed, before, atol=1e-3)
    assert torch.equal(backbone.hidden(batch), before)
