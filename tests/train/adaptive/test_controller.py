"""Runs whose schedule decides while they train, broken off and resumed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maqam.data.manifest import Manifest
from maqam.data.pool import pool_from_manifest
from maqam.errors import RunError, ScheduleError
from maqam.schedule import Uniform, load_plan
from maqam.schedule.adaptive.kinds import AdaptiveMixture, ThenAuto
from maqam.schedule.adaptive_plan import AdaptivePlan
from maqam.schedule.compiler import Budget
from maqam.schedule.schedules import schedule_from_table
from maqam.train.adaptive.controller import AdaptiveTraining
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings
from tests.train.corpus import make_backbone, make_manifest

SETTINGS = TrainSettings(
    num_steps=10, batch_size=4, micro_batches=2, checkpoint_steps=3, learning_rate=1e-2
)
TASKS = ("asr", "did", "tsum")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return make_manifest(tmp_path_factory.mktemp("corpus"), 24)


def adaptive(schedule, manifest: Manifest) -> AdaptiveTraining:
    pool = pool_from_manifest(manifest, np.arange(16))
    rows = {task: np.array([16 + at, 20 + at]) for at, task in enumerate(TASKS)}
    plan = AdaptivePlan(schedule, pool, Budget(SETTINGS.num_steps, SETTINGS.batch_size, 3))
    return AdaptiveTraining(schedule, plan, rows)


class KilledError(Exception):
    pass


def run(schedule, manifest: Manifest, folder: Path, *, until: int | None = None, resume=False):
    """Train; break off after a step where asked. Give the plan."""
    training = adaptive(schedule, manifest)

    def stop(done: int, total: int) -> None:
        if done == until:
            raise KilledError

    phase = Phase(manifest, training.plan, SETTINGS, Objective("task"), seed=3, adaptive=training)
    run_phase(make_backbone(), phase, folder, resume=resume, progress=stop)
    return training.plan


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]


SCHEDULES = {
    "exp3": AdaptiveMixture("exp3", every=2),
    "progress": AdaptiveMixture("progress", every=2),
    "doge": AdaptiveMixture("doge", every=3),
    "auto": ThenAuto(
        Uniform(), schedule_from_table({"kind": "alpha", "alpha": 0.0}), every=2, at_least=0.1
    ),
}


@pytest.fixture(scope="module", params=SCHEDULES)
def whole(request, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory):
    """Return a schedule, the folder of its whole run, and its plan."""
    schedule = SCHEDULES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    return schedule, folder, run(schedule, manifest, folder)


def test_a_run_broken_off_again_and_again_decides_and_trains_as_if_it_never_stopped(
    whole, manifest: Manifest, tmp_path: Path
) -> None:
    schedule, folder, plan = whole
    stops = (1, 4, 5, 9) if schedule is SCHEDULES["exp3"] else (5, 9)  # around its decisions
    for until in stops:
        with pytest.raises(KilledError):
            run(schedule, manifest, tmp_path, until=until, resume=until > stops[0])
    resumed = run(schedule, manifest, tmp_path, resume=True)
    assert lines(tmp_path) == lines(folder)
    assert resumed.finished().fingerprint == plan.finished().fingerprint
    weights = "adapter/adapter_model.safetensors"
    assert (tmp_path / weights).read_bytes() == (folder / weights).read_bytes()


def test_the_rows_trained_on_are_those_of_the_finished_plan(whole, tmp_path: Path) -> None:
    _, folder, plan = whole
    plan.finished().save(tmp_path)
    plan = load_plan(tmp_path)
    records = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    shares = plan.shares["task"]
    for record in records:
        counts = dict(zip(shares.names, shares.counts[record["step"] - 1].tolist(), strict=True))
        assert record["utterances_by_task"] == {task: n for task, n in counts.items() if n}


def test_every_decision_is_recorded_with_what_it_was_taken_from(whole) -> None:
    schedule, folder, plan = whole
    recorded = lines(folder)
    assert [one["decision"]["step"] for one in recorded] == [
        schedule.every * (index + 1) for index in range(len(plan.decisions))
    ]
    for one in recorded:
        assert set(one["observation"]["probe_losses"]) == (
            set(TASKS) if "probes" in schedule.needs else set()
        )
        assert one["decision"]["inputs"]


def test_a_damaged_record_of_decisions_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    schedule = SCHEDULES["exp3"]
    with pytest.raises(KilledError):
        run(schedule, manifest, tmp_path, until=8)
    path = tmp_path / "decisions.jsonl"
    path.write_text(path.read_text()[:30], encoding="utf-8")
    with pytest.raises(RunError, match="the record of decisions is damaged"):
        run(schedule, manifest, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"workers": 2}, "nothing can be prepared ahead"), ({"llm": "off"}, "next-token loss")],
)
def test_a_run_that_an_online_schedule_cannot_lead_is_refused(manifest, tmp_path, changes, words):
    training = adaptive(SCHEDULES["progress"], manifest)
    settings = replace(SETTINGS, phase="align", **changes)
    phase = Phase(manifest, training.plan, settings, Objective("task"), seed=3, adaptive=training)
    with pytest.raises(ScheduleError, match=words):
        run_phase(make_backbone(), phase, tmp_path / "run")
    assert not (tmp_path / "run").exists()
