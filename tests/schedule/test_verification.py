"""A plan that was tampered with is found out, each in its own words."""

from dataclasses import replace

import numpy as np
import pytest

from maqam.schedule import (
    Ads,
    Curriculum,
    DealSettings,
    Flow,
    Mixture,
    Plan,
    PlanBatchSampler,
    Pool,
    Then,
    Tpc,
    Uniform,
    load_plan,
    make_plan,
)
from maqam.schedule.kinds.base import Stage
from maqam.schedule.plan import rows_checksum
from maqam.schedule.verification import rule_of, verify_log, verify_plan

SCHEDULES = (
    Uniform(),
    Ads(("task", "label")),
    Then(Tpc(), Ads(("task", "label"))),
    Curriculum(num_bins=8),
    Mixture("proportional", "draw"),
)


def pool(size: int = 90) -> Pool:
    rng = np.random.default_rng(0)
    columns = {
        "task": rng.choice(["asr", "did"], size),
        "label": rng.choice(["a", "b"], size),
        "cluster": rng.integers(0, 4, size),
    }
    return Pool.from_columns(
        columns, rows=np.arange(size) + 7, values={"seconds": rng.random(size) + 1}
    )


def plan(schedule=SCHEDULES[1], deal: DealSettings | None = None) -> Plan:
    return make_plan(schedule, pool(), steps=30, batch_size=12, seed=0, deal=deal)


def words(found) -> str:
    return "; ".join(f"{one.problem}: {one.where}" for one in found)


def altered(which: Plan, at: int, row: int) -> Plan:
    rows = np.array(which.rows)
    rows[at] = row
    return replace(which, rows=rows)


DEALS = (DealSettings(), DealSettings(exhaustion="cap", max_epochs=2), DealSettings("seconds"))


@pytest.mark.parametrize(
    ("schedule", "deal"),
    [
        (schedule, deal)
        for schedule in SCHEDULES
        for deal in DEALS
        if not isinstance(schedule, Mixture)
        or deal == DealSettings()  # what is drawn has no epochs
    ],
)
def test_a_plan_as_compiled_holds(schedule, deal: DealSettings) -> None:
    assert verify_plan(plan(schedule, deal), pool(), steps=30) == []


def test_a_row_outside_the_pool_is_found() -> None:
    found = verify_plan(altered(plan(), 13, 500), pool(), steps=30)
    assert "1 rows of the plan are not in the pool: rows 500" in words(found)


def test_a_row_twice_in_a_batch_is_found() -> None:
    one = plan()
    found = verify_plan(altered(one, 25, int(one.rows[24])), pool(), steps=30)
    assert "1 batches hold a row twice: steps 3" in words(found)


def test_shares_that_are_not_those_of_the_rows_are_found() -> None:
    one = plan()
    task = one.shares["task"]
    wrong = replace(one, shares={**one.shares, "task": replace(task, counts=task.counts[::-1])})
    moved = replace(task, counts=task.counts + np.eye(30, 2, dtype=np.int32))
    for shares in (wrong, replace(one, shares={**one.shares, "task": moved})):
        if not np.array_equal(shares.shares["task"].counts, task.counts):
            found = verify_plan(shares, pool(), steps=30)
            assert "shares.npz does not tell what the rows hold of each task" in words(found)


def test_a_changed_pool_is_found() -> None:
    other = Pool.from_columns(
        {name: np.asarray(pool().names[name])[codes] for name, codes in pool().columns.items()},
        rows=pool().rows,
        values={"seconds": pool().values["seconds"] + 1},
    )
    assert "the pool is not the one" in words(verify_plan(plan(), other, steps=30))


def test_rows_that_repeat_too_early_are_found() -> None:
    one = plan(Uniform())
    rows = np.array(one.rows)
    rows[12:24], rows[84:96] = rows[84:96].copy(), rows[12:24].copy()
    order = np.concatenate([np.sort(rows[s * 12 : s * 12 + 12]) for s in range(30)])
    shares = make_plan(Uniform(), pool(), steps=30, batch_size=12, seed=0).shares
    broken = replace(one, rows=order, shares={})
    assert shares
    assert "repeat rows before they are dealt through" in words(
        verify_plan(broken, pool(), steps=30)
    )


