"""Gradients of single utterances, against a loop that runs them one by one."""

import numpy as np
import pytest
import torch

from maqam.diagnose.gradients import Grams, PartsOfBatchError, UtteranceGradients
from maqam.models.adapters import add_adapter, new_adapter
from maqam.models.audio_states import EncodedStates
from maqam.models.freezing import train_only
from maqam.models.tuning.settings import Experts, NewAdapter, TaskAdapters
from maqam.train.batches import PlanBatches
from maqam.train.log_mels import LogMels
from maqam.train.objective import TrainingModel
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective
from tests.train.corpus import FixedPlan, load_step, make_backbone, make_manifest

ROWS = np.array([0, 1, 2, 3, 5, 6])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_manifest(tmp_path_factory.mktemp("corpus"), 12)


def make_learner(parts):
    backbone = make_backbone()
    if "adapter" in parts:
        add_adapter(backbone, rank=2, alpha=4, seed=0)
        for name, one in backbone.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(one, std=0.05)
    train_only(backbone, parts)
    return backbone, TrainingModel(backbone)


def micro_batches(corpus, backbone, rows, count):
    states = EncodedStates(backbone, LogMels(backbone, corpus, ROWS))
    prepared = prepare_rows(backbone.dialogue, corpus, rows)
    batches = PlanBatches(backbone, FixedPlan(rows[None]), prepared, Objective(), states)
    return load_step(batches, num_micro_batches=count).micro_batches


def one_by_one(corpus, backbone, learner):
    """Return the gradients of each row's mean loss of a token by backpropagation of it alone."""
    named = {name: one for name, one in learner.named_parameters() if one.requires_grad}
    found = {}
    learner.eval()
    for row in ROWS:
        (alone,) = micro_batches(corpus, backbone, np.array([row]), 1)
        loss = learner(alone)[0]  # a row alone in its step: the mean over its tokens
        gradients = torch.autograd.grad(loss, [*named.values()], allow_unused=True)
        found[row] = dict(zip(named, gradients, strict=True))
    return found


@pytest.mark.parametrize("parts", [("adapter",), ("llm",)])
def test_gradients_and_their_products_are_those_of_a_loop_to_1e_5(corpus, parts):
    backbone, learner = make_learner(parts)
    truth = one_by_one(corpus, backbone, learner)
    sampled = UtteranceGradients(learner)
    batches = micro_batches(corpus, backbone, ROWS, 2)
    found = [sampled(one) for one in batches]
    order = np.concatenate([one.rows for one in batches])
    grams = Grams()(found)
    assert sorted(order) == sorted(ROWS)
    assert sampled.parameters
    for name in sampled.parameters:
        wanted = torch.stack([truth[row][name] for row in order])
        whole = torch.cat([one[name] for one in found])
        assert torch.allclose(whole, wanted, atol=1e-5 * float(wanted.abs().max()) + 1e-9)
        flat = wanted.flatten(1).double()
        products = flat @ flat.T
        error = (grams[name] - products).norm() / products.norm()
        assert error < 1e-5


def test_what_trains_outside_of_linear_layers_is_counted(corpus):
    _, learner = make_learner(("adapter",))
    assert UtteranceGradients(learner).num_unseen == 0
    _, learner = make_learner(("llm",))
    sampled = UtteranceGradients(learner)
    total = sum(one.numel() for one in learner.parameters() if one.requires_grad)
    assert sampled.num_unseen > 0
    assert sampled.num_seen + sampled.num_unseen == total


def test_nothing_of_the_model_changes_and_no_gradient_is_written(corpus):
    backbone, learner = make_learner(("adapter",))
    learner.train()
    before = {name: one.clone() for name, one in learner.named_parameters()}
    UtteranceGradients(learner)(micro_batches(corpus, backbone, ROWS, 1)[0])
    assert learner.training
    assert all(one.grad is None for one in learner.parameters())
    assert all(torch.equal(one, before[name]) for name, one in learner.named_parameters())
    assert not any(module._forward_hooks for module in learner.modules())


