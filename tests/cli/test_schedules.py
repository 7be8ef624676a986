"""Schedules through the command line: those that decide, and budgets that are not rows."""

import json
from pathlib import Path

import numpy as np
import pytest

from maqam.schedule import load_plan

from .calls import maqam
from .conftest import World

pytestmark = pytest.mark.torch


def trained(world: World, folder: Path, *words: str) -> Path:
    result = maqam("train", world.recipe, f"output={folder}", "name=own", *words)
    assert result.code == 0, result.err
    return folder / "own"


def test_an_online_schedule_trains_and_leaves_a_plan_to_look_at(
    world: World, tmp_path: Path
) -> None:
    schedule = "schedule={kind: adaptive, reward: progress, every: 2, probe_split: test}"
    run = trained(world, tmp_path, schedule, "train.num_steps=8")
    decisions = [json.loads(line) for line in (run / "decisions.jsonl").read_text().splitlines()]
    assert [one["decision"]["begins"] for one in decisions] == [4, 6]
    shown = maqam("plan", "show", run)
    assert shown.code == 0
    assert "adaptive: 8 steps of 4" in shown.out


def test_an_online_schedule_has_no_plan_before(world: World, tmp_path: Path) -> None:
    schedule = "schedule={kind: adaptive, reward: exp3, every: 2}"
    result = maqam("plan", world.recipe, f"output={tmp_path}", schedule)
    assert result.code == 1
    assert "decides while the run trains, so there is no plan before" in result.err


def test_probes_of_a_split_without_a_task_are_refused(world: World, tmp_path: Path) -> None:
    schedule = "schedule={kind: adaptive, reward: progress, every: 2, probe_split: nowhere}"
    result = maqam("train", world.recipe, f"output={tmp_path}", schedule)
    assert result.code == 1
    assert "split 'nowhere' has no row of task" in result.err


def test_an_adaptive_plan_deals_rows_only(world: World, tmp_path: Path) -> None:
    words = ("schedule={kind: adaptive, reward: exp3, every: 2}", "deal.exhaustion=cap")
    result = maqam("train", world.recipe, f"output={tmp_path}", *words)
    assert result.code == 1
    assert "deals rows and repeats groups" in result.err


def test_a_switch_that_is_decided_is_marked_in_the_plan(world: World, tmp_path: Path) -> None:
    schedule = (
        "schedule={kind: then, at: auto, first: {kind: uniform}, second: {kind: alpha, alpha: 0}, "
        "every: 2, probe_split: test}"
    )
    run = trained(world, tmp_path, schedule, "train.num_steps=8")
    plan = load_plan(run / "plan")
    assert list(plan.switches) == [6]  # at the latest: three quarters of the steps


@pytest.mark.parametrize("unit", ["tokens", "rows"])
def test_a_plan_counts_in_its_unit(world: World, tmp_path: Path, unit: str) -> None:
    size = {"tokens": 400, "rows": 4}[unit]
    words = (f"deal.unit={unit}", f"train.batch_size={size}", "train.num_steps=4")
    run = trained(world, tmp_path, *words)
    plan = load_plan(run / "plan")
    assert plan.unit == unit
    assert plan.num_steps == 4
    records = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    assert [one["utterances"] for one in records] == plan.batch_sizes.tolist()
    if unit == "tokens":
        spent = np.cumsum([one["input_tokens"] for one in records])
        assert (spent >= 400 * np.arange(1, 5)).all()


def test_text_in_a_budget_of_seconds_is_refused(world: World, tmp_path: Path) -> None:
    result = maqam("plan", world.recipe, f"output={tmp_path}", "deal.unit=seconds")
    assert result.code == 1
    assert "utterances have no seconds" in result.err


def test_a_run_ends_with_a_plan_that_ends_early(world: World, tmp_path: Path) -> None:
    words = ("deal.exhaustion=stop", "schedule={kind: alpha, alpha: 0}", "train.num_steps=60")
    words = (*words, "train.warmup=0", "train.decay=1")
    run = trained(world, tmp_path, *words)
    plan = load_plan(run / "plan")
    assert plan.num_steps < 60
    assert "was dealt through once" in plan.notes[0]
    records = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    assert len(records) == plan.num_steps
    assert records[-1]["lr"] < records[0]["lr"]  # the decay came to its end


@pytest.mark.parametrize("kernel", ["facility_location", "k_dpp"])
def test_a_pick_uses_the_embeddings_of_the_feature_store(
    world: World, tmp_path: Path, kernel: str
) -> None:
    words = (f"output={tmp_path}", "train.num_steps=4", "train.batch_size=8")
    picked = maqam("plan", world.recipe, *words, "name=picked", f"deal.pick={{kernel: {kernel}}}")
    assert picked.code == 0, picked.err
    plain = maqam("plan", world.recipe, *words, "name=plain")
    assert plain.code == 0, plain.err
    one, other = (load_plan(tmp_path / name / "plan") for name in ("picked", "plain"))
    assert one.deal["pick"] == {"kernel": kernel, "candidates": 4}
    assert one.fingerprint != other.fingerprint


def test_a_pick_without_features_is_refused(world: World, tmp_path: Path) -> None:
    words = (f"output={tmp_path}", "train.phase=align", "deal.pick={}")
    result = maqam("plan", world.recipe, *words)
    assert result.code == 1
    assert "a pick needs embeddings" in result.err
