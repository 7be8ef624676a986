import pytest

from maqam.errors import RunError
from maqam.train.record import (
    check_same_run,
    read_record,
    versions,
    weights_fingerprint,
    write_record,
)

from .corpus import make_backbone

IDENTITY = {"seed": 0, "train": {"num_steps": 5, "checkpoint_steps": 1}, "objective": {"a": 1}}


def test_values_are_added_to_what_the_record_holds(tmp_path):
    write_record(tmp_path, {"name": "run", "state": "running"})
    write_record(tmp_path, {"state": "finished"})
    assert read_record(tmp_path) == {"format_version": 1, "name": "run", "state": "finished"}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_record_that_is_no_table_is_named(tmp_path):
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json: the run's description is not a JSON table"):
        read_record(tmp_path)


def test_a_record_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="the run's description cannot be written"):
        write_record(tmp_path / "file" / "run", {})


def test_a_run_that_is_the_same_may_go_on(tmp_path):
    write_record(tmp_path, {"identity": IDENTITY})
    other = {**IDENTITY, "train": {"num_steps": 5, "checkpoint_steps": 9}}
    check_same_run(tmp_path, other)


def test_what_changed_in_a_run_is_named(tmp_path):
    write_record(tmp_path, {"identity": IDENTITY})
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
