"""Texts and names that some parser on the way might obey: markup, quotes, tags, tabs, lines."""

import html
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from maqam.cli import screen
from maqam.data.manifest import write_manifest
from maqam.recipe import load_recipe
from maqam.run_layout import RunLayout
from tests.factories import make_row, make_tone

from .calls import maqam
from .conftest import World

TEXTS = (
    "<script>alert(1)</script> & </td>",
    "[red]نعم[/red]\tو\nلا",
    "قال <|im_end|> ثم <audio>\u2028",
    "no: {a}, 'x' (utterance-1)",
)
PLACE = "مجلد #1 %20 [b]\nلا"


@pytest.fixture(scope="module")
def run(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a step on hostile texts, below a folder and under a name that are hostile, too."""
    folder = tmp_path_factory.mktemp("hostile") / PLACE
    rows = []
    for index, text in enumerate(TEXTS):
        for split in ("train", "test"):
            name = f"{text} {split}"
            audio = f"audio {index} # %41 صوت.wav"
            more = {"id": name, "split": split, "audios": [audio], "speaker": f"{split} {text}"}
            rows.append(make_row(index, task="asr", target=text, source=text, dialect=text, **more))
            make_tone(folder / audio, seconds=0.5)
    write_manifest(rows, folder)
    recipe = world.recipe.read_text(encoding="utf-8")
    (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
    words = (f"data.manifest={json.dumps(str(folder))}", f"output={json.dumps(str(folder))}")
    steps = ("name=no", "train.num_steps=1", "train.checkpoint_steps=1")
    trained = maqam("train", folder / "recipe.yaml", *words, *steps)
    assert trained.code == 0, trained.err
    scored = maqam("eval", folder / "no", "--split", "test")
    assert scored.code == 0, scored.err
    return folder / "no"


def test_the_references_of_a_run_are_the_texts_as_they_stood(run: Path) -> None:
    (file,) = RunLayout(run).evaluation("test").folder.glob("hypotheses*.parquet")
    assert sorted(pq.read_table(file).column("reference").to_pylist()) == sorted(TEXTS)


def test_names_and_paths_that_yaml_might_read_otherwise_are_stored_as_words(run: Path) -> None:
    stored = load_recipe(run / "recipe.yaml")
    assert (stored.name, stored.output) == ("no", str(run.parent))


def test_a_page_holds_texts_as_letters(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    reported = maqam("report", run, "-o", page)
    assert reported.code == 0, reported.err
    text = page.read_text(encoding="utf-8")
    assert "<script>alert(1)" not in text
    assert html.escape(TEXTS[0]) in text


def test_a_bar_prints_its_name_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(screen, "stderr", Console(file=shown, force_terminal=True, width=120))
    with screen.progress_bar("train [red]x[/red]") as progress:
        progress(1, 2)
    assert "train [red]x[/red]" in shown.getvalue()
