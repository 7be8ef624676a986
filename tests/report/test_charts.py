import xml.etree.ElementTree as ElementTree

import numpy as np

from maqam.report.charts import (
    Curve,
    IntervalMark,
    Mark,
    area_picture,
    interval_picture,
    line_picture,
)
from maqam.report.palette import Ink

INK = Ink("ads", "var(--m2)")
BINS = np.array([0, 5, 10])


def curve(*values):
    middle = np.array(values)
    return Curve(INK, middle, middle - 0.1, middle + 0.1)


def test_an_area_ends_where_the_shares_do():
    svg = area_picture("shares", BINS, np.array([[1.0], [1.0]]), [INK], [], 380)
    area = ElementTree.fromstring(svg).find("g[@class='areas']/path")
    assert area.get("d") == "M40 12H372V166H40Z"


def test_a_group_that_is_never_dealt_draws_nothing():
    shares = np.array([[1.0, 0.0], [1.0, 0.0]])
    svg = area_picture("shares", BINS, shares, [INK, INK], [], 380)
    assert len(ElementTree.fromstring(svg).findall("g[@class='areas']/path")) == 1


def test_a_switch_has_a_head_and_a_stage_has_none():
    marks = [Mark(4, "did"), Mark(5, "ads", is_switch=True)]
    svg = area_picture("shares", BINS, np.array([[1.0], [1.0]]), [INK], marks, 380)
    assert (svg.count('class="head"'), svg.count('class="stage"')) == (1, 1)


def test_a_line_breaks_where_nothing_was_dealt():
    bins = np.arange(6)
    one = curve(1.0, 1.0, np.nan, 1.0, 1.0)
    svg = line_picture("loss", bins, [one], [], (0.0, 2.0, False), 380)
    line = ElementTree.fromstring(svg).find(".//path[@class='line']")
    assert line.get("d").count("M") == 2


def test_a_point_alone_is_drawn_as_a_dot():
    bins = np.arange(4)
    one = curve(np.nan, 1.0, np.nan)
    svg = line_picture("loss", bins, [one], [], (0.0, 2.0, False), 380)
    assert len(ElementTree.fromstring(svg).findall(".//circle")) == 1


def test_a_score_without_an_interval_has_no_whisker():
    svg = interval_picture("wer", [IntervalMark(INK, 12.0, None, None)], None, "%", 380)
    assert "whisker" not in svg
    assert "12.0" in svg


def test_a_name_that_is_too_long_is_cut_and_escaped():
    ink = Ink("<balanced-quota-with-replay>", "var(--m6)")
    svg = interval_picture("wer", [IntervalMark(ink, 12.0, 10.0, 14.0)], None, "%", 380)
    assert "&lt;balanced-qu…" in svg