def test_a_plan_of_another_seed_is_found() -> None:
    found = verify_plan(replace(plan(), seed=5), pool(), steps=30)
    assert "the schedule deals" in words(found)
    assert "steps otherwise" in words(found)


def records(which: Plan) -> list[dict[str, object]]:
    task = which.shares["task"]
    return [
        {
            "step": step + 1,
            "utterances_by_task": {
                name: int(count)
                for name, count in zip(task.names, task.counts[step], strict=True)
                if count
            },
            "rows_checksum": rows_checksum(which.batch(step)),
        }
        for step in range(which.num_steps)
    ]


def test_a_log_of_the_plan_holds_also_of_a_run_that_goes_on() -> None:
    assert verify_log(plan(), records(plan())) == []
    assert verify_log(plan(), records(plan())[:11]) == []


def test_a_log_of_another_plan_is_found() -> None:
    found = verify_log(plan(), records(plan(Tpc())))
    assert "steps held other tasks than planned: steps 1, 2" in words(found)


def test_a_log_of_the_same_tasks_but_other_rows_is_found() -> None:
    same = make_plan(SCHEDULES[1], pool(), steps=30, batch_size=12, seed=1)
    counts = [which.shares["task"].counts for which in (plan(), same)]
    assert np.array_equal(*counts)
    found = verify_log(plan(), records(same))
    assert "30 steps trained on other rows than planned: steps 1, 2" in words(found)
    for record in (older := records(same)):
        del record["rows_checksum"]
    assert verify_log(plan(), older) == []  # a log from before told tasks alone


def test_a_log_with_a_gap_or_steps_beyond_the_plan_is_found() -> None:
    gap = records(plan())
    del gap[4]
    assert "does not go step by step from 1: steps 6, 7" in words(verify_log(plan(), gap))
    longer = [*records(plan()), {"step": 31, "utterances_by_task": {}}]
    assert "1 steps of the log are none of the plan: steps 31" in words(verify_log(plan(), longer))


def moving(cells, progress):
    return cells.sizes ** (1 - progress)


def test_a_plan_of_ones_own_flow_is_saved_and_verified_as_far_as_it_can_be(tmp_path) -> None:
    own = Flow(("task", "cluster"), moving)
    plan(own).save(tmp_path)
    read = load_plan(tmp_path)
    assert read.schedule == {"kind": "own", "name": "Flow"}
    assert verify_plan(read, pool(), steps=30) == []
    assert verify_plan(read, pool(), steps=30, schedule=own) == []
    twice = altered(read, 1, int(read.rows[0]))
    assert "batches hold a row twice" in words(verify_plan(twice, pool(), steps=30))


def test_a_saved_plan_of_ones_own_flow_is_followed(tmp_path) -> None:
    made = plan(Flow(("task", "cluster"), moving))
    made.save(tmp_path)
    followed = list(PlanBatchSampler(load_plan(tmp_path), num_micro_batches=2))
    steps = [sorted(followed[2 * step] + followed[2 * step + 1]) for step in range(30)]
    assert steps == [made.batch(step).tolist() for step in range(30)]


def test_a_plan_held_against_another_flow_than_its_own_is_found_out() -> None:
    still = Flow(("task", "cluster"), lambda cells, progress: cells.sizes)
    made = plan(Flow(("task", "cluster"), moving))
    assert "the schedule deals" in words(verify_plan(made, pool(), steps=30, schedule=still))


def test_what_a_recipe_cannot_name_inside_another_is_not_dealt_again() -> None:
    class Own:
        kind = "own"

        def flow(self, pool, budget):
            return Flow(("task",), moving)

        def stages(self, pool):
            return [Stage(0.0, "own")]

    both = Then(Own(), Uniform())
    made = plan(both)
    assert made.schedule["first"] == {"kind": "own", "name": "own"}
    assert rule_of(made) is None
    assert verify_plan(made, pool(), steps=30) == []
    assert verify_plan(made, pool(), steps=30, schedule=both) == []
