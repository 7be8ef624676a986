import pytest

from maqam.errors import RunError
from maqam.run_layout import RunLayout
from maqam.train.record import (
    check_same_run,
    versions,
    weights_fingerprint,
)

from .corpus import make_backbone

IDENTITY = {"seed": 0, "train": {"num_steps": 5, "checkpoint_steps": 1}, "objective": {"a": 1}}


def test_a_run_that_is_the_same_may_go_on(tmp_path):
    RunLayout(tmp_path).add_to_record({"identity": IDENTITY})
    other = {**IDENTITY, "train": {"num_steps": 5, "checkpoint_steps": 9}}
    check_same_run(tmp_path, other)


def test_what_changed_in_a_run_is_named(tmp_path):
    RunLayout(tmp_path).add_to_record({"identity": IDENTITY})
    other = {**IDENTITY, "seed": 1, "train": {"num_steps": 6, "checkpoint_steps": 1}}
    with pytest.raises(RunError, match=r"begun with another seed, train\.num_steps"):
        check_same_run(tmp_path, other)


def test_the_fingerprint_of_weights_follows_every_one_of_them():
    backbone, other = make_backbone(), make_backbone()
    assert weights_fingerprint(backbone) == weights_fingerprint(other)
    other.model.model.audio_tower.proj.bias.data[0] += 1e-6
    assert weights_fingerprint(backbone) != weights_fingerprint(other)


def test_versions_name_what_computes():
    assert {"python", "maqam", "torch", "transformers", "peft"} <= set(versions())
