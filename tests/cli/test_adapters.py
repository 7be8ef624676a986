"""Runs of adapters by task, of experts and of the whole LLM, from command to scores."""

import json

import pytest

from .calls import maqam
from .conftest import World


def scored(folder):
    return json.loads((folder / "eval/test/scores.json").read_text(encoding="utf-8"))["tasks"]


@pytest.fixture(scope="module")
def by_task(world: World):
    """Return a run of one adapter a task, and what its training said."""
    settings = ("name=by-task", "train.adapter={kind: hydra, match_flops: true}")
    result = maqam("train", world.recipe, *settings)
    assert result.code == 0, result.err
    return world.output / "by-task", result


def test_what_was_matched_is_printed(by_task) -> None:
    assert "adapter hydra, rank 2: " in by_task[1].err
    assert "plain LoRA of the ranks given has" in by_task[1].err


def test_a_run_by_task_is_scored_on_all_tasks_or_on_those_asked_for(by_task) -> None:
    folder, _ = by_task
    result = maqam("eval", folder)
    assert result.code == 0, result.err
    tasks = [*scored(folder)]
    assert len(tasks) > 1
    result = maqam("eval", folder, "--task", tasks[0])
    assert result.code == 0, result.err
    assert "utterances are not scored: they are of task" in result.err
    assert sorted(scored(folder)) == sorted(tasks)  # answers to the others stay
    result = maqam("eval", folder, "--task", "nope")
    assert result.code == 1
    assert "--task: the split has no row of task nope" in result.err


def test_rows_of_a_task_without_an_adapter_are_one_error_with_a_way_on(by_task) -> None:
    folder, _ = by_task
    path = folder / "adapter/routing.json"
    routing = json.loads(path.read_text(encoding="utf-8"))
    kept = {task: routing["folders"][task] for task in [*routing["folders"]][:1]}
    text = json.dumps({**routing, "folders": kept})
    whole = path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    result = maqam("eval", folder)
    path.write_text(whole, encoding="utf-8")
    assert result.code == 1
    assert "rows have no adapter" in result.err
    assert f"--task {next(iter(kept))}" in " ".join(result.err.split())


@pytest.mark.parametrize("kind", ["full", "moe"])
def test_a_run_of_any_kind_is_trained_and_scored(kind, world: World) -> None:
    settings = [f"name={kind}", f"train.adapter={kind}", "train.num_steps=1"]
    settings += ["train.lora_rank=16", "train.lora_alpha=32"]
    result = maqam("train", world.recipe, *settings)
    assert result.code == 0, result.err
    folder = world.output / kind
    result = maqam("eval", folder)
    assert result.code == 0, result.err
    assert scored(folder)
    assert (folder / "weights").is_dir() == (kind == "full")
