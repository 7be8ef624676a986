"""What every schedule must obey, over all kinds, random pools, batch sizes and seeds."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.schedule import (
    DealSettings,
    Plan,
    Pool,
    Schedule,
    load_plan,
    make_plan,
    micro_batches,
    schedule_from_table,
)
from maqam.schedule.adaptive.protocol import is_adaptive
from maqam.schedule.schedules import KINDS

CASES = settings(max_examples=15, derandomize=True, deadline=None)
TASKS = ("asr", "did", "ser", "ssum", "tsum")
EXAMPLES = {
    "uniform": {"kind": "uniform"},
    "alpha": {"kind": "alpha", "alpha": 0.3},
    "unimax": {"kind": "unimax", "epochs": 1000},
    "stratified": {"kind": "stratified"},
    "mixture": {"kind": "mixture", "mixture": "balanced", "deal": "draw"},
    "tpc": {"kind": "tpc", "mode": "cumulative"},
    "curriculum": {"kind": "curriculum", "num_bins": 5, "within": "task"},
    "ads": {"kind": "ads"},
    "then": {"kind": "then", "first": {"kind": "tpc"}, "second": {"kind": "ads"}, "anneal": 0.2},
    "mix": {"kind": "mix", "first": {"kind": "uniform"}, "second": {"kind": "ads"}},
    "custom": {"kind": "custom", "function": "tests.schedule.pools:late", "axes": ["task"]},
}
STATIC = sorted(EXAMPLES)
CONSTANT = ("uniform", "alpha", "unimax", "stratified", "ads", "mix")


def schedule_of(kind: str) -> Schedule:
    return schedule_from_table(EXAMPLES[kind])


@st.composite
def pools(draw, least: int = 12, most: int = 120) -> Pool:
    """Draw a pool of 12 to 120 utterances with groups down to a single one."""
    size = draw(st.integers(least, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shares = rng.dirichlet(np.full(len(TASKS), 0.5))
    tasks = np.array(TASKS)[rng.choice(len(TASKS), size, p=shares)]
    return Pool.from_columns(
        {
            "task": tasks,
            "label": rng.choice(list("abc"), size, p=[0.8, 0.15, 0.05]),
            "cluster": rng.integers(0, draw(st.integers(1, 40)), size),
        },
        ids=[f"utterance-{number}" for number in rng.permutation(size)],
        rows=np.sort(rng.choice(10 * size, size, replace=False)),
        values={"seconds": rng.gamma(2.0, 2.0, size) + 0.2},
    )


@st.composite
def asked(draw) -> tuple[Pool, int, int]:
    """Draw a pool, a batch that it can fill, and a seed."""
    pool = draw(pools())
    return pool, draw(st.integers(1, min(pool.num_utterances, 40))), draw(st.integers(0, 99))


def made(
    kind: str, case: tuple[Pool, int, int], steps: int = 12, deal: DealSettings | None = None
) -> Plan:
    pool, batch_size, seed = case
    return make_plan(
        schedule_of(kind), pool, steps=steps, batch_size=batch_size, seed=seed, deal=deal
    )


def positions_of(plan: Plan, pool: Pool) -> np.ndarray:
    return np.searchsorted(pool.rows, plan.rows)


def test_every_kind_has_an_example() -> None:
    adaptive = {kind for kind in KINDS if kind not in EXAMPLES}
    assert adaptive == {"adaptive", "then_auto"}  # they deal while a run trains:
    # tests/schedule/test_adaptive_plan.py
    assert not any(is_adaptive(schedule_of(kind)) for kind in STATIC)


@pytest.mark.parametrize("kind", STATIC)
@CASES
@given(case=asked())
def test_every_batch_is_full_and_holds_no_row_twice(kind: str, case) -> None:
    plan = made(kind, case)
    assert plan.batch_sizes.tolist() == [case[1]] * 12
    assert np.isin(plan.rows, case[0].rows).all()
    for step in range(12):
        assert (np.diff(plan.batch(step)) > 0).all()


@pytest.mark.parametrize("kind", STATIC)
@CASES
@given(case=asked())
def test_every_row_of_a_deck_comes_once_before_any_comes_twice(kind: str, case) -> None:
    pool = case[0]
    plan = made(kind, case, steps=20)
    flow = schedule_of(kind).flow(pool, 20.0 * case[1])
    cells = pool.cells(flow.axes)
    times = np.zeros(pool.num_utterances, dtype=np.int64)
    for step in range(20):
        times[np.searchsorted(pool.rows, plan.batch(step))] += 1
        most = np.zeros(cells.num_cells, dtype=np.int64)
        least = np.full(cells.num_cells, 99)
        np.maximum.at(most, cells.of_utterance, times)
        np.minimum.at(least, cells.of_utterance, times)
        assert (most - least <= 1).all()


@pytest.mark.parametrize("kind", CONSTANT)
@CASES
@given(case=asked())
def test_constant_shares_are_kept_within_one_utterance_at_every_step_and_node(
    kind: str, case
) -> None:
    pool, batch_size, _ = case
    plan = made(kind, case, steps=20)
    flow = schedule_of(kind).flow(pool, 20.0 * batch_size)
    cells = pool.cells(flow.axes)
    mass = flow.mass(cells, 0.0)
    if (mass * batch_size > cells.sizes).any() or plan.notes:
        return  # a group smaller than its part of a batch hands it over: the notes say so
    of_step = np.repeat(np.arange(20), batch_size)
    counts = np.zeros((20, cells.num_cells))
    np.add.at(counts, (of_step, cells.of_utterance[positions_of(plan, pool)]), 1)
    dealt = counts.cumsum(axis=0)
    parents = np.zeros(cells.num_cells, dtype=np.int64)
    for axis in cells.axes:
        paths = parents * len(cells.names[axis]) + cells.codes[axis]
        for path in np.unique(paths):
            inside = paths == path
            above = parents == parents[inside][0]
            share = mass[inside].sum() / mass[above].sum()
            apart = dealt[:, inside].sum(axis=1) - share * dealt[:, above].sum(axis=1)
            assert np.abs(apart).max() < 1 + 1e-6
        parents = np.unique(paths, return_inverse=True)[1]


@pytest.mark.parametrize("kind", STATIC)
@CASES
@given(case=asked())
def test_the_same_seed_gives_the_same_plan(kind: str, case) -> None:
    assert made(kind, case).fingerprint == made(kind, case).fingerprint


@pytest.mark.parametrize("kind", STATIC)
@CASES
@given(case=asked())
def test_rows_in_another_order_change_no_batch(kind: str, case) -> None:
    pool, batch_size, seed = case
    order = np.random.default_rng(0).permutation(pool.num_utterances)
    mixed = Pool(
        {axis: codes[order] for axis, codes in pool.columns.items()},
        pool.names,
        pool.uids[order],
        pool.rows[order],
        {name: values[order] for name, values in pool.values.items()},
    )
    assert made(kind, (mixed, batch_size, seed)).fingerprint == made(kind, case).fingerprint


@CASES
@given(case=asked())
def test_schedules_over_the_same_cells_see_a_cells_rows_in_the_same_order(case) -> None:
    pool = case[0]
    cells = pool.cells(("task",)).of_utterance
    orders = []
    for kind in ("alpha", "tpc", "unimax", "custom"):
        positions = positions_of(made(kind, case, steps=1), pool)
        orders.append([set(positions[cells[positions] == cell]) for cell in range(cells.max() + 1)])
    for one in orders:
        for other in orders:
            for mine, theirs in zip(one, other, strict=True):
                assert mine <= theirs or theirs <= mine


@pytest.mark.parametrize("kind", sorted(set(STATIC) - {"mixture"}))
@CASES
@given(case=asked(), epochs=st.integers(1, 3))
def test_a_cap_is_never_passed(kind: str, case, epochs: int) -> None:
    pool, batch_size, _ = case
    deal = DealSettings(exhaustion="cap", max_epochs=epochs)
    plan = made(kind, case, steps=60, deal=deal)
    times = np.bincount(positions_of(plan, pool), minlength=pool.num_utterances)
    assert times.max(initial=0) <= epochs
    assert (plan.batch_sizes == batch_size).all()
    if plan.num_steps < 60:  # what is left makes no batch without holding a row twice
        assert (times < epochs).sum() < batch_size


@CASES
@given(
    lengths=st.lists(st.integers(1, 500), min_size=8, max_size=64),
    world_size=st.integers(1, 4),
    num_micro_batches=st.integers(1, 2),
)
def test_processes_partition_every_batch(lengths, world_size: int, num_micro_batches: int) -> None:
    split = micro_batches(np.array(lengths), num_micro_batches, world_size)
    parts = [part for mine in split for part in mine]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(lengths)))
    assert np.ptp([len(mine) for mine in split]) == 0
    assert all(np.ptp([len(part) for part in turn]) <= 1 for turn in zip(*split, strict=True))


@CASES
@given(case=asked())
def test_a_changed_pool_is_detected(case) -> None:
    pool = case[0]
    columns = dict(pool.columns)
    columns["cluster"] = (columns["cluster"] + 1) % (len(pool.names["cluster"]) + 1)
    names = {**pool.names, "cluster": (*pool.names["cluster"], "new")}
    other = Pool(columns, names, pool.uids, pool.rows, pool.values)
    with pytest.raises(Exception, match="the pool has changed"):
        made("uniform", case).check_pool(other)


@pytest.mark.parametrize("kind", STATIC)
def test_another_seed_gives_another_plan(kind: str) -> None:
    prints = {made(kind, (golden_pool(), 14, seed)).fingerprint for seed in range(5)}
    assert len(prints) == 5


SCRIPT = """
import sys
from tests.schedule.test_laws import STATIC, golden_pool, schedule_of
from maqam.schedule import make_plan
for kind in STATIC:
    plan = make_plan(schedule_of(kind), golden_pool(), steps=9, batch_size=14, seed=5)
    print(kind, plan.fingerprint)
