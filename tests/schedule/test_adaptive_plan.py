"""Plans that grow: the same decisions deal the same rows, none deal what a plan does."""

from dataclasses import fields

import numpy as np
import pytest

from maqam.errors import ScheduleError
from maqam.schedule import (
    Ads,
    Alpha,
    Pool,
    Uniform,
    make_plan,
    schedule_as_table,
    schedule_from_table,
)
from maqam.schedule.adaptive.kinds import AdaptiveMixture, ThenAuto
from maqam.schedule.adaptive.protocol import Decision, Observation
from maqam.schedule.adaptive_plan import AdaptivePlan
from maqam.schedule.compiler import Budget
from maqam.schedule.schedules import KINDS
from maqam.schedule.switch import Switch

TASKS = ("asr", "did", "ser")


def pool() -> Pool:
    tasks = ["asr"] * 120 + ["did"] * 40 + ["ser"] * 10
    return Pool.from_columns({"task": tasks, "label": [f"l{i % 3}" for i in range(170)]})


def observed(step: int, probe_loss: float = 1.0) -> Observation:
    return Observation(
        step=step,
        losses={"asr": 2.0, "did": 1.0, "ser": 0.5},
        tokens=dict.fromkeys(TASKS, 10),
        utterances=dict.fromkeys(TASKS, 10),
        probe_losses=dict.fromkeys(TASKS, probe_loss),
    )


def grown(schedule, steps: int = 40, seed: int = 0, losses=()) -> AdaptivePlan:
    """Follow a plan to its end, probe losses as given."""
    plan = AdaptivePlan(schedule, pool(), Budget(steps, 12, seed))
    history: list[Observation] = []
    while plan.num_dealt < steps:
        step = plan.num_dealt - schedule.every
        loss = losses[len(history)] if losses else 1.0
        history.append(observed(step, loss))
        plan.grow(schedule.decide(history, plan.decisions, steps, plan.prior))
    return plan


@pytest.mark.parametrize("base", [Alpha(alpha=0.3), Ads(("task", "label"))])
def test_without_a_rate_it_deals_what_its_base_deals(base) -> None:
    plan = grown(
        AdaptiveMixture("progress", base=base, every=7, rate=0.0, pull=1.0, floor=0.0)
    ).finished()
    static = make_plan(base, pool(), steps=40, batch_size=12, seed=0)
    assert plan.fingerprint == static.fingerprint


def test_shares_decided_rule_the_window_after_the_next() -> None:
    schedule = AdaptiveMixture("doremi", every=5, reference=dict.fromkeys(TASKS, 0.0), rate=3.0)
    plan = grown(schedule, steps=20).finished()
    counts = plan.shares["task"].counts
    before = make_plan(Alpha(alpha=1.0), pool(), steps=10, batch_size=12, seed=0)
    assert np.array_equal(counts[:10], before.shares["task"].counts)
    assert counts[10:, 0].mean() > counts[:10, 0].mean()


def test_the_same_decisions_deal_the_same_rows() -> None:
    schedule = AdaptiveMixture("exp3", every=5)
    one = grown(schedule)
    other = AdaptivePlan(schedule, pool(), Budget(40, 12, 0))
    for decision in one.decisions:
        other.grow(Decision(**decision.as_table()))
    assert other.finished().fingerprint == one.finished().fingerprint


def test_a_decision_for_another_window_is_refused() -> None:
    plan = AdaptivePlan(AdaptiveMixture("exp3", every=5), pool(), Budget(40, 12, 0))
    with pytest.raises(ScheduleError, match="a decision for step 15 where step 10 is next"):
        plan.grow(Decision(step=10, begins=15, shares=dict.fromkeys(TASKS, 1 / 3)))


def test_a_batch_larger_than_the_pool_is_refused() -> None:
    with pytest.raises(ScheduleError, match="a batch of 500 from a pool of 170"):
        AdaptivePlan(AdaptiveMixture("exp3"), pool(), Budget(40, 500, 0))


def switched(losses: list[float], **settings) -> AdaptivePlan:
    schedule = ThenAuto(Uniform(), Ads(("task", "label")), every=5, dip="linear", **settings)
    return grown(schedule, steps=100, losses=losses)


def test_a_switch_comes_when_the_loss_has_settled() -> None:
    losses = [3.0, 2.0, *[1.0] * 30]
    plan = switched(losses).finished()
    (at,) = plan.switches
    assert 15 <= at <= 45
    assert plan.switches[at] == Switch("linear", 100)
    counts = plan.shares["task"].counts
    assert (counts[at:] == 4).all()
    assert not (counts[:at] == 4).all()
    assert plan.stages == ((0, "uniform"), (at, "ads over task > label"))


