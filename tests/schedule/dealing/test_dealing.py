"""Budgets in seconds, groups that run dry, and the row-by-row dealing beside the whole one."""

from dataclasses import replace

import numpy as np
import pytest

from maqam.errors import ScheduleError
from maqam.schedule import (
    Ads,
    Curriculum,
    DealSettings,
    Mixture,
    Pool,
    Schedule,
    Stratified,
    Then,
    Tpc,
    Uniform,
    make_plan,
)
from maqam.schedule.compiler import check_rows
from maqam.schedule.dealing.by_cost import CostDealer, Decks
from maqam.schedule.dealing.by_rows import QuotaDealer
from maqam.schedule.dealing.deck import draw
from maqam.schedule.dealing.picking import WaitingDecks
from tests.schedule.pools import EVERY_KIND, make_pool

AXES = ("task", "label")


def pool(size: int = 400, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    tasks = rng.choice(["asr", "did", "ser"], size, p=[0.7, 0.2, 0.1])
    return Pool.from_columns(
        {"task": tasks, "label": rng.choice(["a", "b"], size)},
        values={"seconds": rng.gamma(2.0, 3.0, size) + 0.5},
    )


@pytest.mark.parametrize("schedule", [Uniform(), Ads(AXES), Tpc(), Then(Tpc(), Ads(AXES))])
def test_batches_hold_their_seconds_within_one_utterance(schedule: Schedule) -> None:
    found = pool()
    plan = make_plan(
        schedule, found, steps=40, batch_size=60, seed=0, deal=DealSettings(unit="seconds")
    )
    seconds, longest = found.values["seconds"], found.values["seconds"].max()
    spent = np.cumsum([seconds[plan.batch(step)].sum() for step in range(40)])
    over = spent - 60 * np.arange(1, 41)
    assert (over >= -1e-6).all()
    assert (over < longest).all()
    assert plan.unit == "seconds"


def test_equal_shares_are_equal_seconds_within_one_utterance_at_every_step() -> None:
    found = pool()
    plan = make_plan(
        Ads(AXES), found, steps=60, batch_size=80, seed=1, deal=DealSettings(unit="seconds")
    )
    seconds, longest = found.values["seconds"], found.values["seconds"].max()
    for codes, groups in ((found.columns["task"], 3), (_paths(found), 6)):
        by_step = np.array(
            [
                np.bincount(codes[rows], weights=seconds[rows], minlength=groups)
                for rows in map(plan.batch, range(60))
            ]
        ).cumsum(axis=0)
        wanted = by_step.sum(axis=1, keepdims=True) / groups
        assert (np.abs(by_step - wanted) < 2 * longest).all()


def test_no_batch_in_seconds_holds_an_utterance_twice() -> None:
    found = pool(size=30)
    half = int(found.values["seconds"].sum() / 2)
    plan = make_plan(
        Ads(AXES), found, steps=30, batch_size=half, seed=0, deal=DealSettings(unit="seconds")
    )
    for step in range(30):
        assert len(np.unique(plan.batch(step))) == len(plan.batch(step))


def test_rows_without_seconds_are_refused_and_counted() -> None:
    found = Pool.from_columns(
        {"task": ["asr", "tsum", "tsum"]}, values={"seconds": [3.0, 0.0, 0.0]}
    )
    with pytest.raises(ScheduleError, match="2 utterances have no seconds: rows 1, 2"):
        make_plan(
            Uniform(), found, steps=1, batch_size=1, seed=0, deal=DealSettings(unit="seconds")
        )


def test_a_step_without_an_utterance_is_refused_and_the_batch_that_serves_is_named() -> None:
    found = Pool.from_columns({"task": ["asr"] * 10}, values={"seconds": [28.0] * 9 + [28.4]})
    seconds = DealSettings(unit="seconds")
    with pytest.raises(ScheduleError, match="with 12 seconds a batch, 2 of 4 steps") as refused:
        make_plan(Uniform(), found, steps=4, batch_size=12, seed=0, deal=seconds)
    assert refused.value.hint == "use at least 29; the longest utterance takes 28.4"
    plan = make_plan(Uniform(), found, steps=4, batch_size=29, seed=0, deal=seconds)
    assert plan.batch_sizes.min() == 1
    with pytest.raises(ScheduleError, match="hold fewer than 2 utterances") as refused:
        check_rows(plan, found, min_rows=2)
    assert refused.value.hint.startswith("use at least 57;")
    wide = make_plan(Uniform(), found, steps=4, batch_size=57, seed=0, deal=seconds)
    check_rows(wide, found, min_rows=2)


def test_a_unit_that_the_pool_lacks_is_refused() -> None:
    with pytest.raises(ScheduleError, match="no measure tokens"):
        make_plan(
            Uniform(), pool(), steps=1, batch_size=1, seed=0, deal=DealSettings(unit="tokens")
        )


@pytest.mark.parametrize("name", EVERY_KIND)
def test_a_batch_larger_than_the_pool_repeats_utterances_where_quotas_deal_it(name: str) -> None:
    small = make_pool(10)
    if "draw" in name:
        with pytest.raises(ScheduleError, match="a batch of 25 rows from a pool of 10"):
            make_plan(EVERY_KIND[name], small, steps=4, batch_size=25, seed=0)
        return
    plan = make_plan(EVERY_KIND[name], small, steps=4, batch_size=25, seed=0)
    assert plan.batch_sizes.tolist() == [25] * 4
    assert plan.notes[0] == "a batch of 25 is more than the pool of 10: utterances repeat in it"
    counts = [np.bincount(plan.batch(step), minlength=10) for step in range(4)]
    if name == "uniform":
        assert all(count.min() >= 2 and count.max() <= 3 for count in counts)


def test_a_batch_larger_than_the_pool_is_refused_in_its_unit() -> None:
    with pytest.raises(ScheduleError, match="a batch of 99999 seconds from a pool of"):
        make_plan(
            Uniform(), pool(), steps=1, batch_size=99999, seed=0, deal=DealSettings(unit="seconds")
        )


@pytest.mark.parametrize("unit", ["rows", "seconds"])
@pytest.mark.parametrize("epochs", [1, 2])
@pytest.mark.parametrize("schedule", [Uniform(), Ads(AXES), Tpc(), Curriculum(num_bins=8)])
def test_a_cap_is_never_passed_and_the_pool_is_dealt_out(
    schedule: Schedule, epochs: int, unit: str
) -> None:
    found = pool()
    deal = DealSettings(unit=unit, exhaustion="cap", max_epochs=epochs)
    batch_size = 16 if unit == "rows" else int(np.ceil(found.values["seconds"].max()))
    plan = make_plan(schedule, found, steps=2000, batch_size=batch_size, seed=0, deal=deal)
    times = np.bincount(plan.rows, minlength=400)
    assert times.max() == epochs
    assert 400 * epochs - times.sum() < 32  # the last batch would not be full
    assert any("the pool was dealt through" in note for note in plan.notes)
    assert plan.num_steps < 2000


def test_a_dry_group_hands_its_share_to_its_siblings() -> None:
    tasks = ["asr"] * 300 + ["did"] * 60
    labels = ["-"] * 300 + ["a"] * 10 + ["b"] * 50
    found = Pool.from_columns({"task": tasks, "label": labels})
    deal = DealSettings(exhaustion="cap")
    plan = make_plan(Ads(AXES), found, steps=8, batch_size=12, seed=0, deal=deal)
    assert (plan.shares["task"].counts == 6).all()  # the tasks stay equal
    label = plan.shares["label"]
    a, b = (label.counts[:, label.names.index(name)] for name in "ab")
    assert a.tolist() == [3, 3, 3, 1, 0, 0, 0, 0]
    assert b.tolist() == [3, 3, 3, 5, 6, 6, 6, 6]
    assert plan.notes == (
        "1 of 3 groups were dealt through; their shares went to the groups beside them",
        *plan.notes[1:],
    )


def test_stop_ends_before_a_group_of_the_first_axis_is_passed() -> None:
    found = pool()
    sizes = np.bincount(found.columns["task"])
    deal = DealSettings(exhaustion="stop", max_epochs=2)
    plan = make_plan(Ads(AXES), found, steps=999, batch_size=9, seed=0, deal=deal)
    dealt = plan.shares["task"].counts.sum(axis=0)
    assert (dealt <= 2 * sizes).all()
    assert (dealt + 9 > 2 * sizes).any()
    assert plan.notes == (
        f"the plan ends after {plan.num_steps} steps: ser was dealt through 2 times",
    )


@pytest.mark.parametrize("unit", ["rows", "seconds"])
def test_a_step_that_takes_the_last_utterance_is_dealt(unit: str) -> None:
    found = Pool.from_columns({"task": ["asr"] * 8}, values={"seconds": np.ones(8)})
    deal = DealSettings(unit=unit, exhaustion="cap")
    plan = make_plan(Uniform(), found, steps=5, batch_size=4, seed=0, deal=deal)
    assert plan.num_steps == 2
    assert sorted(plan.rows.tolist()) == list(range(8))


@pytest.mark.parametrize("deal", [DealSettings(exhaustion="cap"), DealSettings(unit="seconds")])
def test_a_drawn_mixture_counts_neither_epochs_nor_seconds(deal: DealSettings) -> None:
    drawn = Mixture("proportional", "draw")
    found = pool()
    columns = {
        "task": found.columns["task"],
        "label": found.columns["label"],
        "cluster": found.rows % 3,
    }
    whole = Pool.from_columns(columns, values={"seconds": found.values["seconds"]})
    with pytest.raises(ScheduleError, match="does not support"):
        make_plan(drawn, whole, steps=2, batch_size=4, seed=0, deal=deal)


def test_max_epochs_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="max_epochs must be at least 1"):
        DealSettings(max_epochs=0)


