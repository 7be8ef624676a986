"""A plan that goes on after its end: nothing before changes, and the decks go on."""

import numpy as np
import pytest

from maqam.schedule import DealSettings, Pool, Tpc, Uniform
from maqam.schedule.compiler import Budget, plan_for
from maqam.schedule.verification import verify_plan
from tests.schedule.test_laws import STATIC, golden_pool, schedule_of


def plan(kind: str, pool: Pool, extra_steps: int = 0):
    return plan_for(schedule_of(kind), pool, Budget(9, 14, 5, extra_steps=extra_steps))


@pytest.mark.parametrize("kind", STATIC)
def test_the_steps_before_are_those_of_the_plan_that_is_extended(kind: str) -> None:
    short, long = plan(kind, golden_pool()), plan(kind, golden_pool(), extra_steps=4)
    assert long.num_steps == 13
    assert long.rows[: len(short.rows)].tolist() == short.rows.tolist()
    assert long.stages == (*short.stages, (9, "extension"))


@pytest.mark.parametrize("kind", STATIC)
def test_an_extended_plan_is_verified_as_what_it_is(kind: str) -> None:
    long = plan(kind, golden_pool(), extra_steps=4)
    assert verify_plan(long, golden_pool(), steps=9, extra_steps=4) == []
    if kind in ("tpc", "curriculum", "then", "custom"):  # which move, and would be stretched
        assert verify_plan(long, golden_pool(), steps=13) != []


@pytest.mark.parametrize("unit", ["seconds", "tokens"])
def test_plans_counted_in_seconds_or_tokens_are_extended_alike(unit: str) -> None:
    rng = np.random.default_rng(0)
    pool = Pool.from_columns(
        {"task": rng.choice(["asr", "did", "tsum"], 90)}, values={unit: rng.uniform(1, 3, 90)}
    )
    made = {
        extra: plan_for(
            Tpc((("asr",), ("did", "tsum"))), pool, Budget(8, 20, 1, DealSettings(unit), extra)
        )
        for extra in (0, 5)
    }
    size = len(made[0].rows)
    assert made[5].num_steps == 13
    assert made[5].rows[:size].tolist() == made[0].rows.tolist()


def test_an_extension_goes_on_where_the_decks_stopped() -> None:
    pool = Pool.from_columns({"task": ["asr"] * 40})
    long = plan_for(Uniform(), pool, Budget(5, 4, 0, extra_steps=5))
    assert sorted(long.rows.tolist()) == list(range(40))


def test_an_extension_holds_the_stage_that_the_schedule_ended_in() -> None:
    pool = Pool.from_columns({"task": ["asr"] * 30 + ["did"] * 30 + ["tsum"] * 30})
    schedule = Tpc((("asr",), ("did",), ("tsum",)))
    long = plan_for(schedule, pool, Budget(6, 5, 0, extra_steps=4))
    shares = long.shares["task"]
    tsum = shares.counts[:, shares.names.index("tsum")]
    assert tsum.tolist() == [0, 0, 0, 0, 5, 5, 5, 5, 5, 5]
