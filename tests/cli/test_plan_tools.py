"""`maqam plan show`, `diff` and `verify` on plans and runs."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maqam.schedule import load_plan

from .calls import maqam
from .conftest import World

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def plans(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("plans")
    words = (f"output={folder}", "train.num_steps=8", "train.batch_size=6")
    found = {}
    for kind in ("uniform", "ads"):
        result = maqam("plan", world.recipe, *words, f"name={kind}", f"schedule={{kind: {kind}}}")
        assert result.code == 0, result.err
        found[kind] = folder / kind
    return found


def test_showing_a_plan_by_clusters_loads_neither_model_nor_tokenizer(
    plans: dict[str, Path],
) -> None:
    code = (
        "import sys; from maqam.cli.main import main; "
        f"code = main(['plan', 'show', {str(plans['ads'])!r}]); "
        "print(code, sorted({'torch', 'transformers', 'tokenizers'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


def test_show_tells_epochs_repeats_and_the_part_of_the_loss(plans: dict[str, Path]) -> None:
    shown = maqam("plan", "show", plans["ads"])
    assert shown.code == 0
    for words in ("epochs", "repeats", "never", "of loss", "clusters are dealt"):
        assert words in shown.out
    told = json.loads(maqam("plan", "show", plans["ads"], "--json").out)
    tasks = [row for row in told["rows"] if row["axis"] == "task"]
    assert sum(row["share"] for row in tasks) == pytest.approx(1)
    assert sum(row["loss_share"] for row in tasks) == pytest.approx(1)
    assert {row["group"]: row["epochs"] for row in tasks} == pytest.approx(
        {row["group"]: row["num_dealt"] / 6 for row in tasks}
    )
    assert told["loss_shares"]["utterance"] != told["loss_shares"]["token"]


def test_diff_tells_what_two_plans_have_in_common(plans: dict[str, Path]) -> None:
    result = maqam("plan", "diff", plans["uniform"], plans["ads"])
    assert result.code == 0
    assert "schedule.kind: uniform | ads" in result.out
    assert "of 8 steps hold the same rows" in result.out
    same = maqam("plan", "diff", plans["ads"], plans["ads"] / "plan")
    assert "the same rows in all 8 steps" in same.out
    told = json.loads(maqam("plan", "diff", plans["uniform"], plans["ads"], "--json").out)
    assert told["num_steps"] == [8, 8]


def test_verify_holds_a_plan_against_its_recipe(plans: dict[str, Path]) -> None:
    result = maqam("plan", "verify", plans["ads"])
    assert result.code == 0, result.err
    assert "the plan holds: rows, batches, epochs and schedule" in result.out


def test_verify_says_what_it_cannot_hold_a_plan_of_ones_own_object_against(
    plans: dict[str, Path], tmp_path: Path
) -> None:
    copy = tmp_path / "plan"
    shutil.copytree(plans["uniform"] / "plan", copy)
    dealt = load_plan(copy)
    replace(dealt, schedule={"kind": "own", "name": "Late"}).save(copy)
    result = maqam("plan", "verify", copy)
    assert result.code == 0, result.err
    assert "rows and batches; not epochs and schedule, which was an object of Python" in result.out
    rows = np.array(dealt.rows)
    rows[1] = rows[0]
    replace(dealt, rows=rows, schedule={"kind": "own", "name": "Late"}).save(copy)
    result = maqam("plan", "verify", copy)
    assert result.code == 1
    assert "1 batches hold a row twice" in result.out


def test_verify_reads_the_log_of_a_run(runs: list[Path]) -> None:
    result = maqam("plan", "verify", runs[0])
    assert result.code == 0, result.err
    assert "the steps of train.jsonl" in result.out


def test_verify_finds_the_log_of_another_run(runs: list[Path], plans: dict[str, Path]) -> None:
    result = maqam("plan", "verify", plans["ads"], "--log", runs[0] / "train.jsonl")
    assert result.code == 1
    assert "held other tasks than planned" in result.out


def test_verify_finds_rows_that_were_exchanged(plans: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "plan"
    shutil.copytree(plans["ads"] / "plan", copy)
    rows = np.load(copy / "rows.npy")
    rows[[0, 6]] = rows[[6, 0]]
    np.save(copy / "rows.npy", rows)
    refused = maqam("plan", "verify", copy)
    assert refused.code == 1
    assert "the plan is damaged: the rows are not those that were written" in refused.err


def test_verify_without_a_recipe_asks_for_one(plans: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "alone" / "plan"
    shutil.copytree(plans["ads"] / "plan", copy)
    (copy / "recipe.yaml").unlink()
    refused = maqam("plan", "verify", copy)
    assert refused.code == 1
    assert "no recipe lies beside the plan" in refused.err
    recipe = plans["ads"] / "plan" / "recipe.yaml"
    assert maqam("plan", "verify", copy, "--recipe", recipe).code == 0


def test_a_log_that_is_not_whole_is_refused(plans: dict[str, Path], tmp_path: Path) -> None:
    log = tmp_path / "train.jsonl"
    log.write_text('{"step": 1, "utter', encoding="utf-8")
    refused = maqam("plan", "verify", plans["ads"], "--log", log)
    assert refused.code == 1
    assert "line 1 is not whole" in refused.err
    absent = maqam("plan", "verify", plans["ads"], "--log", tmp_path / "none.jsonl")
    assert "not readable" in absent.err