@pytest.mark.parametrize(
    "schedule", [Uniform(), Ads(AXES), Stratified(AXES), Then(Uniform(), Tpc())]
)
@pytest.mark.parametrize("seed", range(3))
def test_decks_dealt_one_by_one_give_what_is_dealt_at_once(schedule: Schedule, seed: int) -> None:
    found = pool(size=57, seed=seed)
    flow = schedule.flow(found, 40 * 11)
    cells = found.cells(flow.axes)
    dealt = QuotaDealer(cells, seed, DealSettings()).deal(flow, range(40), 40, 11)
    decks = Decks(found, cells, seed)
    one_by_one = []
    for cell, count in zip(dealt.cells.tolist(), dealt.counts.tolist(), strict=True):
        held: list[int] = []
        for _ in range(count):
            held.append(decks.take(cell, held))
        one_by_one.extend(held)
    assert one_by_one == draw(found, cells, seed, dealt.cells, dealt.counts).tolist()


def test_decks_whose_first_are_always_taken_give_what_is_dealt_at_once() -> None:
    found = pool(size=57)
    cells = found.cells(AXES)
    dealt = QuotaDealer(cells, 3, DealSettings()).deal(
        Ads(AXES).flow(found, 440.0), range(40), 40, 11
    )
    decks = WaitingDecks(found, cells, 3)
    at_once = iter(draw(found, cells, 3, dealt.cells, dealt.counts).tolist())
    for cell, count in zip(dealt.cells.tolist(), dealt.counts.tolist(), strict=True):
        first = decks.look(cell, count, count)[:count]
        decks.take(cell, first)
        assert sorted(first.tolist()) == sorted(next(at_once) for _ in range(count))


