"""A finished run goes on; what two phases hand to each other."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from maqam.runs.folders import recipe_of

from .calls import maqam
from .conftest import World

pytestmark = pytest.mark.torch


def steps_of(run: Path) -> list[dict]:
    lines = (run / "train.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def adapter(run: Path) -> bytes:
    return (run / "adapter/adapter_model.safetensors").read_bytes()


def train(world: World, *words: str) -> Path:
    result = maqam("train", world.recipe, *words)
    assert result.code == 0, result.err
    return Path(result.out.splitlines()[-1])


@pytest.fixture(scope="module")
def extended(world: World) -> Path:
    """Return a run of three steps that was scored, and extended by two and by one."""
    words = ("name=extended", "schedule={kind: tpc}", "train.lora_dropout=0.1")
    run = train(world, *words)
    assert maqam("eval", run).code == 0
    train(world, *words, "--extend", "2")
    return train(world, *words, "--extend", "1")


def test_an_extended_run_is_the_run_that_was_asked_for_with_its_extensions(
    world: World, extended: Path
) -> None:
    words = ("schedule={kind: tpc}", "train.lora_dropout=0.1", "train.extensions=[2, 1]")
    whole = train(world, "name=whole", *words)
    told = ("step", "loss", "grad_norm", "lr", "rows_checksum")
    found = [[one[name] for name in told] for one in steps_of(extended)]
    assert found == [[one[name] for name in told] for one in steps_of(whole)]
    assert len(found) == 6
    assert adapter(extended) == adapter(whole)
    assert recipe_of(extended).train.extensions == (2, 1)


def test_an_extended_run_holds_to_its_plan_and_sets_its_scores_apart(
    world: World, extended: Path
) -> None:
    verified = maqam("plan", "verify", extended)
    assert verified.code == 0, verified.err
    assert (extended / "eval-at-step-3/test/scores.json").is_file()
    assert not (extended / "eval").exists()
    assert maqam("eval", extended).code == 0


def test_a_run_that_was_extended_is_resumed_by_the_recipe_it_was_begun_with(
    world: World, extended: Path
) -> None:
    before = adapter(extended)
    words = ("name=extended", "schedule={kind: tpc}", "train.lora_dropout=0.1", "--resume")
    assert train(world, *words) == extended
    assert adapter(extended) == before
    assert len(steps_of(extended)) == 6


def test_what_cannot_be_extended_is_refused_in_one_line(world: World) -> None:
    absent = maqam("train", world.recipe, "name=absent", "--extend", "2")
    assert "absent: only a finished run can be extended" in absent.err
    train(world, "name=other")
    none = maqam("train", world.recipe, "name=other", "--extend", "0")
    assert "--extend: a run is extended by at least 1 step, not 0" in none.err
    changed = maqam("train", world.recipe, "name=other", "seed=5", "--extend", "2")
    assert "the plan was dealt by another schedule, deal or seed" in changed.err
    slower = maqam("train", world.recipe, "name=other", "train.beta2=0.5", "--extend", "2")
    assert "the run was begun with another train.beta2" in slower.err
    assert {one.code for one in (absent, none, changed, slower)} == {1}


def test_a_run_that_dealt_its_pool_through_has_nothing_to_be_extended_with(world: World) -> None:
    words = ("name=through", "deal.exhaustion=stop", "train.batch_size=6")
    run = train(world, *words, "train.num_steps=200")
    ended = len(steps_of(run))
    assert ended < 200
    found = maqam("train", world.recipe, *words, "train.num_steps=200", "--extend", "2")
    assert found.code == 1
    assert f"the plan ends after {ended} steps: nothing is left to extend it with" in found.err


def label_scores(run: Path) -> np.ndarray:
    """Score a run; return the log-likelihood of every label of every utterance, in one row."""
    assert maqam("eval", run).code == 0
    table = pq.read_table(run / "eval/test/hypotheses.parquet").to_pylist()
    return np.concatenate([row["label_scores"] for row in table])


def test_what_is_tuned_and_scored_after_aligning_are_the_weights_it_left(world: World) -> None:
    aligned = train(
        world, "name=aligned", "train.phase=align", "train.llm=full", "train.learning_rate=0.01"
    )
    weights = f"model.path={aligned / 'weights'}"
    still = train(world, "name=still", weights, "train.learning_rate=1e-30")
    began = train(world, "name=began", "train.learning_rate=1e-30")
    of_aligned = label_scores(aligned)
    assert np.allclose(of_aligned, label_scores(still), atol=1e-4)
    assert not np.allclose(of_aligned, label_scores(began), atol=1e-2)
