"""How the command line ends: its exit codes, and what it says when it does."""

import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from maqam.cli import screen
from maqam.errors import RunError
from maqam.runs import stages

from .calls import assert_refused, maqam

COMMANDS = (
    (),
    ("demo",),
    ("data",),
    ("data", "check"),
    ("data", "stats"),
    ("data", "synth"),
    ("features",),
    ("plan",),
    ("plan", "compile"),
    ("plan", "show"),
    ("train",),
    ("eval",),
    ("compare",),
    ("study",),
    ("report",),
    ("pocket",),
    ("pocket", "build"),
    ("pocket", "card"),
)


def raising(error: BaseException) -> object:
    def raises(*given: object, **named: object) -> None:
        raise error

    return raises


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text("name: tiny\n")
    return path


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    result = maqam(*words, "--help")
    assert (result.code, result.err) == (0, "")
    assert "Usage:" in result.out


def test_help_of_an_installed_command_says_what_maqam_does() -> None:
    code = "from maqam.cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "Decide which utterances an audio LLM trains on" in done.stdout


def test_a_failure_of_the_installed_command_is_one_line_and_a_hint(tmp_path: Path) -> None:
    code = "from maqam.cli.main import run; run()"
    words = ["data", "stats", str(tmp_path / "absent")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]
    assert "absent: there is no manifest" in done.stderr


@pytest.mark.parametrize(
    "words",
    [("trian",), ("train",), ("train", "recipe.yaml", "--resum"), ("data", "synt"), ("report",)],
    ids=" ".join,
)
def test_a_wrong_call_exits_with_2_and_shows_the_usage(words: tuple[str, ...]) -> None:
    result = maqam(*words)
    assert result.code == 2
    assert "Usage:" in result.err
    assert "Traceback" not in result.err


def test_what_the_user_can_mend_exits_with_1(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = RunError("no such thing", where="there", hint="look elsewhere")
    monkeypatch.setattr(stages, "train", raising(error))
    result = maqam("train", recipe)
    assert result.code == 1
    assert result.err == "error: there: no such thing\nhint: look elsewhere\n"


def test_ctrl_c_exits_with_130_and_says_how_to_go_on(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "train", raising(KeyboardInterrupt()))
    result = maqam("train", recipe)
    assert result.code == 130
    assert result.line("error") == "error: interrupted"
    assert "--resume" in result.line("hint")


def test_a_full_disk_nobody_caught_is_still_one_line(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/file")
    monkeypatch.setattr(stages, "train", raising(error))
    assert_refused(maqam("train", recipe), "/data/file", "the disk is full")


def test_a_fault_of_ours_keeps_its_traceback(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "train", raising(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError, match="ours"):
        maqam("train", recipe)


@pytest.mark.parametrize("command", ["train", "plan", "features", "study"])
def test_a_recipe_that_is_not_there_is_named(command: str, tmp_path: Path) -> None:
    assert_refused(maqam(command, tmp_path / "absent.yaml"), "absent.yaml", "cannot be read")


@pytest.mark.parametrize("command", ["check", "stats"])
def test_a_manifest_that_is_not_there_is_named(command: str, tmp_path: Path) -> None:
    assert_refused(maqam("data", command, tmp_path), "manifest.parquet", "no manifest")


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert_refused(maqam("plan", "show", tmp_path), str(tmp_path), "no whole plan")


def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("model: {kind: qwen2_5_omni}\n")
    absent = tmp_path / "absent"
    words = (f"output={tmp_path / 'out'}", "data.synth.train={asr: 2}", f"model.path={absent}")
    few = ("data.synth.dev={asr: 1}", "data.synth.test={asr: 1}")
    assert_refused(maqam("train", recipe, *words, *few), str(absent), "does not load")


def test_the_card_of_the_pocket_model_is_printed() -> None:
    assert "synthetic" in maqam("pocket", "card").out.lower()


def test_a_bar_without_progress_leaves_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    with screen.progress_bar("nothing"):
        pass
    assert capsys.readouterr().err == ""


def test_a_bar_ends_when_its_stage_fails() -> None:
    with suppress(RunError), screen.progress_bar("stage") as report:
        report(1, 2)
        raise RunError("broken")
    with screen.progress_bar("next") as report:
        report(2, 2)


def test_a_table_leaves_cells_without_value_empty(capsys: pytest.CaptureFixture[str]) -> None:
    screen.print_table("title", ("name", "value"), [("one", None), ("two", 2)])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "title"
    assert lines[2] == "one"
    assert lines[3].split() == ["two", "2"]


def test_text_from_data_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    screen.say("[red]as it is[/red]")
    screen.print_table("[b]title", ("name",), [("[red]cell[/red]",)])
    captured = capsys.readouterr()
    assert "[red]as it is[/red]" in captured.err
    assert "[red]cell[/red]" in captured.out
