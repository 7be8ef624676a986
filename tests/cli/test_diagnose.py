"""`maqam diagnose` on finished runs, on what runs recorded alone, and on what is no run."""

import json
import shutil
from pathlib import Path

import pytest

from tests.report.factories import write_run, write_study

from .calls import assert_refused, maqam
from .conftest import World


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), seeds=(0, 1), steps=80)


def test_runs_are_diagnosed_with_their_model_and_the_result_stands_in_their_folders(
    world: World, runs: list[Path]
) -> None:
    settings = ("diagnose.every=2", "diagnose.rows=2", "diagnose.split=train")
    result = maqam("train", world.recipe, "name=watched-seed0", *settings)
    assert result.code == 0, result.err
    own = world.output / "watched-seed0"
    done = maqam("diagnose", own, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    lines = [json.loads(line) for line in (own / "conflict.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 2, 3]
    kept = json.loads((own / "diagnosis.json").read_text())
    assert found["runs"]["watched-seed0"] == kept
    assert [one["step"] for one in kept["losses"]] == [0, 2, 3]
    assert kept["volatility"]["steps"] == 3
    again = maqam("diagnose", own, "--json")
    assert json.loads(again.out) == found


def test_a_run_that_was_not_watched_is_measured_at_what_is_left_of_it(
    world: World, runs: list[Path], tmp_path: Path
) -> None:
    own = shutil.copytree(runs[0], tmp_path / runs[0].name)
    refused = maqam("diagnose", own)
    assert_refused(refused, "no task has two rows")
    assert "--rows-from" in refused.line("hint")
    done = maqam("diagnose", own, "--rows-from", "train", "-o", tmp_path / "found")
    assert done.code == 0, done.err
    assert not (own / "diagnosis.json").exists()
    lines = (tmp_path / "found" / own.name / "conflict.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == [2, 3]  # the checkpoint that is left, and the end
    assert (tmp_path / "found" / own.name / "diagnosis.json").is_file()


def test_records_alone_are_read_without_a_model_and_seeds_are_the_measure(made_up: Path) -> None:
    done = maqam("diagnose", made_up, "--record-only", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert len(found["runs"]) == 8
    spikes = [len(one["volatility"]["spikes"]) for one in found["runs"].values()]
    assert any(spikes)  # the made-up gradients jump at a switch
    assert {row["verdict"] for row in found["seed_null"]} <= {"beyond seeds", "within seeds"}


def test_the_screen_names_spikes_and_what_there_is_none_of(made_up: Path) -> None:
    done = maqam("diagnose", made_up, "--record-only")
    assert done.code == 0, done.err
    assert "times the usual" in done.out
    assert "conflict: none" in done.out
    assert "schedules against seeds" in done.out


def test_an_unfinished_run_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    run = write_run(tmp_path / "tpc-seed0", "tpc", steps=40, steps_taken=25)
    done = maqam("diagnose", run, "--record-only", "--json")
    (own,) = json.loads(done.out)["runs"].values()
    assert own["notes"] == ["the run is not finished: 25 steps are read"]
    assert own["volatility"]["steps"] == 25


def test_what_is_no_run_and_a_run_given_twice_are_refused(tmp_path: Path) -> None:
    assert_refused(maqam("diagnose", tmp_path, "--record-only"), "there is no run.json")
    run = write_run(tmp_path / "tpc-seed0", "tpc", steps=10)
    assert_refused(maqam("diagnose", run, run, "--record-only"), "two folders are named")


def test_losses_against_other_runs_stand_in_the_diagnosis_of_their_method(
    runs: list[Path], tmp_path: Path
) -> None:
    words = ("--record-only", "--json", "-o", tmp_path)
    done = maqam("diagnose", *runs, "--start", runs[0], *words)
    assert done.code == 0, done.err
    for one in json.loads(done.out)["runs"].values():
        assert {row["method"] for row in one["forgetting"]} == {one["method"]}
        assert one["transfer"] == []
    single = [f"did={run}" for run in runs if "uniform" in run.name]
    options = [word for one in single for word in ("--single", one)]
    done = maqam("diagnose", *runs, *options, *words)
    assert done.code == 0, done.err
    for one in json.loads(done.out)["runs"].values():
        assert {row["task"] for row in one["transfer"]} == {"did"}
