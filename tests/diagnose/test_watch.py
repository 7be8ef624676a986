"""Conflict measured while a run trains: planted, found, and without a trace in the weights."""

import json

import numpy as np
import pytest
import torch

from maqam.diagnose.episodes import episodes
from maqam.diagnose.gradients import UtteranceGradients
from maqam.diagnose.moments import live_moments, stored_moments
from maqam.diagnose.record import read_conflicts, with_measures
from maqam.diagnose.rows import choose_rows
from maqam.errors import RunError
from maqam.run_layout import RunLayout
from maqam.train.observers.observer import Observer
from tests.diagnose.corpus import ANSWERS, make_manifest, train


class Moments(Observer):
    """The second moments an optimiser has after 8 steps, and the same read from its checkpoint."""

    def on_begin(self, training):
        self.learner = training.learner
        self.parameters = UtteranceGradients(training.learner).parameters

    def on_gradients(self, gradients):
        if gradients.step.number == 8:
            self.live = live_moments(gradients.optimizer, self.parameters)

    def on_checkpoint(self, folder):
        if folder.name == "step-000008":
            self.stored = stored_moments(folder, self.learner, self.parameters)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_manifest(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def watched(corpus, tmp_path_factory):
    folder, moments = tmp_path_factory.mktemp("watched"), Moments()
    train(corpus, folder, observers=[moments])
    return folder, moments


def tasks_of(line, metric="euclidean"):
    table = line["metrics"][metric]["groups"]["task"]
    at = {name: place for place, name in enumerate(table["names"])}
    return lambda one, other, of="cosines": table[of][at[one]][at[other]]


def test_two_tasks_that_want_opposite_answers_conflict_and_two_that_agree_do_not(watched):
    lines = read_conflicts(RunLayout(watched[0]).conflicts)
    assert [line["step"] for line in lines] == [0, 4, 8]
    for metric in ("euclidean", "adam"):
        found = tasks_of(lines[-1], metric)
        assert found("did", "ser", "highs") < 0
        assert found("asr", "did", "lows") > 0
    assert "adam" not in lines[0]["metrics"]  # the optimiser has seen no gradient yet


def test_the_conflict_is_an_episode_with_its_onset_and_depth(watched):
    lines = read_conflicts(RunLayout(watched[0]).conflicts)
    found = [
        one
        for one in episodes(lines)
        if (one["kind"], one["metric"]) == ("task", "euclidean") and "ser" in str(one)
    ]
    assert {(one["first"], one["second"]) for one in found} == {("asr", "ser"), ("did", "ser")}
    for one in found:
        cosines = {line["step"]: tasks_of(line)(one["first"], one["second"]) for line in lines}
        assert one["depth"] == cosines[one["at"]]
        assert not one["is_over"]


def test_layers_kinds_and_heads_are_told_apart(watched):
    line = read_conflicts(RunLayout(watched[0]).conflicts)[-1]
    table = line["metrics"]["euclidean"]
    assert {"q_proj", "o_proj", "up_proj", "down_proj"} <= set(table["kinds"])
    layers = {place.partition(".")[0] for place in table["heads"]}
    assert set(table["layers"]) == layers
    assert all(len(one["cosines"]) == len(ANSWERS) for one in table["layers"].values())


def test_measuring_changes_no_bit_of_the_weights(watched, corpus, tmp_path):
    train(corpus, tmp_path, every=0)
    weights = "adapter/adapter_model.safetensors"
    assert (tmp_path / weights).read_bytes() == (watched[0] / weights).read_bytes()


def test_second_moments_of_a_checkpoint_are_those_the_optimiser_had(watched):
    moments = watched[1]
    assert moments.live.keys() == moments.stored.keys() == moments.parameters.keys()
    for name, one in moments.live.items():
        assert torch.equal(one, moments.stored[name])
        assert one.max() > 0


def test_a_damaged_optimiser_is_named(watched, tmp_path):
    moments = watched[1]
    (tmp_path / "optimizer.pt").write_bytes(b"half")
    with pytest.raises(RunError, match="not readable"):
        stored_moments(tmp_path, moments.learner, moments.parameters)
    assert stored_moments(tmp_path / "none", moments.learner, moments.parameters) is None
    one = {"state": {}, "param_groups": [{"params": [0], "betas": (0.9, 0.95)}]}
    torch.save(one, tmp_path / "optimizer.pt")
    with pytest.raises(RunError, match=r"it has 1 parameters, \d+ train"):
        stored_moments(tmp_path, moments.learner, moments.parameters)


def test_optimiser_states_of_another_shape_are_refused(watched, tmp_path):
    moments = watched[1]
    names = [name for name, one in moments.learner.named_parameters() if one.requires_grad]
    state = {"exp_avg_sq": torch.zeros(1, 1), "step": torch.tensor(1.0)}
    groups = [{"params": list(range(len(names))), "betas": (0.9, 0.95)}]
    stored = {"state": {number: state for number in range(len(names))}, "param_groups": groups}
    torch.save(stored, tmp_path / "optimizer.pt")
    with pytest.raises(RunError, match="has another shape there"):
        stored_moments(tmp_path, moments.learner, moments.parameters)


class StoppedError(Exception):
    pass


def test_a_run_that_goes_on_measures_what_an_unbroken_one_does(watched, corpus, tmp_path):
    def stop(done, total):
        if done == 9:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(corpus, tmp_path, progress=stop)
    train(corpus, tmp_path, resume=True)
    own, whole = (RunLayout(one).conflicts.read_text() for one in (tmp_path, watched[0]))
    assert own == whole


def test_a_damaged_line_is_refused_with_a_way_on(tmp_path):
    path = tmp_path / "conflict.jsonl"
    assert read_conflicts(path) == []
    for line in ('{"step": 1', json.dumps({"format_version": 9, "step": 1})):
        path.write_text(line, encoding="utf-8")
        with pytest.raises(RunError, match="a measure of conflict is damaged") as failure:
            read_conflicts(path)
        assert "remove the file" in failure.value.hint


def test_a_new_measure_of_a_step_takes_the_place_of_the_old_one():
    old, new = [{"step": 4, "is": "old"}, {"step": 0, "is": "old"}], [{"step": 4, "is": "new"}]
    assert [(one["step"], one["is"]) for one in with_measures(old, new)] == [(0, "old"), (4, "new")]


def test_fixed_rows_are_balanced_the_same_again_and_single_rows_are_named(corpus):
    every = np.arange(corpus.num_utterances)
    fixed = choose_rows(corpus, every, 4, seed=0)
    assert {name: int(one.sum()) for name, one in fixed.groups["task"].items()} == dict.fromkeys(
        ANSWERS, 4
    )
    assert {int(one.sum()) for one in fixed.groups["task and dialect"].values()} == {2}
    assert fixed.rows.tolist() == choose_rows(corpus, every, 4, seed=0).rows.tolist()
    assert fixed.rows.tolist() != choose_rows(corpus, every, 4, seed=1).rows.tolist()
    single = choose_rows(corpus, every[:5], 2, seed=0)
    assert single.left_out["task"] == ("ser",)


@pytest.mark.parametrize("number", [0, 1])
def test_rows_too_few_to_tell_noise_are_refused(corpus, number):
    with pytest.raises(RunError, match="no task has two rows to take gradients of"):
        choose_rows(corpus, np.arange(number), 4, seed=0)


def test_losses_on_fixed_rows_fall_as_a_task_is_learnt_and_groups_have_their_own(watched):
    first, *_, last = read_conflicts(RunLayout(watched[0]).conflicts)
    assert set(last["losses"]) == {"task", "dialect", "label", "task and dialect"}
    assert last["losses"]["task"]["did"] < first["losses"]["task"]["did"] / 2
