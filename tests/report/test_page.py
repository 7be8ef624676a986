import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from maqam.errors import RunError
from maqam.report.page import write_plan_page, write_report
from tests.report.factories import METHODS, method_plan, write_run, write_study

VOID = {"meta", "br", "link", "img", "input", "hr"}
EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """Tags that open and close in order, with what they hold."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.faults, self.titles = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h2", "h3"):
            self.titles.append(data.strip())

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_study(folder, seeds=(0, 1, 2, 3, 4), steps=40)
    return write_report([folder], folder / "report.html").read_text(encoding="utf-8")


def test_every_tag_is_closed_in_order(html):
    page = Page(html)
    assert not page.faults
    assert not page.open


def test_the_page_has_every_section(html):
    titles = Page(html).titles
    for title in (
        "Verdict",
        "Scores",
        "What was compared",
        "Plans",
        "Tasks",
        "Labels",
        "Clusters",
        "Loss",
        "Gradient norm",
        "Confusions",
        "Failures of generation",
        "Examples",
        "Provenance",
    ):
        assert title in titles


def test_the_page_asks_nothing_of_the_network(html):
    assert not re.search(r"https?:|url\(|@import|<link|\ssrc=", html)
    assert all(attrs["href"].startswith("#") for attrs in Page(html).named("a"))


def test_every_link_has_its_target(html):
    page = Page(html)
    ids = {attrs.get("id") for _, attrs in page.tags}
    assert {attrs["href"][1:] for attrs in page.named("a")} <= ids


def test_every_figure_has_its_table(html):
    figures = html.split("<figure>")[1:]
    assert len(figures) == 7
    assert all("<table" in figure.split("</figure>")[0] for figure in figures)


def test_synthetic_speech_is_said_at_the_top(html):
    head = html.split("</header>")[0]
    assert "Synthetic speech:" in head
    assert "figures show direction, not what real speech would give" in head


def test_real_speech_is_said_at_the_top(tmp_path):
    write_run(tmp_path / "run", is_synthetic=False)
    head = write_report([tmp_path / "run"], tmp_path / "report.html").read_text(encoding="utf-8")
    head = head.split("</header>")[0]
    assert "Real human speech:" in head
    assert "Synthetic" not in head


def test_better_is_marked_only_where_the_verdict_says_so(html):
    table = html.split('<section id="scores">')[1].split("</table>")[0]
    rows = [re.sub(r"<[^>]+>", " ", row) for row in table.split("<tr>")]
    marked = [row.split()[0] for row in rows if " better" in row and "Scores" not in row]
    assert marked == ["hybrid"]
    assert len(re.findall(r'<td class="better">', table)) == 4


def test_transcripts_choose_their_own_direction(html):
    page = Page(html)
    assert all(attrs.get("dir") == "auto" for attrs in page.named("dd"))


def test_the_tooltip_s_numbers_are_whole_json(html):
    hovers = [attrs["data-hover"] for attrs in Page(html).named("svg") if "data-hover" in attrs]
    assert len(hovers) == 12 + 5 + 4
    for hover in map(json.loads, hovers):
        assert all(len(values) == len(hover["x"]) == len(hover["at"]) for values in hover["values"])


def test_text_from_data_is_escaped(tmp_path):
    folder = write_study(tmp_path / "s", steps=10, text=EVIL, name=f"study {EVIL}")
    html = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert len(page.named("script")) == 1
    assert not page.named("img")
    assert html.count("&lt;script&gt;alert(") > 3


def test_a_run_s_name_is_escaped(tmp_path):
    folder = write_run(tmp_path / "uniform-seed0", steps=5)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "name": EVIL}))
    html = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(Page(html).named("script")) == 1
    assert not Page(html).named("img")


def test_the_same_runs_give_the_same_bytes(tmp_path):
    folder = write_study(tmp_path / "s", steps=10)
    first = write_report([folder], tmp_path / "a.html").read_bytes()
    assert write_report([folder], tmp_path / "b.html").read_bytes() == first


def test_one_seed_marks_nothing(tmp_path):
    folder = write_study(tmp_path / "s", seeds=(0,), steps=10)
    html = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "One seed: no verdict." in html
    assert '<td class="better">' not in html


def test_one_run_is_shown_alone(tmp_path):
    folder = write_run(tmp_path / "hybrid-seed0", "hybrid", steps=10)
    html = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "One method, hybrid: nothing is compared." in html
    assert not Page(html).faults


def test_a_run_without_scores_still_shows_its_training(tmp_path):
    folder = write_run(tmp_path / "ads-seed0", "ads", steps=10, is_scored=False)
    html = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    titles = Page(html).titles
    assert "Loss" in titles
    assert "Scores" not in titles
    assert "is finished but not scored" in html


def test_a_run_before_its_first_step_is_shown(tmp_path):
    folder = write_run(tmp_path / "ads-seed0", "ads", steps=10, steps_taken=0)
    html = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "unfinished: 0 of 10 steps" in html


def test_unfinished_and_missing_runs_are_named_not_hidden(tmp_path):
    folder = write_study(tmp_path / "s", seeds=(0, 1), steps=10)
    write_run(folder / "runs" / "tpc-seed1", "tpc", seed=1, steps=10, steps_taken=4)
    shutil.rmtree(folder / "runs" / "tpc-seed1" / "eval")
    shutil.rmtree(folder / "runs" / "ads-seed1")
    html = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))
    assert "tpc-seed1 is unfinished: 4 of 10 steps" in text
    assert "ads-seed1 has not started" in text


def test_a_value_that_is_undefined_is_not_a_number(tmp_path):
    folder = write_run(tmp_path / "uniform-seed0", steps=10)
    path = folder / "eval" / "test" / "scores.json"
    content = json.loads(path.read_text())
    for row in content["scores"]:
        if row["task"] == "asr":
            row |= {"value": None, "low": None, "high": None}
    path.write_text(json.dumps(content))
    html = write_report([folder], tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<td class="missing"><bdi>n/a</bdi></td>' in html


def test_a_recipe_that_is_not_yaml_is_named(tmp_path):
    folder = write_run(tmp_path / "uniform-seed0", steps=5)
    (folder / "recipe.yaml").write_text("a: [1")
    with pytest.raises(RunError, match=r"recipe\.yaml: the recipe of the run is not YAML"):
        write_report([folder], tmp_path / "report.html")


def test_a_page_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    folder = write_run(tmp_path / "uniform-seed0", steps=5)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(RunError, match="the page cannot be written"):
        write_report([folder], tmp_path / "report.html")
    assert not list(tmp_path.glob(".report*"))


def test_a_plan_has_a_page_of_its_own(tmp_path):
    output = write_plan_page(method_plan(METHODS["hybrid"]), tmp_path / "plan.html", name="<b>")
    page = Page(output.read_text(encoding="utf-8"))
    assert [title for title in page.titles if title] == ["Tasks", "Labels", "Clusters"]
    assert not page.named("b")
    assert not page.faults
