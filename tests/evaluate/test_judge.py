"""The judge, asked over a real socket at a server that answers as it is told to."""

import json
import re
import threading
import time

import pytest

from maqam.errors import ConfigError, RunError
from maqam.evaluate.endpoint import Endpoint, ask
from maqam.evaluate.judge import Judging, parse_better, parse_rating, prefer, rate
from tests.chat_server import Server, said
from tests.score.tables import make_columns

COLUMNS = {
    **make_columns("tsum", [("زار الوزير مصر", f"ملخص {index}") for index in range(6)]),
    "speaker": ["a", "a", "b", "b", "c", "c"],
    "document": ["زار الوزير مصر أمس"] * 6,
}


@pytest.fixture
def server():
    one = Server()
    yield one
    one.http.shutdown()
    one.http.server_close()


def endpoint(server, **changes):
    settings = {"per_minute": 60_000, "backoff": 0.01, "timeout": 5, **changes}
    return Endpoint(server.url, "judge-1", **settings)


def judging(server, tmp_path, *, limit=None, seed=0, **changes):
    return Judging(endpoint(server, **changes), tmp_path / "replies", limit, seed)


def answer_in(prompt: str) -> str:
    return re.findall(r"Answer(?: A)?: <<<(.*?)>>>", prompt)[0]


def test_ratings_are_averaged_over_what_can_be_read(server, tmp_path):
    def answer(prompt):
        index = int(answer_in(prompt)[-1])
        return said("I would rather not." if index == 5 else f"Explained.\nRating: {index}")

    server.answer = answer
    record = rate(COLUMNS, judging(server, tmp_path))
    task = record["tasks"]["tsum"]
    assert task["mean"] == pytest.approx((0 + 1 + 2 + 3 + 4) / 5)
    assert task["low"] <= task["mean"] <= task["high"]
    counts = ("num_utterances", "num_judged", "num_questions", "num_unanswered")
    assert [task[name] for name in counts] == [6, 5, 6, 0]
    assert [row["rating"] for row in record["utterances"]] == [0, 1, 2, 3, 4, None]
    assert record["utterances"][5]["reply"] == "I would rather not."
    assert record["judge"]["model"] == "judge-1"


def test_the_judge_sees_reference_and_source(server, tmp_path):
    rate(COLUMNS, judging(server, tmp_path, limit=1))
    assert "Reference: <<<زار الوزير مصر>>>" in server.prompts[0]
    assert "Document: <<<زار الوزير مصر أمس>>>" in server.prompts[0]


def test_replies_are_kept_and_not_asked_for_again(server, tmp_path):
    first = rate(COLUMNS, judging(server, tmp_path))
    asked = len(server.prompts)
    assert rate(COLUMNS, judging(server, tmp_path)) == first
    assert len(server.prompts) == asked == 6


def test_only_what_is_missing_is_asked_after_a_run_broke_off(server, tmp_path):
    replies = tmp_path / "replies"
    rate(COLUMNS, judging(server, tmp_path))
    kept = sorted(replies.glob("*.json"))
    kept[0].unlink()
    kept[1].write_text("{half")
    rate(COLUMNS, judging(server, tmp_path))
    assert len(server.prompts) == 8


def test_the_order_of_asking_follows_from_the_seed(server, tmp_path):
    orders = []
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        server.prompts.clear()
        rate(COLUMNS, judging(server, tmp_path / folder, seed=seed, parallel=1))
        orders.append([answer_in(prompt) for prompt in server.prompts])
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])


def test_a_server_that_is_busy_is_asked_again_and_its_wait_is_kept(server, tmp_path):
    seen: dict[str, int] = {}

    def answer(prompt):
        seen[prompt] = seen.get(prompt, 0) + 1
        return (429, {"error": "slow down"}) if seen[prompt] < 3 else said("Rating: 5")

    server.answer, server.headers = answer, {"Retry-After": "0.01"}
    record = rate(COLUMNS, judging(server, tmp_path))
    assert record["tasks"]["tsum"]["mean"] == 5
    assert set(seen.values()) == {3}


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ((500, {}), "status 500"),
        ((200, b"<html>busy</html>"), "no chat completion"),
        ((200, {"choices": []}), "no chat completion"),
        ((200, {"choices": [{"message": {"content": None}}]}), "without text"),
    ],
)
def test_a_question_that_stays_unanswered_is_counted_and_tells_why(
    server, tmp_path, reply, problem
):
    server.answer = lambda prompt: reply if answer_in(prompt)[-1] == "0" else said("Rating: 4")
    record = rate(COLUMNS, judging(server, tmp_path, attempts=2))
    assert record["tasks"]["tsum"]["num_unanswered"] == 1
    assert record["tasks"]["tsum"]["mean"] == 4
    assert problem in record["utterances"][0]["problem"]
    assert len(server.prompts) == 7


