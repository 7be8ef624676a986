"""Guarantees of plans under draws of everything at once: pools, kinds, splits, stops, decisions."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.errors import ScheduleError
from maqam.schedule import (
    DealSettings,
    Pick,
    Plan,
    PlanBatchSampler,
    Pool,
    Schedule,
    make_plan,
    schedule_from_table,
)
from maqam.schedule.adaptive.kinds import AdaptiveMixture, ThenAuto
from maqam.schedule.adaptive.protocol import Adaptive, Decision, Observation
from maqam.schedule.adaptive.rewards import METHODS
from maqam.schedule.adaptive_plan import AdaptivePlan
from maqam.schedule.compiler import Budget

from .test_laws import STATIC, TASKS, asked, pools, positions_of, schedule_of

pytestmark = pytest.mark.slow

CASES = settings(max_examples=15, derandomize=True, deadline=None)
TPC, ADS = {"kind": "tpc"}, {"kind": "ads"}
MOVING = {
    "hard stages": TPC,
    "soft stages": {"kind": "tpc", "mode": "soft"},
    "stages with replay": {"kind": "tpc", "mode": "cumulative", "replay": 0.2},
    "curriculum": {"kind": "curriculum", "num_bins": 6},
    "curriculum within tasks": {"kind": "curriculum", "num_bins": 4, "within": "task"},
    "hybrid": {"kind": "then", "first": TPC, "second": ADS},
    "annealed hybrid": {"kind": "then", "first": TPC, "second": ADS, "anneal": 0.6},
    "nested": {
        "kind": "then",
        "first": {"kind": "then", "first": ADS, "second": {"kind": "uniform"}, "anneal": 0.4},
        "second": {"kind": "mix", "first": TPC, "second": {"kind": "stratified"}},
        "at": 0.6,
        "anneal": 0.2,
    },
    "own": {"kind": "custom", "function": "tests.schedule.pools:late", "axes": ["task", "label"]},
}


def counts_of(plan: Plan, pool: Pool, codes: np.ndarray, size: int) -> np.ndarray:
    """Count the groups of every step, (num_steps, size)."""
    counts = np.zeros((plan.num_steps, size))
    of_step = np.repeat(np.arange(plan.num_steps), plan.batch_sizes)
    np.add.at(counts, (of_step, codes[positions_of(plan, pool)]), 1)
    return counts


def families(axes: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Return the children of every node of the tree of axes, each as a mask of cells."""
    parents = np.zeros(len(axes[0]) if axes else 1, dtype=np.int64)
    for codes in axes:
        paths = np.unique(np.stack([parents, codes]), axis=1, return_inverse=True)[1].reshape(-1)
        for parent in np.unique(parents):
            yield [paths == path for path in np.unique(paths[parents == parent])]
        parents = paths


@pytest.mark.parametrize("name", MOVING)
@CASES
@given(pool=pools(1000, 3000), batch_size=st.integers(1, 12), seed=st.integers(0, 99))
def test_moving_shares_are_kept_within_one_utterance_of_their_integral(
    name: str, pool: Pool, batch_size: int, seed: int
) -> None:
    schedule = schedule_from_table(MOVING[name])
    plan = make_plan(schedule, pool, steps=40, batch_size=batch_size, seed=seed)
    if any("came from other groups" in note for note in plan.notes):
        return  # the law for these is that of the note
    flow = schedule.flow(pool, 40.0 * batch_size)
    cells = pool.cells(flow.axes)
    masses = np.array([flow.mass(cells, step / 40) for step in range(40)])
    counts = counts_of(plan, pool, cells.of_utterance, cells.num_cells)
    for family in families([cells.codes[axis] for axis in cells.axes]):
        mass = np.stack([masses[:, child].sum(axis=1) for child in family], axis=1)
        dealt = np.stack([counts[:, child].sum(axis=1) for child in family], axis=1)
        whole = mass.sum(axis=1, keepdims=True)
        part = mass / np.where(whole > 0, whole, 1.0) * dealt.sum(axis=1, keepdims=True)
        owed = (part - dealt).cumsum(axis=0)
        assert (np.abs(owed) <= 1 + 1e-6).all()


@pytest.mark.parametrize("kind", sorted(set(STATIC) - {"mixture"}))
@CASES
@given(case=asked(), budget=st.floats(0.02, 0.3))
def test_batches_in_seconds_are_full_within_an_utterance_and_keep_their_decks(
    kind: str, case, budget: float
) -> None:
    pool, _, seed = case
    seconds = pool.values["seconds"]
    batch = max(int(np.ceil(seconds.max())), round(budget * seconds.sum()))  # none is empty
    schedule = schedule_of(kind)
    plan = make_plan(
        schedule, pool, steps=15, batch_size=batch, seed=seed, deal=DealSettings(unit="seconds")
    )
    spent, times = 0.0, np.zeros(pool.num_utterances, dtype=np.int64)
    cells = pool.cells(schedule.flow(pool, 15.0 * batch).axes)
    for step in range(15):
        positions = np.searchsorted(pool.rows, plan.batch(step))
        assert len(np.unique(positions)) == len(positions)
        spent += seconds[positions].sum()
        over = spent - (step + 1) * batch
        assert -1e-6 <= over < seconds.max() + 1e-6
        times[positions] += 1
        for cell in range(cells.num_cells):
            assert np.ptp(times[cells.of_utterance == cell]) <= 1


