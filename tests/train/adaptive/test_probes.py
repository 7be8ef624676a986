"""Losses and gradients on fixed rows, beside those computed in one piece."""

import numpy as np
import pytest
import torch

from maqam.models.audio_states import EncodedStates
from maqam.models.freezing import train_only
from maqam.train.adaptive.probes import Probes, choose_probes
from maqam.train.batches import PlanBatches
from maqam.train.log_mels import LogMels
from maqam.train.objective import TrainingModel
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective
from tests.train.corpus import FixedPlan, load_step, make_backbone, make_manifest

ROWS = {"asr": np.array([0, 3, 4, 7]), "did": np.array([1, 5, 9]), "tsum": np.array([2, 6])}


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory):
    manifest = make_manifest(tmp_path_factory.mktemp("corpus"), 12)
    backbone = make_backbone()
    train_only(backbone, ("llm",))
    learner = TrainingModel(backbone)
    audio_states = EncodedStates(backbone, LogMels(backbone, manifest, np.arange(12)))
    learner.train()
    return (
        manifest,
        backbone,
        learner,
        audio_states,
        Probes(backbone, learner, manifest, ROWS, audio_states),
    )


def loss_of(probed, rows: np.ndarray) -> torch.Tensor:
    manifest, backbone, learner, audio_states, _ = probed
    prepared = prepare_rows(backbone.dialogue, manifest, rows)
    batches = PlanBatches(backbone, FixedPlan(rows[None]), prepared, Objective(), audio_states)
    learner.eval()
    try:
        return learner(load_step(batches).micro_batches[0])[0]
    finally:
        learner.train()


def test_a_loss_is_the_mean_over_the_target_tokens_of_the_probes(probed) -> None:
    losses = probed[-1].losses()
    assert list(losses) == sorted(ROWS)
    for task, rows in ROWS.items():
        assert losses[task] == pytest.approx(loss_of(probed, rows).item(), rel=1e-5)


def test_products_are_those_of_the_gradients_of_these_losses(probed) -> None:
    trained = [one for one in probed[2].parameters() if one.requires_grad]
    flat = {}
    for task, rows in ROWS.items():
        found = torch.autograd.grad(loss_of(probed, rows), trained, allow_unused=True)
        flat[task] = torch.cat([one.flatten() for one in found if one is not None])
    products = probed[-1].gradient_products()
    for one in ROWS:
        for other in ROWS:
            wanted = float(flat[one] @ flat[other])
            assert products[one][other] == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_probing_leaves_the_model_as_it_was(probed) -> None:
    learner, probes = probed[2], probed[-1]
    before = {name: one.clone() for name, one in learner.named_parameters()}
    probes.losses()
    probes.gradient_products()
    assert learner.training
    assert all(one.grad is None for one in learner.parameters())
    assert all(torch.equal(one, before[name]) for name, one in learner.named_parameters())


def test_probes_are_spread_over_the_rows_of_a_task(probed) -> None:
    chosen = choose_probes(probed[0], "train", ("asr", "did", "ser"), 3)
    assert set(chosen) == {"asr", "did"}
    asr = probed[0].select(split="train", task="asr")
    assert chosen["asr"].tolist() == [asr[0], asr[2], asr[-1]]
    assert len(choose_probes(probed[0], "train", ("asr",), 99)["asr"]) == len(asr)
