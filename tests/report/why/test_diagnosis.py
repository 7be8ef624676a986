"""What a page shows of diagnoses: pictures with their tables, the switch, and what is damaged."""

import json
import re

import pytest

from maqam.errors import RunError
from maqam.progress import no_bars
from maqam.report.page import write_report
from maqam.studies.diagnosing import Diagnosing, diagnose_runs
from tests.report.factories import write_study
from tests.report.test_page import EVIL, Page

TASKS = ["asr", "did", "ser"]


def conflict_line(step, cosine):
    """Return a measure at which did and ser have a cosine, and ser is noise where it is None."""
    cosines = [[1.0, 0.4, None if cosine is None else 0.1], [0.4, 1.0, cosine], [0.1, cosine, 1.0]]
    table = {
        "names": TASKS,
        "counts": [8, 8, 8],
        "norms": [1.0, 2.0, None if cosine is None else 1.0],
        "noise": [4.0, 4.0, 4.0],
        "cosines": cosines,
        "lows": [[None if one is None else one - 0.2 for one in row] for row in cosines],
        "highs": [[None if one is None else one + 0.2 for one in row] for row in cosines],
    }
    metrics = {"euclidean": {"groups": {"task": table}}}
    return {
        "format_version": 1,
        "step": step,
        "rows_checksum": 1,
        "metrics": metrics,
        "losses": {"task": dict.fromkeys(TASKS, 1.0)},
    }


def probes(names):
    score = {"macro_f1": 0.62, "low": 0.5, "high": 0.7, "shuffled": 0.2}
    places = dict.fromkeys(["aligner", "layer 0, audio", "layer 0, prompt"], score)
    return {name: {"classes": 5, "train": 9, "test": 70, "places": places} for name in names}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("study"), seeds=(0, 1), steps=60)
    for run in (folder / "runs").iterdir():
        lines = [conflict_line(step, at) for step, at in ((0, None), (20, -0.5), (40, -0.6))]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (run / "conflict.jsonl").write_text(text, encoding="utf-8")
        steps = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
        steps[50]["grad_norm"] *= 40
        text = "".join(json.dumps(step) + "\n" for step in steps)
        (run / "train.jsonl").write_text(text, encoding="utf-8")
    diagnose_runs([folder], Diagnosing(record_only=True), no_bars, print)
    path = folder / "runs" / "hybrid-seed0" / "diagnosis.json"
    found = json.loads(path.read_text())
    found |= {"probes": {"before": probes(["did"]), "after": probes(["did", "speaker"])}}
    found["notes"].append(EVIL)
    path.write_text(json.dumps(found), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def html(study):
    return write_report([study], study / "report.html").read_text(encoding="utf-8")


def test_each_schedule_has_its_matrices_over_training_and_their_table(html):
    page = Page(html)
    assert not page.faults
    for method in ("uniform", "tpc", "ads", "hybrid"):
        assert f"Conflict between tasks: {method}" in page.titles
        assert html.count(f"{method}, step 40") >= 1
    pictures = [one for one in page.named("svg") if "Cosines of gradients" in one["aria-label"]]
    assert len(pictures) == 4 * 3
    assert html.count("Cosine of every two tasks by step") >= 4
    assert "−0.60" in html


def test_the_switch_is_told_where_a_measure_lies_before_or_after_it(html):
    before = re.findall(r"before the switch at step (\d+)", html)
    after = re.findall(r"after the switch at step (\d+)", html)
    assert before
    assert set(before) == set(after)


def test_a_gradient_that_is_noise_has_a_dash_and_no_number(html):
    assert "not told from noise" in html
    assert not re.search(r"\b(nan|None)\b", html)


def test_spikes_probes_signatures_and_seeds_stand_on_the_page(html):
    for words in (
        "times the usual",
        "What a linear probe reads: hybrid",
        "shuffled 20.0",
        "lasting conflict",
        "two seeds differ by",
    ):
        assert words in html, words
    assert "<script>alert" not in html


def test_a_study_that_was_not_diagnosed_has_no_such_part(tmp_path):
    folder = write_study(tmp_path, steps=10)
    assert 'id="diagnosis"' not in write_report([folder], tmp_path / "r.html").read_text()


def test_a_damaged_diagnosis_is_refused_with_a_way_on(tmp_path):
    folder = write_study(tmp_path, steps=10)
    (folder / "runs" / "ads-seed0" / "diagnosis.json").write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match="half written") as failure:
        write_report([folder], tmp_path / "r.html")
    assert "maqam diagnose" in failure.value.hint