@pytest.mark.parametrize("kernel", ["facility_location", "farthest_first", "k_dpp"])
@CASES
@given(case=asked())
def test_a_pick_keeps_every_guarantee(kernel: str, case) -> None:
    pool, batch_size, seed = case
    points = np.random.default_rng(seed).normal(size=(pool.num_utterances, 4))
    pool = Pool(pool.columns, pool.names, pool.uids, pool.rows, pool.values, points)
    deal = DealSettings(pick=Pick(kernel, candidates=3))
    picked = make_plan(
        schedule_of("ads"), pool, steps=8, batch_size=batch_size, seed=seed, deal=deal
    )
    plain = make_plan(schedule_of("ads"), pool, steps=8, batch_size=batch_size, seed=seed)
    cells = pool.cells(("task", "label", "cluster")).of_utterance
    times = np.zeros(pool.num_utterances, dtype=np.int64)
    for step in range(8):
        assert (np.diff(picked.batch(step)) > 0).all()
        times[np.searchsorted(pool.rows, picked.batch(step))] += 1
        for cell in np.unique(cells):
            assert np.ptp(times[cells == cell]) <= 1
    for axis, shares in plain.shares.items():
        assert np.array_equal(picked.shares[axis].counts, shares.counts)


@pytest.mark.parametrize("kind", sorted(set(STATIC) - {"mixture"}))
@CASES
@given(case=asked(), epochs=st.integers(1, 2))
def test_a_group_that_runs_dry_hands_over_and_the_plan_says_so(
    kind: str, case, epochs: int
) -> None:
    pool, batch_size, seed = case
    deal = DealSettings(exhaustion="cap", max_epochs=epochs)
    schedule = schedule_of(kind)
    plan = make_plan(schedule, pool, steps=30, batch_size=batch_size, seed=seed, deal=deal)
    cells = pool.cells(schedule.flow(pool, 30.0 * batch_size).axes)
    dealt = counts_of(plan, pool, cells.of_utterance, cells.num_cells).sum(axis=0)
    num_dry = int((dealt == epochs * cells.sizes).sum())
    said = [note for note in plan.notes if "their shares went to the groups beside them" in note]
    wanted = f"{num_dry} of {cells.num_cells} groups were dealt through"
    assert [note.startswith(wanted) for note in said] == [True] * bool(num_dry)
    assert (plan.batch_sizes == batch_size).all()
    assert (plan.num_steps < 30) == any(note.startswith("the plan ends") for note in plan.notes)


@CASES
@given(case=asked())
def test_a_group_too_small_for_its_part_hands_over_and_the_plan_says_so(case) -> None:
    pool, batch_size, seed = case
    schedule = schedule_from_table({"kind": "alpha", "alpha": 0.0})
    plan = make_plan(schedule, pool, steps=6, batch_size=batch_size, seed=seed)
    held = plan.shares["task"].held
    part = batch_size / len(held)
    counts = plan.shares["task"].counts
    assert (counts <= held).all()
    assert (counts.sum(axis=1) == batch_size).all()
    if (held < np.floor(part)).any():
        assert any("came from other groups" in note for note in plan.notes)
    if (held >= np.ceil(part)).all():
        assert plan.notes == ()


CHANGES = ("a label", "an id", "a row number", "a measure", "one row less", "a name")


def changed(pool: Pool, change: str, at: int) -> Pool:
    columns, names = dict(pool.columns), dict(pool.names)
    uids, rows, values = pool.uids.copy(), pool.rows.copy(), dict(pool.values)
    if change == "a label":
        columns["label"] = columns["label"].copy()
        columns["label"][at] += 1
        names["label"] = (*names["label"], "new")
    elif change == "an id":
        uids[at] ^= np.uint64(1 << 40)
    elif change == "a row number":
        rows[at] += 10_000
    elif change == "a measure":
        values["seconds"] = values["seconds"].copy()
        values["seconds"][at] *= 1.01
    elif change == "a name":
        names["task"] = ("renamed", *names["task"][1:])
    else:
        keep = np.arange(len(rows)) != at
        columns = {axis: codes[keep] for axis, codes in columns.items()}
        values = {name: found[keep] for name, found in values.items()}
        uids, rows = uids[keep], rows[keep]
    return Pool(columns, names, uids, rows, values)


@pytest.mark.parametrize("change", CHANGES)
@CASES
@given(case=asked(), at=st.integers(0, 11))
def test_every_change_of_the_pool_is_detected(change: str, case, at: int) -> None:
    pool, batch_size, seed = case
    plan = make_plan(schedule_of("uniform"), pool, steps=2, batch_size=batch_size, seed=seed)
    plan.check_pool(pool)
    with pytest.raises(ScheduleError, match="the pool has changed"):
        plan.check_pool(changed(pool, change, at))


