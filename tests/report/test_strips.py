import xml.etree.ElementTree as ElementTree

import pytest

from maqam.report.page import schedule_strips_svg
from maqam.schedule import Pool, Uniform, make_plan
from tests.report.factories import METHODS, method_plan


def test_the_picture_is_a_whole_svg_file_with_every_schedule():
    svg = schedule_strips_svg({name: method_plan(one, steps=20) for name, one in METHODS.items()})
    root = ElementTree.fromstring(svg)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [
        "asr",
        "did",
        "ser",
        "ssum",
        "tsum",
        "uniform",
        "tpc",
        "ads",
        "hybrid",
        "first step",
        "last step",
    ]


def test_the_picture_needs_no_style_sheet():
    svg = schedule_strips_svg({"ads": method_plan(METHODS["ads"], steps=20)})
    assert "var(" not in svg
    assert "class=" not in svg


def test_a_name_is_escaped():
    assert "<b>" not in schedule_strips_svg({"<b>": method_plan(METHODS["ads"], steps=20)})


def test_no_plans_are_refused():
    with pytest.raises(ValueError, match="there are no plans to draw"):
        schedule_strips_svg({})


def test_a_plan_without_tasks_is_refused():
    pool = Pool.from_columns({"cluster": [0, 1, 0, 1]})
    plan = make_plan(Uniform(), pool, steps=1, batch_size=2, seed=0)
    with pytest.raises(ValueError, match="'mine' has no task shares"):
        schedule_strips_svg({"mine": plan})
