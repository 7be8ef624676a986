"""Under torchrun one process prepares and prints, and all encode their part of the audio."""

import json
import subprocess
import sys

import pytest

from maqam.recipe import load_recipe
from maqam.runs import stages
from maqam.runs.session import Session
from tests.processes import together


def run_command(*words):
    """Run a command of maqam in a process of a group."""
    from maqam.cli.main import main  # once the process knows its rank

    sys.exit(main([str(word) for word in words]))


def launched(*words):
    """Run a command of maqam on two processes by torchrun itself, which ends all if one fails."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "--no-python", sys.executable, "-c"]
    command += ["from maqam.cli.main import run; run()", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def settings():
    kept = ["features.num_clusters=3", "features.batch_seconds=2.0", "schedule={kind: ads}"]
    return [*kept, "name=ads"]


@pytest.fixture(scope="module")
def both(world, settings, tmp_path_factory):
    """Return the outputs of one process and of two, and what the two said."""
    alone, shared = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("together")
    stages.train(Session(load_recipe(world.recipe, [*settings, f"output={alone}"])))
    words = ("train", world.recipe, *settings, f"output={shared}")
    done = together(run_command, *words, folder=shared / "said")
    assert done.code == 0, done.stderr[-3000:]
    return alone, shared, done


def test_the_feature_store_has_the_bytes_of_one_process(both):
    alone, shared, _ = both
    (theirs,) = (alone / "features").iterdir()
    (ours,) = (shared / "features").iterdir()
    names = sorted(path.name for path in theirs.iterdir())
    assert sorted(path.name for path in ours.iterdir()) == names
    different = [one for one in names if (ours / one).read_bytes() != (theirs / one).read_bytes()]
    assert [one for one in different if one != "clusters.npz"] == []


def test_the_plan_and_the_losses_are_those_of_one_process(both):
    alone, shared, _ = both
    plans, losses = [], []
    for output in (alone, shared):
        plans.append((output / "ads/plan/rows.npy").read_bytes())
        lines = (output / "ads/train.jsonl").read_text(encoding="utf-8").splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
    assert plans[0] == plans[1]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_one_process_speaks(both):
    _, shared, done = both
    assert done.stdout.count(str(shared / "ads")) == 1
    assert done.stdout.count("trainable parameters") == 1


def test_what_fails_in_preparing_ends_all_with_its_line(world, tmp_path):
    done = launched("train", world.recipe, f"data.manifest={tmp_path / 'nowhere'}")
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert [line for line in errors if "nowhere" in line], done.stderr[-2000:]
    assert len([line for line in errors if "nowhere" in line]) == 1
    assert 'Traceback (most recent call last):\n  File "<string>"' not in done.stderr