def test_a_server_that_never_answers_in_time_is_given_up(server, tmp_path):
    wait = threading.Event()
    server.answer = lambda prompt: (wait.wait(2), said("Rating: 4"))[1]
    with pytest.raises(RunError, match=r"none of 1 summaries .* read") as caught:
        rate(COLUMNS, judging(server, tmp_path, limit=1, timeout=0.2, attempts=1))
    assert "no reply within 0.2 s" in caught.value.hint
    wait.set()


def test_a_refusal_that_echoes_the_key_is_told_without_it(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MAQAM_JUDGE_KEY", "secret-123")
    server.answer = lambda prompt: (401, {"error": "wrong key: secret-123"})
    with pytest.raises(RunError, match=r"wrong key: \(key\)") as caught:
        rate(COLUMNS, judging(server, tmp_path))
    assert "secret-123" not in str(caught.value)


@pytest.mark.parametrize("wish", ["\u00b2", "soon", "-1", "nan"])
def test_a_wait_that_is_no_number_is_passed_over(server, tmp_path, wish):
    answers = [said("Rating: 1"), (503, {})]
    server.answer = lambda prompt: answers.pop()
    server.headers = {"Retry-After": wish}
    record = rate(COLUMNS, judging(server, tmp_path, limit=1))
    assert record["tasks"]["tsum"]["mean"] == 1


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_ends_the_run_at_once(server, tmp_path, status):
    server.answer = lambda prompt: (status, {"error": "no"})
    with pytest.raises(RunError, match=f"status {status}"):
        rate(COLUMNS, judging(server, tmp_path, parallel=1))
    assert len(server.prompts) < 6


def test_an_address_where_nobody_answers_is_named(tmp_path):
    nowhere = Endpoint("http://127.0.0.1:9/v1", "judge-1")
    with pytest.raises(RunError, match=r"127\.0\.0\.1:9/v1/chat/completions: cannot be reached"):
        ask(nowhere, [[{"role": "user", "content": "?"}]], tmp_path)


def test_the_key_is_sent_and_written_nowhere(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MAQAM_JUDGE_KEY", "secret-123")
    record = rate(COLUMNS, judging(server, tmp_path))
    assert set(server.keys) == {"Bearer secret-123"}
    held = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert held
    assert "secret-123" not in json.dumps(record) + "".join(held)


def test_both_orders_are_asked_and_a_verdict_that_turns_with_them_is_half(server, tmp_path):
    rival = {**COLUMNS, "hypothesis": [f"آخر {index}" for index in range(6)]}

    def answer(prompt):
        first = answer_in(prompt)
        index = int(first[-1])
        is_ours = first.startswith("ملخص")
        wins = {0: "A" if is_ours else "B", 1: "B" if is_ours else "A", 2: "tie", 3: "A"}
        return said(f"Because.\nBetter: {wins.get(index, 'both')}")

    server.answer = answer
    record = prefer(COLUMNS, rival, judging(server, tmp_path))
    verdicts = [row["verdict"] for row in record["utterances"]]
    assert verdicts == ["better", "worse", "tie", "turns with the order", None, None]
    task = record["tasks"]["tsum"]
    assert task["mean"] == pytest.approx((1 + 0 + 0.5 + 0.5) / 4)
    assert (task["num_judged"], task["num_questions"], task["turns_with_the_order"]) == (4, 12, 1)
    assert len(server.prompts) == 12


def test_runs_on_other_utterances_are_not_held_against_each_other(server, tmp_path):
    other = {**COLUMNS, "id": [f"x{index}" for index in range(6)]}
    with pytest.raises(RunError, match="other utterances"):
        prefer(COLUMNS, other, judging(server, tmp_path))


def test_a_run_without_summaries_has_nothing_to_judge(server, tmp_path):
    with pytest.raises(RunError, match="no summary to judge"):
        rate(make_columns("asr", [("نعم", "نعم")]), judging(server, tmp_path))


@pytest.mark.parametrize(
    ("reply", "rating"),
    [
        ("Rating: 4", 4),
        ("fine\n**Rating: 0/5**", 0),
        ("Rating: 7", None),
        ("Rating: 3\nRating: 4", None),
        ("I say 4", None),
        ("Rating: 3.5", None),
    ],
)
def test_a_rating_is_read_or_refused(reply, rating):
    assert parse_rating(reply) == rating


@pytest.mark.parametrize(("reply", "better"), [("Better: tie.", "tie"), ("Better: A, B", None)])
def test_a_preference_is_read_or_refused(reply, better):
    assert parse_better(reply) == better


def test_an_endpoint_that_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match="begins with http"):
        Endpoint("localhost:8000", "judge-1")
    with pytest.raises(ConfigError, match="per_minute: must be above 0"):
        Endpoint("http://localhost", "judge-1", per_minute=0)


def test_requests_begin_no_faster_than_the_rate(server, tmp_path):
    begin = time.monotonic()
    rate(COLUMNS, judging(server, tmp_path, per_minute=1200))
    assert time.monotonic() - begin >= 5 * 60 / 1200
