"""The page for one's own corpora, run from its first command to its last on the pocket model."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from maqam.recipe import load_recipe

from .calls import maqam
from .conftest import World
from .corpus import WORDS, write_tone

pytestmark = pytest.mark.torch

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own-corpus.md").read_text(encoding="utf-8")
RECIPES = ("recipes/qwen-align.yaml", "recipes/qwen-tune.yaml")
SMALL = (
    "train.num_steps=2",
    "train.batch_size=4",
    "score.max_new_tokens=3",
    "score.num_resamples=20",
)


def blocks() -> list[tuple[str, str]]:
    return re.findall(r"^```(sh|python)\n(.*?)^```", PAGE, flags=re.M | re.S)


def write_corpora(folder: Path) -> None:
    """Write what the page says that its reader has."""
    lines = ["audio,text,speaker,split"]
    for split, count in (("train", 8), ("test", 3)):
        for index in range(count):
            name = f"{split}-{index}.wav"
            write_tone(folder / name, 0.5 + 0.1 * index, 200 + 30 * index)
            lines.append(f"{name},{WORDS[index]},{split}-{index % 2},{split}")
        for label, hertz in (("ANG", 300), ("HAP", 500)):
            for index in range(4):
                place = folder / "emotions" / split / label
                place.mkdir(parents=True, exist_ok=True)
                write_tone(place / f"{index}.wav", 0.6, hertz + index)
    (folder / "transcripts.csv").write_text("\n".join(lines), encoding="utf-8")


def settings(words: list[str], world: World) -> list[str]:
    """Return what a command of the page gets on top, so that the pocket runs it in seconds."""
    if words[0] not in ("train", "plan") or words[1] not in RECIPES:
        return []
    extra = [*SMALL]
    if words[1] == RECIPES[0]:
        extra += [f"model.path={world.pocket}", "train.workers=0"]
    return extra


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which all of the page was done."""
    place = tmp_path_factory.mktemp("own")
    write_corpora(place)
    shutil.copytree(ROOT / "recipes", place / "recipes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for language, text in blocks():
            if language == "python":
                exec(text, {})
                continue
            for line in text.splitlines():
                program, *words = shlex.split(line.replace("--extend 2000", "--extend 2"))
                if program == "maqam":
                    result = maqam(*words, *settings(words, world))
                    assert result.code == 0, (line, result.err)
    return place


def test_the_second_phase_begins_with_the_weights_of_the_first(folder):
    tune = load_recipe(folder / RECIPES[1])
    align = load_recipe(folder / RECIPES[0])
    assert tune.model.path == str(align.folder / "weights")
    assert (folder / tune.model.path / "config.json").is_file()
    assert tune.output == align.output
    assert tune.data == align.data


def test_every_run_of_the_page_is_scored_and_reported(folder):
    names = ("qwen-align", "qwen-hybrid-seed0", "qwen-sm-seed0")
    for name in names:
        assert (folder / "runs/qwen" / name / "eval/test/scores.json").is_file()
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert all(name in report for name in names[1:])


def test_the_page_runs_its_recipes_under_torchrun_too():
    commands = [line for _, text in blocks() for line in text.splitlines()]
    (line,) = [line for line in commands if line.startswith("torchrun")]
    assert line.endswith(f"maqam train {RECIPES[0]}")
    assert "--no-python" in line


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_for_the_7b_model_marks_what_is_to_be_filled(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    marked = {line.strip().partition(":")[0] for line in text.splitlines() if "# FILL" in line}
    assert {"output", "manifest", "path"} <= marked
