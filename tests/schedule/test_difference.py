"""Where two plans differ."""

import numpy as np
import pytest

from maqam.schedule import Ads, Alpha, DealSettings, Plan, Pool, Schedule, Then, Uniform, make_plan
from maqam.schedule.difference import difference


def plan(schedule: Schedule, **changes: int) -> Plan:
    tasks = ["asr"] * 60 + ["did"] * 30 + ["ser"] * 10
    pool = Pool.from_columns({"task": tasks})
    return make_plan(schedule, pool, **{"steps": 20, "batch_size": 10, "seed": 0, **changes})


def test_a_plan_does_not_differ_from_itself() -> None:
    found = difference(plan(Uniform()), plan(Uniform()))
    assert found.settings == {}
    assert found.first_step is None
    assert found.num_equal == 20
    assert set(found.overlap.values()) == {1.0}
    assert all(one.most == 0 for one in found.groups)


def test_the_first_step_that_differs_is_found() -> None:
    switched = Then(Alpha(alpha=0.0), Uniform(), at=0.4)
    found = difference(plan(Alpha(alpha=0.0)), plan(switched))
    assert set(found.settings) == {"schedule"}
    assert found.num_equal >= 8
    assert found.first_step == 8


def test_another_seed_is_named_and_deals_other_rows_of_the_same_shares() -> None:
    found = difference(plan(Alpha(alpha=0.0)), plan(Alpha(alpha=0.0), seed=1))
    assert found.settings == {"seed": (0, 1)}
    assert found.overlap["tenth"] < 0.7
    assert all(one.shares[0] == one.shares[1] for one in found.groups)


def test_groups_tell_where_they_are_farthest_apart() -> None:
    proportional, equal = Alpha(alpha=1.0), Ads(axes=("task",))
    found = {one.name: one for one in difference(plan(proportional), plan(equal)).groups}
    assert found["asr"].shares == pytest.approx((0.6, 1 / 3), abs=0.01)
    assert found["asr"].most == pytest.approx(20 * (6 - 10 / 3), abs=1)
    assert found["asr"].at_step >= 18
    assert found["ser"].most < 0


def test_a_shorter_plan_differs_where_it_ends() -> None:
    long, short = plan(Alpha(alpha=1.0)), plan(Alpha(alpha=1.0), steps=10)
    found = difference(long, short)
    assert found.settings == {"num_steps": (20, 10)}
    assert (found.num_equal, found.first_step) == (10, 10)


def test_plans_of_unequal_steps_are_compared_step_by_step() -> None:
    pool = Pool.from_columns(
        {"task": ["asr"] * 50}, values={"seconds": np.random.default_rng(0).uniform(1, 9, 50)}
    )
    one, other = (
        make_plan(Uniform(), pool, steps=9, batch_size=20, seed=seed, deal=DealSettings("seconds"))
        for seed in (0, 1)
    )
    assert difference(one, one).num_equal == 9
    assert difference(one, other).num_equal < 9
