"""Differences between methods, against those that seeds make."""

import numpy as np
import pytest

from maqam.diagnose.null import seed_null


def test_two_seeds_of_one_schedule_differ_beyond_seeds_in_five_of_a_hundred_at_most():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        drawn = rng.normal(size=(2, 5))
        (row,) = seed_null({"cosine": {"a": drawn[0].tolist(), "b": drawn[1].tolist()}})
        found.append(row["verdict"] == "beyond seeds")
    assert np.mean(found) <= 0.08


def test_a_difference_far_beyond_seeds_is_found_among_many_measures():
    rng = np.random.default_rng(1)
    values = {
        f"noise {number}": {m: rng.normal(size=4).tolist() for m in "abc"} for number in range(10)
    }
    values["planted"] = {"a": [5.0, 5.1, 4.9, 5.0], "b": [1.0, 1.1, 0.9, 1.0], "c": [5.0] * 4}
    rows = seed_null(values)
    found = {
        (r["measure"], r["method"], r["other"]) for r in rows if r["verdict"] == "beyond seeds"
    }
    assert found == {("planted", "a", "b"), ("planted", "b", "c")}
    assert len(rows) == 11 * 3


def test_the_p_value_of_two_methods_is_that_of_students_test():
    stats = pytest.importorskip("scipy.stats")
    one, other = [1.0, 2.0, 4.0], [3.0, 5.0, 6.0, 9.0]
    (row,) = seed_null({"x": {"a": one, "b": other}})
    assert row["p_value"] == pytest.approx(stats.ttest_ind(one, other).pvalue)


def test_one_seed_gives_no_verdict_and_what_is_no_number_is_left_out():
    (row,) = seed_null({"x": {"a": [1.0], "b": [9.0]}})
    assert (row["verdict"], row["p_value"]) == ("one seed: no verdict", None)
    (row,) = seed_null({"x": {"a": [1.0, float("nan")], "b": [9.0, 9.5]}})
    assert row["seeds"] == [1, 2]
    assert seed_null({"x": {"a": [float("nan")], "b": [1.0]}}) == []


def test_runs_without_any_spread_differ_or_are_the_same():
    same, other = (
        seed_null({"x": {"a": [1.0, 1.0], "b": [value, value]}})[0]["verdict"]
        for value in (1.0, 2.0)
    )
    assert (same, other) == ("within seeds", "beyond seeds")
