"""`maqam eval --rescore` by the command line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bert import make_bert

from .calls import assert_refused, maqam
from .conftest import World

pytestmark = pytest.mark.torch


@pytest.fixture
def run(runs: list[Path], tmp_path: Path) -> Path:
    """Return a copy of a scored run, to be scored again."""
    return Path(shutil.copytree(runs[0], tmp_path / "run"))


def test_rescoring_by_the_recipe_gives_the_same_file(run: Path) -> None:
    file = run / "eval" / "test" / "scores.json"
    before = file.read_bytes()
    file.unlink()
    result = maqam("eval", run, "--rescore", "--json")
    assert file.read_bytes() == before
    assert json.loads(result.out) == json.loads(before)


def test_another_profile_gives_other_scores_in_a_file_of_their_own(run: Path) -> None:
    file = run / "eval" / "test" / "scores.json"
    before = file.read_bytes()
    assert "iwslt22" in maqam("eval", run, "--rescore", "--profile", "iwslt22").out
    other = json.loads(file.with_name("scores.iwslt22.json").read_text(encoding="utf-8"))
    assert other["profile"] == "iwslt22"
    assert other["scores"] != json.loads(before)["scores"]
    assert file.read_bytes() == before


def test_rescoring_needs_neither_model_nor_torch(run: Path) -> None:
    code = (
        "import sys; from maqam.cli.main import main; "
        f"code = main(['eval', {str(run)!r}, '--rescore']); print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("0 False")


def test_a_run_without_hypotheses_is_named(run: Path) -> None:
    shutil.rmtree(run / "eval")
    assert_refused(maqam("eval", run, "--rescore"), str(run), "there are no hypotheses")


def test_an_unknown_profile_is_named(run: Path) -> None:
    result = maqam("eval", run, "--rescore", "--profile", "mine")
    assert_refused(result, "no normalizer profile 'mine'")


def test_a_profile_alone_is_a_wrong_call(run: Path) -> None:
    assert maqam("eval", run, "--profile", "none").code == 2


def test_a_folder_that_is_no_run_is_not_rescored(world: World, tmp_path: Path) -> None:
    assert_refused(maqam("eval", tmp_path, "--rescore"), str(tmp_path), "no run here")


def test_a_batch_check_tells_what_differs_and_changes_no_file(run: Path) -> None:
    before = {path: path.read_bytes() for path in (run / "eval").rglob("*") if path.is_file()}
    found = json.loads(maqam("eval", run, "--batch-check", "--json").out)
    assert found["num_utterances"] > 0
    assert len(found["differences"]) <= found["num_utterances"]
    assert found["largest_gap"] < 0.01
    assert "answers that differ" in maqam("eval", run, "--batch-check").out
    assert before == {path: path.read_bytes() for path in before}


def test_bertscore_of_summaries_by_a_local_encoder(run: Path, tmp_path: Path) -> None:
    encoder = make_bert(tmp_path / "bert")
    found = json.loads(
        maqam("eval", run, "--bertscore", encoder, "--bertscore-layer", "2", "--json").out
    )
    assert found == json.loads((run / "eval" / "test" / "bertscore.json").read_text("utf-8"))
    assert (found["layer"], found["model"]) == (2, str(encoder))
    assert "layer 3 of bert" in maqam("eval", run, "--bertscore", encoder).out
    assert_refused(
        maqam("eval", run, "--bertscore", tmp_path / "none"), "no folder of a checkpoint"
    )
    assert maqam("eval", run, "--bertscore", encoder, "--rescore").code == 2
