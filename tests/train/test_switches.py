"""What the optimiser does at a switch of schedules, and that a resumed run does the same."""

from pathlib import Path

import numpy as np
import pytest
import torch

from maqam.models.audio_states import EncodedStates
from maqam.schedule import Switch
from maqam.train.batches import PlanBatches
from maqam.train.log_mels import LogMels
from maqam.train.objective import TrainingModel
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective, TrainSettings
from maqam.train.trainer import PlanTrainer
from tests.train.corpus import make_backbone, make_manifest, make_plan

STEPS = 6


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory):
    return make_manifest(tmp_path_factory.mktemp("corpus"), 8)


def followed(corpus, folder: Path, switches: dict[int, Switch]) -> list[tuple[float, float]]:
    """Train a few steps; give the learning rate and beta2 each was taken with."""
    backbone = make_backbone()
    plan = make_plan(np.arange(8), num_steps=STEPS, batch_size=4)
    plan.switches = switches
    prepared = prepare_rows(backbone.dialogue, corpus, plan.rows)
    log_mels = LogMels(backbone, corpus, prepared.rows)
    batches = PlanBatches(backbone, plan, prepared, Objective(), EncodedStates(backbone, log_mels))
    settings = TrainSettings(
        num_steps=STEPS, batch_size=4, micro_batches=1, learning_rate=1e-4, warmup=0, decay=0
    )
    learner = TrainingModel(backbone, letters=None, ctc_weight=0.0, encodes=False)
    trainer = PlanTrainer(learner, batches, settings, 0, folder)
    taken: list[tuple[float, float]] = []
    step = torch.optim.AdamW.step

    def watched(self, *given, **named):
        group = self.param_groups[0]
        taken.append((group["lr"], group["betas"][1]))
        return step(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", watched)
        trainer.follow()
    return taken


def test_a_linear_dip_climbs_back_to_the_rate_before(corpus, tmp_path: Path) -> None:
    taken = followed(corpus, tmp_path, {2: Switch("linear", dip_steps=4)})
    rates = [rate / 1e-4 for rate, _ in taken]
    assert rates == pytest.approx([1, 1, 0.25, 0.5, 0.75, 1])


def test_an_adam_dip_follows_the_beta2_after_the_switch(corpus, tmp_path: Path) -> None:
    taken = followed(corpus, tmp_path, {3: Switch("adam", beta2=0.99)})
    assert [beta2 for _, beta2 in taken] == [0.95, 0.95, 0.95, 0.99, 0.99, 0.99]
    rates = [rate / 1e-4 for rate, _ in taken]
    bias = [np.sqrt(1 - 0.99**k) / (1 - 0.9**k) for k in (1, 2, 3)]
    assert rates == pytest.approx([1, 1, 1, *np.minimum(bias, 1)])


def test_without_a_switch_nothing_is_eased(corpus, tmp_path: Path) -> None:
    taken = followed(corpus, tmp_path, {2: Switch()})
    assert taken == [(1e-4, 0.95)] * STEPS