def test_a_loss_that_keeps_falling_switches_at_the_latest() -> None:
    losses = [10.0 - 0.3 * index for index in range(30)]
    (at,) = switched(losses, at_most=0.6).switches
    assert 50 < at <= 60


def test_a_switch_that_is_decided_can_fade_in() -> None:
    plan = switched([3.0, 2.0, *[1.0] * 30], anneal=0.2).finished()
    (at,) = plan.switches
    jump = switched([3.0, 2.0, *[1.0] * 30]).finished()
    assert list(jump.switches) == [at]
    assert np.array_equal(plan.rows[: 12 * at], jump.rows[: 12 * at])
    asr = plan.shares["task"].counts[:, 0]
    start, middle, end = (asr[at + first : at + first + 5].mean() for first in (0, 8, 20))
    assert start > middle + 0.5 > end + 1.0
    assert end == 4


def test_a_fade_in_longer_than_what_is_left_is_refused() -> None:
    with pytest.raises(ValueError, match=r"anneal must lie in \[0, 0.25\], got 0.5"):
        ThenAuto(Uniform(), Alpha(), anneal=0.5)


def test_no_switch_comes_before_its_time() -> None:
    losses = [3.0, *[1.0] * 30]
    (at,) = switched(losses, at_least=0.5).switches
    assert at == 50


def test_a_clock_too_slow_for_a_switch_is_refused() -> None:
    schedule = ThenAuto(Uniform(), Alpha(), every=50)
    with pytest.raises(ScheduleError, match="a decision every 50 steps rules from step 100 on"):
        AdaptivePlan(schedule, pool(), Budget(100, 12, 0))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "adaptive", "reward": "luck"}, "reward must be one of exp3, doremi"),
        ({"kind": "adaptive", "reward": "exp3", "every": 1}, "every must be at least 2"),
        ({"kind": "adaptive", "reward": "exp3", "probe_size": 0}, "probe_size must be at least 1"),
        ({"kind": "adaptive", "reward": "exp3", "rate": -1}, "rate must be >= 0"),
        ({"kind": "adaptive", "reward": "exp3", "floor": 2}, "floor must lie in"),
        ({"kind": "adaptive", "reward": "doremi"}, "needs a reference"),
        ({"kind": "adaptive", "reward": "exp3", "reference": {"asr": 1.0}}, "needs a reference"),
        (
            {"kind": "adaptive", "reward": "exp3", "base": {"kind": "adaptive", "reward": "ado"}},
            "decides while the run trains",
        ),
        (
            {"kind": "then", "at": "auto", "first": {"kind": "tpc"}, "second": {"kind": "uniform"}}
            | {"at_least": 0.9},
            "at_least <= at_most",
        ),
        (
            {"kind": "then", "at": "auto", "first": {"kind": "tpc"}, "second": {"kind": "uniform"}}
            | {"threshold": 0},
            "threshold must be above 0",
        ),
        (
            {"kind": "then", "at": 0.4, "first": {"kind": "tpc"}}
            | {"second": {"kind": "adaptive", "reward": "exp3"}},
            "decides while the run trains",
        ),
    ],
)
def test_settings_that_do_not_hold_are_refused(table, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        schedule_from_table(table)


def test_then_with_at_auto_is_then_auto() -> None:
    parts = {"first": {"kind": "tpc"}, "second": {"kind": "ads"}, "at_least": 0.2}
    found = schedule_from_table({"kind": "then_auto", **parts})
    assert found == schedule_from_table({"kind": "then", "at": "auto", **parts})
    assert schedule_as_table(found)["kind"] == "then_auto"
    with pytest.raises(ValueError, match="then_auto: unknown key 'at'"):
        schedule_from_table({"kind": "then_auto", "at": 0.5, **parts})


def test_every_kind_is_of_one_class() -> None:
    assert len(set(KINDS.values())) == len(KINDS)
    own = [
        field.default for made in KINDS.values() for field in fields(made) if field.name == "kind"
    ]
    assert own == list(KINDS)


def test_the_tables_of_both_are_read_back_equal() -> None:
    for table in (
        {"kind": "adaptive", "reward": "progress", "base": {"kind": "ads"}},
        {"kind": "then", "at": "auto", "first": {"kind": "tpc"}, "second": {"kind": "ads"}},
    ):
        schedule = schedule_from_table(table)
        assert schedule_from_table(schedule_as_table(schedule)) == schedule