def test_scales_give_the_products_of_a_preconditioned_metric(corpus):
    backbone, learner = make_learner(("adapter",))
    sampled = UtteranceGradients(learner)
    found = [sampled(one) for one in micro_batches(corpus, backbone, ROWS, 1)]
    rng = torch.Generator().manual_seed(0)
    scales = {
        name: torch.rand(one.shape, generator=rng) + 0.5 for name, one in sampled.parameters.items()
    }
    name = next(iter(sampled.parameters))
    flat = (found[0][name] * scales[name]).flatten(1).double()
    assert torch.allclose(Grams(scales)(found)[name], flat @ flat.T)


def test_the_products_of_heads_sum_to_those_of_their_layer(corpus):
    backbone, learner = make_learner(("adapter",))
    sampled = UtteranceGradients(learner)
    found = [sampled(one) for one in micro_batches(corpus, backbone, ROWS, 1)]
    name = next(one for one in sampled.parameters if "q_proj.lora_B" in one)
    heads = Grams().heads(found, name, backbone.llm.config.num_attention_heads)
    assert torch.allclose(sum(heads), Grams()(found)[name])


class Routed(torch.nn.Module):
    """Two experts, each of which sees the utterances that are sent to it."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    @property
    def weight(self):
        return self.layer.weight

    def forward(self, inputs):
        if len(inputs) == 1:
            return self.layer(inputs)
        half = len(inputs) // 2
        return torch.cat([self.layer(inputs[:half]), self.layer(inputs[half:])])


def test_a_layer_that_runs_on_parts_of_a_batch_is_told_and_is_right_one_by_one(corpus):
    backbone, learner = make_learner(("adapter",))
    truth = one_by_one(corpus, backbone, learner)
    name = next(one for one in UtteranceGradients(learner).parameters if "k_proj.lora_A" in one)
    parent, _, child = name.removesuffix(".weight").rpartition(".")
    owner = learner.get_submodule(parent)
    owner[child] = Routed(owner[child])
    sampled = UtteranceGradients(learner)
    with pytest.raises(PartsOfBatchError, match="a layer ran on"):
        sampled(micro_batches(corpus, backbone, ROWS, 1)[0])
    for row in ROWS:
        (alone,) = micro_batches(corpus, backbone, np.array([row]), 1)
        wanted = truth[row][name]
        assert torch.allclose(
            sampled(alone)[f"{parent}.{child}.layer.weight"][0], wanted, atol=1e-6
        )


@pytest.mark.parametrize("kind", [TaskAdapters("task"), TaskAdapters("hydra"), Experts("moe")])
def test_adapters_that_are_routed_are_right_one_by_one(corpus, kind):
    backbone = make_backbone()
    tasks = tuple(sorted({row["task"] for row in corpus.rows(ROWS)}))
    new_adapter(backbone, NewAdapter(kind, 2, 4, 0.0, 0, tasks))
    train_only(backbone, ("adapter",))
    learner = TrainingModel(backbone)
    with torch.no_grad():
        for name, one in learner.named_parameters():
            if "lora_B" in name:
                one.normal_(std=0.05)
    truth = one_by_one(corpus, backbone, learner)
    sampled = UtteranceGradients(learner)
    assert sampled.num_unseen == 0
    with pytest.raises(PartsOfBatchError, match="matrices are not those of layers"):
        sampled(micro_batches(corpus, backbone, ROWS, 1)[0])
    for row in ROWS[:3]:
        (alone,) = micro_batches(corpus, backbone, np.array([row]), 1)
        for name, one in sampled(alone).items():
            wanted = truth[row][name]
            wanted = torch.zeros_like(one[0]) if wanted is None else wanted
            assert torch.allclose(one[0], wanted, atol=1e-6)
