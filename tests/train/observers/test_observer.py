"""What an observer sees of a phase, and that looking changes nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from maqam.train.observers.observer import Observer
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings
from tests.train.corpus import make_backbone, make_plan

SETTINGS = TrainSettings(num_steps=3, batch_size=8, micro_batches=2, checkpoint_steps=2)


def make_phase(manifest):
    return Phase(manifest, make_plan(np.arange(24), 3, 8), SETTINGS, Objective("task"), seed=0)


class TaskGradients(Observer):
    """The cosine of every two tasks' gradients in every step, and what the parts add up to."""

    def __init__(self):
        self.cosines, self.gaps = [], []

    def on_gradients(self, gradients):
        trained = [one for one in gradients.learner.parameters() if one.requires_grad]
        by_task = {
            task: self._gradient(gradients, gradients.tasks == task, trained)
            for task in np.unique(gradients.tasks)
        }
        whole = torch.cat([one.grad.flatten() for one in trained])
        self.gaps.append(float((sum(by_task.values()) - whole).norm() / whole.norm()))
        units = {task: one / one.norm() for task, one in by_task.items()}
        self.cosines.append(
            {f"{a} {b}": float(units[a] @ units[b]) for a in units for b in units if a < b}
        )

    def _gradient(self, gradients, chosen, trained):
        """Return the gradient of the part that some utterances have in the step's loss."""
        total = torch.zeros(sum(one.numel() for one in trained))
        for micro_batch in gradients.micro_batches(chosen):
            loss = gradients.learner(micro_batch)[0]
            found = torch.autograd.grad(loss, trained)
            total += torch.cat([one.flatten() for one in found])
        return total


class Diary(Observer):
    """Everything an observer is told, in order."""

    def __init__(self, breaks_off_at=None):
        self.lines, self._breaks_off_at = [], breaks_off_at

    def on_begin(self, training):
        self.lines.append(("begin", training.first_step, training.is_first))

    def on_gradients(self, gradients):
        self.lines.append(("gradients", gradients.step.number))
        if gradients.step.number == self._breaks_off_at:
            raise ValueError("seen enough")

    def on_step(self, record, learner):
        self.lines.append(("step", record["step"]))

    def on_checkpoint(self, folder):
        assert (folder / "checkpoint.json").is_file()
        self.lines.append(("checkpoint", folder.name))

    def on_end(self, error):
        self.lines.append(("end", None if error is None else str(error)))


@pytest.fixture(scope="module")
def plain(manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "run"
    run_phase(make_backbone(), make_phase(manifest), folder)
    return folder


def test_the_gradients_of_the_tasks_of_a_step_add_up_to_the_one_that_is_taken(
    manifest, plain, tmp_path
):
    observer = TaskGradients()
    run_phase(make_backbone(), make_phase(manifest), tmp_path / "run", observers=[observer])
    assert len(observer.cosines) == 3
    assert all(gap < 1e-4 for gap in observer.gaps)
    assert set(observer.cosines[0]) == {"asr did", "asr tsum", "did tsum"}
    assert all(-1 <= one <= 1 for one in observer.cosines[-1].values())
    weights = "adapter/adapter_model.safetensors"
    assert (tmp_path / "run" / weights).read_bytes() == (plain / weights).read_bytes()


def test_an_observer_is_told_of_every_step_checkpoint_and_the_end(manifest, tmp_path):
    diary = Diary()
    run_phase(make_backbone(), make_phase(manifest), tmp_path / "run", observers=[diary])
    assert diary.lines == [
        ("begin", 0, True),
        *[("gradients", 0), ("step", 1), ("gradients", 1), ("step", 2)],
        *[("checkpoint", "step-000002"), ("gradients", 2), ("step", 3)],
        *[("checkpoint", "step-000003"), ("end", None)],
    ]


def test_an_observer_of_a_run_that_goes_on_is_told_where_and_what_broke_it_off(manifest, tmp_path):
    diary = Diary(breaks_off_at=2)
    with pytest.raises(ValueError, match="seen enough"):
        run_phase(make_backbone(), make_phase(manifest), tmp_path / "run", observers=[diary])
    assert diary.lines[-1] == ("end", "seen enough")
    later = Diary()
    run_phase(
        make_backbone(), make_phase(manifest), tmp_path / "run", resume=True, observers=[later]
    )
    assert later.lines[0] == ("begin", 2, True)
    lines = (tmp_path / "run/train.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


def test_a_step_may_be_looked_at_in_smaller_parts_than_it_trains_in(manifest, tmp_path):
    class Sizes(Observer):
        def on_gradients(self, gradients):
            chosen = np.flatnonzero(gradients.tasks == "asr")
            rows = [one.rows for one in gradients.micro_batches(chosen)]
            assert sorted(np.concatenate(rows)) == sorted(gradients.step.rows[chosen])

    phase = replace(make_phase(manifest), settings=replace(SETTINGS, micro_tokens=100))
    run_phase(make_backbone(), phase, tmp_path / "run", observers=[Sizes()])