@st.composite
def split(draw, most: int) -> tuple[int, int]:
    """Draw processes and micro-batches, together no more than a batch has utterances."""
    world_size = draw(st.integers(1, min(8, most)))
    return world_size, draw(st.integers(1, min(6, most // world_size)))


@pytest.mark.parametrize("kind", STATIC)
@CASES
@given(case=asked(), data=st.data(), by_length=st.booleans())
def test_processes_of_any_split_partition_every_batch_after_a_stop_at_any_step(
    kind: str, case, data, by_length: bool
) -> None:
    pool, batch_size, seed = case
    plan = make_plan(schedule_of(kind), pool, steps=5, batch_size=batch_size, seed=seed)
    lengths = np.zeros(pool.rows.max() + 1)
    lengths[pool.rows] = pool.values["seconds"]
    stop = data.draw(st.integers(0, 5))
    dealt: list[list[int]] = [[] for _ in range(5)]
    states = []
    for first, last in ((0, stop), (stop, 5)):  # the run goes on with other processes
        world_size, num_micro_batches = data.draw(split(batch_size))
        for rank in range(world_size):
            sampler = PlanBatchSampler(
                plan,
                rank=rank,
                world_size=world_size,
                num_micro_batches=num_micro_batches,
                lengths=lengths if by_length else None,
            )
            if states:
                sampler.load_state_dict(states[0])
            walk = iter(sampler)
            for step in range(first, last):
                parts = [next(walk) for _ in range(num_micro_batches)]
                assert all(parts)
                dealt[step] += [row for part in parts for row in part]
        states.append(sampler.state_dict())
    assert [sorted(rows) for rows in dealt] == [plan.batch(step).tolist() for step in range(5)]


def adaptive_of(reward: str, base: Schedule) -> Adaptive:
    if reward == "auto":
        return ThenAuto(base, schedule_of("ads"), every=4, at_least=0.2)
    reference = dict.fromkeys(TASKS, 1.0) if reward == "doremi" else {}
    return AdaptiveMixture(reward, base=base, every=4, reference=reference)


def observed(step: int, names: list[str], rng: np.random.Generator) -> Observation:
    gradients = rng.normal(size=(len(names), 8))
    products = gradients @ gradients.T
    return Observation(
        step=step,
        losses=dict(zip(names, rng.gamma(2.0, 1.0, len(names)).tolist(), strict=True)),
        tokens=dict.fromkeys(names, 20),
        utterances=dict(zip(names, rng.integers(0, 9, len(names)).tolist(), strict=True)),
        probe_losses=dict(zip(names, rng.gamma(2.0, 1.0, len(names)).tolist(), strict=True)),
        gradient_products={
            name: dict(zip(names, row, strict=True))
            for name, row in zip(names, products.tolist(), strict=True)
        },
    )


@pytest.mark.parametrize("reward", [*METHODS, "auto"])
@settings(CASES, max_examples=6)  # of eight ways to decide, which grow alike
@given(case=asked(), stop=st.integers(0, 5), base=st.sampled_from(["uniform", "ads", "alpha"]))
def test_a_plan_that_grows_goes_on_from_its_record_and_keeps_every_guarantee(
    reward: str, case, stop: int, base: str
) -> None:
    pool, batch_size, seed = case
    schedule = adaptive_of(reward, schedule_of(base))
    budget = Budget(28, batch_size, seed)
    rng = np.random.default_rng(seed)
    whole = AdaptivePlan(schedule, pool, budget)
    history: list[Observation] = []
    record: list[Decision] = []
    while whole.num_dealt < 28:
        history.append(observed(whole.num_dealt - 4, list(pool.names["task"]), rng))
        record.append(schedule.decide(history, whole.decisions, 28, whole.prior))
        whole.grow(record[-1])
    resumed = AdaptivePlan(schedule, pool, budget)
    for place, one in enumerate(record):
        if place < stop:
            resumed.grow(Decision(**one.as_table()))  # read back from decisions.jsonl
        else:
            seen = history[: place + 1]
            resumed.grow(schedule.decide(seen, resumed.decisions, 28, resumed.prior))
    plan = whole.finished()
    assert resumed.finished().fingerprint == plan.fingerprint
    assert plan.batch_sizes.tolist() == [batch_size] * 28
    cells = pool.cells(schedule.flow(pool, 28.0 * batch_size).axes).of_utterance
    times = np.zeros(pool.num_utterances, dtype=np.int64)
    for step in range(28):
        assert (np.diff(plan.batch(step)) > 0).all()
        times[np.searchsorted(pool.rows, plan.batch(step))] += 1
        most, least = np.zeros(cells.max() + 1), np.full(cells.max() + 1, 99)
        np.maximum.at(most, cells, times)
        np.minimum.at(least, cells, times)
        assert (most - least <= 1).all()