def test_both_quotas_keep_every_task_within_one_utterance_of_its_part() -> None:
    found = replace(pool(), values={"seconds": np.ones(400)})
    flow = Ads(AXES).flow(found, 480.0)
    cells = found.cells(flow.axes)
    by_cost = CostDealer(found, cells, 0, DealSettings(unit="seconds")).deal(flow, 40, 12)
    by_rows = QuotaDealer(cells, 0, DealSettings()).deal(flow, range(40), 40, 12)
    assert (np.diff(by_cost.offsets) == 12).all()
    plain, fast = np.zeros((40, 3)), np.zeros((40, 3))
    task = cells.codes["task"]
    steps = np.repeat(np.arange(40), 12)
    np.add.at(plain, (steps, task[cells.of_utterance[by_cost.positions]]), 1)
    np.add.at(fast, (by_rows.steps, task[by_rows.cells]), by_rows.counts)
    owed = 4 * np.arange(1, 41)[:, None]
    for dealt in (plain, fast):
        assert (np.abs(owed - dealt.cumsum(axis=0)) < 1).all()


def test_bins_hold_equally_many_and_are_ordered() -> None:
    found = pool()
    codes, names = found.axis("seconds/7")
    assert len(names) == 7
    assert np.ptp(np.bincount(codes, minlength=7)) <= 1
    seconds = found.values["seconds"]
    assert all(seconds[codes == a].max() <= seconds[codes == a + 1].min() for a in range(6))


def test_bins_within_a_column_are_its_groups_own() -> None:
    found = pool()
    codes, _ = found.axis("seconds/5 in task")
    for task in range(3):
        assert np.ptp(np.bincount(codes[found.columns["task"] == task], minlength=5)) <= 1


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ("accent", "no column accent"),
        ("snr/4", "no measure snr"),
        ("seconds/0", "no column seconds/0"),
        ("seconds/4 in accent", "no column accent"),
    ],
)
def test_an_axis_that_does_not_exist_is_named(axis: str, words: str) -> None:
    with pytest.raises(ScheduleError, match=words):
        pool().cells((axis,))


def test_a_changed_measure_changes_the_fingerprint() -> None:
    one = Pool.from_columns({"task": ["a", "b"]}, values={"seconds": [1.0, 2.0]})
    two = Pool.from_columns({"task": ["a", "b"]}, values={"seconds": [1.0, 2.5]})
    assert one.fingerprint != two.fingerprint


def _paths(found: Pool) -> np.ndarray:
    return found.columns["task"] * 2 + found.columns["label"]
