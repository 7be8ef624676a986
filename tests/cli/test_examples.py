"""The scripts of `examples/`, run as they say they are run."""

import runpy
import sys
from pathlib import Path

import pytest

from .conftest import World

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Return what runs a script with arguments and returns the lines it prints."""

    def call(name: str, *words: str | Path) -> list[str]:
        monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return call


def test_a_plan_is_followed_by_a_plain_loader(run):
    *steps, left = run("follow_a_plan.py")
    assert steps[0] == "step 0: {('asr', '-'): 8, ('did', 'egyptian'): 4, ('did', 'gulf'): 4}"
    assert left == "steps left: 10"


def test_two_runs_are_compared_with_intervals(run, runs: list[Path]):
    uniform, tpc = runs[:2]
    title, *rows = run("compare_two_runs.py", uniform, tpc)
    assert title.startswith(f"{tpc.name} against {uniform.name}")
    assert any(row.startswith("asr wer: ") and " to " in row for row in rows)


def test_a_plan_is_exported_in_its_order(run, runs: list[Path], world: World, tmp_path: Path):
    count, first = run("export_a_plan.py", runs[0] / "plan", world.corpus, tmp_path / "out")
    assert count.startswith("12 rows of 3 steps")
    assert first.startswith("the first is train-")


def test_a_schedule_of_ones_own_moves_as_its_flow_says(run):
    lines = run("own_schedule.py")
    assert lines[0] == "step 0: {'amal': 13, 'badr': 3}"
    assert lines[-1] == "step 39: {'amal': 8, 'badr': 8}"


def test_a_task_of_ones_own_goes_from_files_to_a_plan(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manifest, *steps = run("own_task.py")
    assert manifest == "manifest/manifest.parquet"
    assert steps[0] == "step 0: {'arabic': 3, 'english': 3, 'french': 3}"
    assert len(steps) == 5


def test_every_example_has_a_test_and_says_how_it_is_run():
    tested = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'run("{path.name}"' in tested
        assert f"python examples/{path.name}" in path.read_text(encoding="utf-8")
