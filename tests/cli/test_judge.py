"""`maqam judge` by the command line."""

import json
import shutil
from pathlib import Path

import pytest

from tests.chat_server import Server, said

from .calls import assert_refused, maqam

pytestmark = pytest.mark.torch


@pytest.fixture
def server():
    one = Server()
    yield one
    one.http.shutdown()
    one.http.server_close()


@pytest.fixture
def pair(runs: list[Path], tmp_path: Path) -> list[Path]:
    return [Path(shutil.copytree(run, tmp_path / run.name)) for run in runs[:2]]


def test_a_run_is_rated_and_the_record_stands_beside_its_scores(server, pair):
    words = ("judge", pair[0], "--url", server.url, "--model", "m", "--per-minute", "60000")
    result = maqam(*words)
    assert result.code == 0, result.err
    assert "rated from 0 to 5" in result.out
    record = json.loads((pair[0] / "eval" / "test" / "judge.json").read_text(encoding="utf-8"))
    assert {task["mean"] for task in record["tasks"].values()} == {3.0}
    asked = len(server.prompts)
    assert json.loads(maqam(*words, "--json").out) == record
    assert len(server.prompts) == asked


def test_two_runs_are_held_against_each_other_in_both_orders(server, pair):
    server.answer = lambda prompt: said("Better: A")
    words = ("--url", server.url, "--model", "m", "--per-minute", "60000", "--json")
    record = json.loads(maqam("judge", *pair, *words).out)
    assert record["against"] == pair[1].name
    for task in record["tasks"].values():
        assert (task["mean"], task["turns_with_the_order"]) == (0.5, task["num_utterances"])
    assert (pair[0] / "eval" / "test" / f"judge.against.{pair[1].name}.json").is_file()


def test_the_summaries_of_another_system_are_rated_and_held_against_a_second(server, tmp_path):
    for name in ("one", "other"):
        rows = [
            {"id": f"{at}", "reference": f"خلاصة {at}", "hypothesis": f"{name} {at}"}
            for at in range(3)
        ]
        file = tmp_path / f"{name}.jsonl"
        file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        scored = maqam("score", file, "--task", "tsum", "-o", tmp_path / name)
        assert scored.code == 0, scored.err
    words = ("--url", server.url, "--model", "m", "--per-minute", "60000", "--json")
    rated = json.loads(maqam("judge", tmp_path / "one", *words).out)
    assert rated["tasks"]["tsum"]["num_judged"] == 3
    assert (tmp_path / "one/eval/test/judge.json").is_file()
    server.answer = lambda prompt: said("Better: A")
    held = json.loads(maqam("judge", tmp_path / "one", tmp_path / "other", *words).out)
    assert held["tasks"]["tsum"]["mean"] == 0.5


def test_what_cannot_be_judged_is_refused_in_a_line(server, pair, tmp_path):
    words = ("--url", server.url, "--model", "m")
    assert_refused(maqam("judge", tmp_path / "none", *words), "no hypotheses")
    assert_refused(maqam("judge", pair[0], pair[0], *words), "itself")
    server.answer = lambda prompt: (401, {"error": "key"})
    assert_refused(maqam("judge", pair[0], *words), "status 401", "/v1/chat/completions")
    assert maqam("judge", pair[0]).code == 2