"""


def golden_pool() -> Pool:
    """Return a pool that is written out: the same on every machine."""
    numbers = range(150)
    return Pool.from_columns(
        {
            "task": [TASKS[min(number % 11, 4)] for number in numbers],
            "label": ["abc"[number % 3] for number in numbers],
            "cluster": [number % 7 for number in numbers],
        },
        ids=[f"row {number}" for number in numbers],
        values={"seconds": np.array([1.0 + number * 37 % 101 for number in numbers])},
    )


def test_another_process_with_other_hash_seeds_deals_the_same() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_plans_are_those_that_were_dealt_before(request: pytest.FixtureRequest) -> None:
    """A change here changes what every user's recipe deals: it belongs in the release notes.

    Written anew by `python -m tests.schedule.golden`.
    """
    golden = (request.config.rootpath / "tests/golden/plans.txt").read_text(encoding="utf-8")
    for line in golden.splitlines():
        kind, fingerprint = line.split()
        plan = make_plan(schedule_of(kind), golden_pool(), steps=9, batch_size=14, seed=5)
        assert plan.fingerprint == fingerprint, kind
    assert len(golden.splitlines()) == len(STATIC)


FILES = ("plan.json", "rows.npy", "offsets.npy", "shares.npz")


@pytest.fixture
def saved(tmp_path):
    make_plan(schedule_of("ads"), golden_pool(), steps=9, batch_size=14, seed=5).save(tmp_path)
    return tmp_path


def test_a_plan_is_read_back_as_it_was(saved) -> None:
    plan = make_plan(schedule_of("ads"), golden_pool(), steps=9, batch_size=14, seed=5)
    found = load_plan(saved)
    assert found.fingerprint == plan.fingerprint
    for name in ("seed", "batch_size", "unit", "schedule", "stages", "switches", "notes"):
        assert getattr(found, name) == getattr(plan, name), name
    for axis, shares in plan.shares.items():
        for part in ("counts", "held", "seen"):
            assert np.array_equal(getattr(found.shares[axis], part), getattr(shares, part))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["missing", "cut", "altered"])
def test_a_damaged_plan_is_refused_in_one_line(saved, name: str, harm: str) -> None:
    path = saved / name
    data = path.read_bytes()
    if harm == "missing":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        path.write_bytes(data[:-40] + bytes(40) if name != "plan.json" else b"[]")
    with pytest.raises(Exception, match=r"is missing|the plan is damaged") as caught:
        load_plan(saved)
    assert type(caught.value).__name__ == "ScheduleError"


def test_a_full_disk_leaves_no_half_written_file(tmp_path, monkeypatch) -> None:
    plan = make_plan(schedule_of("ads"), golden_pool(), steps=9, batch_size=14, seed=5)

    def full(self, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        plan.save(tmp_path)
    assert list(tmp_path.iterdir()) == []
