from dataclasses import dataclass
from pathlib import Path

import pytest

from maqam.models.pocket import new_pocket, save_pocket
from maqam.recipe import dump_yaml
from maqam.tasks import default_tasks

from .calls import maqam
from .corpus import WORDS, copied, make_corpus

TASKS = default_tasks()

METHODS = {"uniform": "{kind: uniform}", "tpc": "{kind: tpc}"}
SEEDS = (0, 1)


@dataclass(frozen=True, slots=True)
class World:
    """What commands are given: a corpus, a checkpoint and a recipe that names both."""

    folder: Path
    corpus: Path
    pocket: Path
    recipe: Path

    @property
    def output(self) -> Path:
        return self.folder / "out"


def write_recipe(folder: Path, corpus: Path, pocket: Path) -> Path:
    train = {"num_steps": 3, "batch_size": 4, "micro_batches": 1, "checkpoint_steps": 2}
    recipe = {
        "name": "tiny",
        "output": str(folder / "out"),
        "data": {"manifest": str(corpus)},
        "model": {"kind": "qwen2_5_omni", "path": str(pocket)},
        "train": {**train, "lora_rank": 2, "lora_alpha": 4},
        "score": {"max_new_tokens": 3, "num_resamples": 20},
    }
    path = folder / "recipe.yaml"
    path.write_text(dump_yaml(recipe), encoding="utf-8")
    return path


def make_world(folder: Path) -> World:
    corpus, pocket = make_corpus(folder / "corpus"), folder / "pocket"
    prompts = [task.prompts["ar"] for task in TASKS.values()]
    labels = [" ".join(task.labels) for task in TASKS.values()]
    save_pocket(new_pocket([" ".join(WORDS), *prompts, *labels], seed=0), pocket)
    return World(folder, corpus, pocket, write_recipe(folder, corpus, pocket))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def runs(world: World) -> list[Path]:
    """Return four trained and scored runs: two methods, two seeds."""
    folders = []
    for seed in SEEDS:
        for method, schedule in METHODS.items():
            name = f"{method}-seed{seed}"
            words = (f"name={name}", f"seed={seed}", f"schedule={schedule}")
            result = maqam("train", world.recipe, *words)
            assert result.code == 0, result.err
            folders.append(world.output / name)
            assert maqam("eval", folders[-1]).code == 0
    return folders


@pytest.fixture
def own(world: World, tmp_path: Path) -> World:
    """Return a world of this test's own, to be spoilt."""
    corpus = copied(world.corpus, tmp_path / "corpus")
    return World(tmp_path, corpus, world.pocket, write_recipe(tmp_path, corpus, world.pocket))
