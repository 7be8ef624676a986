"""Weights of checkpoints given to a model, and files that do not fit it."""

import pytest
import torch
from safetensors.torch import save_file

from maqam.diagnose.checkpoints import load_trained, stored_steps
from maqam.errors import RunError
from maqam.models.adapters import add_adapter
from maqam.models.freezing import train_only
from maqam.run_layout import RunLayout
from maqam.train.objective import TrainingModel
from maqam.train.trainer import WEIGHTS
from tests.train.corpus import make_backbone


@pytest.fixture(scope="module")
def learner():
    backbone = make_backbone()
    add_adapter(backbone, rank=2, alpha=4, seed=0)
    train_only(backbone, ("adapter",))
    return TrainingModel(backbone)


def weights(learner, value):
    own = {name: one for name, one in learner.named_parameters() if one.requires_grad}
    return {name: torch.full_like(one, value) for name, one in own.items()}


def test_a_learner_gets_the_weights_of_a_checkpoint_and_nothing_else_changes(learner, tmp_path):
    frozen = {
        name: one.clone() for name, one in learner.named_parameters() if not one.requires_grad
    }
    save_file(weights(learner, 0.25), tmp_path / WEIGHTS)
    load_trained(learner, tmp_path)
    for name, one in learner.named_parameters():
        assert bool((one == 0.25).all()) if one.requires_grad else torch.equal(one, frozen[name])


def test_weights_that_are_damaged_or_of_another_adapter_are_refused(learner, tmp_path):
    with pytest.raises(RunError, match="not readable"):
        load_trained(learner, tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"half a file")
    with pytest.raises(RunError, match="not readable"):
        load_trained(learner, tmp_path)
    save_file({"other": torch.zeros(2)}, tmp_path / WEIGHTS)
    with pytest.raises(RunError, match="its 1 parameters are not the"):
        load_trained(learner, tmp_path)


def test_checkpoints_are_found_by_their_step_and_empty_folders_are_none(tmp_path):
    for name in ("step-000002", "step-000010", "step-000004"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    for name in ("step-000010", "step-000002"):
        (tmp_path / "checkpoints" / name / WEIGHTS).write_bytes(b"")
    assert list(stored_steps(RunLayout(tmp_path))) == [2, 10]
