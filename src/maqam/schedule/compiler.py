"""From a schedule to a plan: shares to whole numbers, whole numbers to utterances."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.dealing.by_cost import CostDealer, DealtRows
from maqam.schedule.dealing.by_rows import QuotaDealer, deal_by_draw
from maqam.schedule.dealing.deck import draw
from maqam.schedule.dealing.picking import pick
from maqam.schedule.dealing.settings import DealSettings
from maqam.schedule.flow import Flow, held, weighted
from maqam.schedule.kinds.base import Schedule, Stage
from maqam.schedule.kinds.custom import FlowMaker
from maqam.schedule.kinds.mixtures import Mixture
from maqam.schedule.plan import Plan, Shares
from maqam.schedule.pool import Cells, Pool
from maqam.schedule.schedules import as_schedule, schedule_as_table

REPORTED_AXES = ("task", "label", "dialect", "cluster")


def make_plan(
    schedule: Schedule | Flow | FlowMaker,
    pool: Pool,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    deal: DealSettings | None = None,
) -> Plan:
    """Compile a schedule to the rows of every step.

    Args:
        schedule: The rule: a schedule of ours, a flow, or any object with `flow(pool, budget)`.
        pool: The utterances it deals from.
        steps: Optimiser steps, at least 1; the plan has fewer where the pool runs out.
        batch_size: What a global batch holds: utterances, or seconds or tokens (`deal.unit`).
        seed: Seed of the lottery; schedules with one seed see a cell's utterances in one order.
        deal: How shares become utterances; whole utterances, repeated, when None.

    Raises:
        ScheduleError: If the pool cannot serve the schedule, or is smaller than a batch whose
            utterances are drawn, picked or counted in seconds or tokens, or a step would hold no
            utterance.
        ValueError: If there are no steps or empty batches.
        TypeError: If the rule is no schedule and no flow.

    Examples:
        >>> from maqam.schedule import Pool, Uniform
        >>> pool = Pool.from_columns({"task": ["asr"] * 6 + ["did"] * 2})
        >>> plan = make_plan(Uniform(), pool, steps=2, batch_size=4, seed=0)
        >>> sorted(plan.rows.tolist())
        [0, 1, 2, 3, 4, 5, 6, 7]
    """
    if steps < 1 or batch_size < 1:
        raise ValueError(f"steps and batch_size must be at least 1, got {steps} and {batch_size}")
    budget = Budget(steps, batch_size, seed, deal or DealSettings())
    return plan_for(as_schedule(schedule), pool, budget)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a plan was asked for.

    Attributes:
        steps: Optimiser steps.
        batch_size: What a batch holds, in the unit of the deal.
        seed: Seed of the lottery.
        deal: How shares become utterances.
        extra_steps: Steps beyond those that the schedule is stretched over, in which it stays as
            it is in the last of them.
    """

    steps: int
    batch_size: int
    seed: int
    deal: DealSettings = field(default_factory=DealSettings)
    extra_steps: int = 0


def plan_for(schedule: Schedule, pool: Pool, budget: Budget) -> Plan:
    """Compile a schedule for a budget, as `make_plan` does; steps may go on beyond its end.

    The steps before are those of a plan without extra ones, and the decks go on where they were.

    Args:
        schedule: The rule.
        pool: The utterances it deals from.
        budget: What is asked for.

    Raises:
        ScheduleError: As `make_plan`.
    """
    deal, total = budget.deal, budget.steps + budget.extra_steps
    notes = _check_size(pool, budget, schedule)
    flow = schedule.flow(pool, float(budget.steps) * budget.batch_size)
    flow = weighted(flow, pool, schedule.kind)
    if budget.extra_steps:
        flow = held(flow, budget.steps, total)
    with ThreadPoolExecutor(1) as beside:  # hashing a large pool needs no lock of Python's
        hashed = beside.submit(lambda: pool.fingerprint)
        cells = pool.cells(flow.axes, deal.unit)
        dealt = _deal(schedule, flow, pool, cells, budget)
        hashed.result()
    dealt = replace(dealt, notes=(*notes, *dealt.notes))
    plan = assemble(schedule, pool, flow.axes, dealt, budget)
    check_rows(plan, pool)
    return plan


def check_rows(plan: Plan, pool: Pool, min_rows: int = 1) -> None:
    """Refuse a plan with steps of too few utterances, and name a batch that leaves none so.

    A step of a budget in seconds or tokens gets none where the utterance before fills it too. A
    batch with room for `min_rows` of the longest always serves.

    Args:
        plan: The plan.
        pool: What it was dealt from.
        min_rows: Fewest utterances that a step must hold, such as one a process.

    Raises:
        ScheduleError: If a step holds fewer.
    """
    small = np.flatnonzero(plan.batch_sizes < min_rows)
    if not len(small):
        return
    longest = float(pool.costs(plan.unit).max())
    few = "no utterance" if min_rows == 1 else f"fewer than {min_rows} utterances"
    raise ScheduleError(
        f"with {plan.batch_size} {plan.unit} a batch, {len(small)} of {plan.num_steps} steps hold "
        f"{few}, the first of them step {small[0] + 1}",
        where="batch_size",
        hint=f"use at least {np.ceil(min_rows * longest):.0f}; the longest utterance takes "
        f"{longest:.6g}",
    )


def assemble(
    schedule: Schedule,
    pool: Pool,
    axes: tuple[str, ...],
    dealt: DealtRows,
    budget: Budget,
    stages: list[Stage] | None = None,
) -> Plan:
    """Make a plan of what was dealt.

    Args:
        schedule: The rule it was dealt by.
        pool: The utterances.
        axes: Axes whose shares the plan tells beside the usual ones.
        dealt: The utterances of every step.
        budget: What was asked for.
        stages: Stretches under one rule; those the schedule has by itself when None.
    """
    num_steps = len(dealt.offsets) - 1
    is_seen = np.zeros(pool.num_utterances, dtype=bool)
    is_seen[dealt.positions] = True
    different = np.flatnonzero(is_seen)
    own = schedule.stages(pool) if stages is None else stages
    found = [(_first_step(one.start, budget.steps), one) for one in own]
    if budget.extra_steps:
        found.append((budget.steps, Stage(1.0, "extension")))
    kept = [(first, stage) for first, stage in found if first < num_steps]
    return Plan(
        rows=_ascending(pool.rows[dealt.positions], dealt.offsets),
        offsets=dealt.offsets,
        batch_size=budget.batch_size,
        deal=asdict(budget.deal),
        seed=budget.seed,
        schedule=schedule_as_table(schedule),
        pool_fingerprint=pool.fingerprint,
        stages=tuple((first, stage.name) for first, stage in kept),
        switches={first: one.switch for first, one in kept if one.switch is not None},
        shares={
            axis: Shares(
                names,
                _counts(codes, len(names), dealt),
                held=np.bincount(codes, minlength=len(names)),
                seen=np.bincount(codes[different], minlength=len(names)),
            )
            for axis, (codes, names) in _reported(pool, axes).items()
        },
        notes=dealt.notes,
    )


def _deal(
    schedule: Schedule,
    flow: Flow,
    pool: Pool,
    cells: Cells,
    budget: Budget,
) -> DealtRows:
    """Deal a flow in the way that schedule and unit need."""
    steps, batch_size, seed = budget.steps + budget.extra_steps, budget.batch_size, budget.seed
    deal = budget.deal
    is_drawn = _is_drawn(schedule)
    if deal.unit != "rows" and is_drawn:
        raise ScheduleError(
            f"schedule.deal draw does not support {deal.unit}",
            where="deal.unit",
            hint="use schedule.deal quota, or deal.unit rows",
        )
    if deal.unit != "rows":
        return CostDealer(pool, cells, seed, deal).deal(flow, steps, batch_size)
    if is_drawn:
        if deal.exhaustion != "repeat":
            raise ScheduleError(
                f"schedule.deal draw does not support {deal.exhaustion}: only quota counts epochs",
                where="deal.exhaustion",
                hint="use schedule.deal quota, or deal.exhaustion repeat",
            )
        dealt = deal_by_draw(flow, cells, steps, batch_size, seed)
    else:
        dealt = QuotaDealer(cells, seed, deal).deal(flow, range(steps), steps, batch_size)
    if deal.pick is not None:
        positions = pick(pool, cells, dealt, seed, deal.pick)
    else:
        positions = draw(pool, cells, seed, dealt.cells, dealt.counts)
    return DealtRows(positions, np.arange(dealt.num_steps + 1) * batch_size, dealt.notes)


def _check_size(pool: Pool, budget: Budget, schedule: Schedule) -> tuple[str, ...]:
    """Return a note where a batch holds the whole pool and more, as quotas of rows allow.

    Raises:
        ScheduleError: If what deals the batch takes no utterance twice.
    """
    unit, batch_size = budget.deal.unit, budget.batch_size
    held = pool.num_utterances if unit == "rows" else pool.costs(unit).sum()
    if batch_size <= held:
        return ()
    if unit == "rows" and not _is_drawn(schedule) and budget.deal.pick is None:
        return (
            f"a batch of {batch_size} is more than the pool of {held}: utterances repeat in it",
        )
    raise ScheduleError(
        f"a batch of {batch_size} {unit} from a pool of {held:.0f} would repeat utterances",
        where="batch_size",
        hint=f"use at most {held:.0f}",
    )


def _is_drawn(schedule: Schedule) -> bool:
    return isinstance(schedule, Mixture) and schedule.deal == "draw"


def _reported(pool: Pool, axes: tuple[str, ...]) -> dict[str, tuple[np.ndarray, tuple[str, ...]]]:
    """Return codes and names of the axes whose shares a plan tells."""
    known = [axis for axis in REPORTED_AXES if axis in pool.columns]
    return {axis: pool.axis(axis) for axis in dict.fromkeys([*known, *axes])}


def _first_step(progress: float, steps: int) -> int:
    """Return the first step at or past a progress."""
    return min(int(np.ceil(progress * steps - 1e-9)), steps)


def _ascending(rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Sort the rows of every step."""
    sizes = np.diff(offsets)
    if (sizes == sizes[0]).all():
        return np.sort(rows.reshape(len(sizes), -1), axis=1).reshape(-1)
    return rows[np.lexsort((rows, np.repeat(np.arange(len(sizes)), sizes)))]


def _counts(codes: np.ndarray, num_groups: int, dealt: DealtRows) -> np.ndarray:
    num_steps = len(dealt.offsets) - 1
    flat = np.repeat(np.arange(num_steps) * num_groups, np.diff(dealt.offsets))
    flat += codes[dealt.positions]
    counts = np.bincount(flat, minlength=num_steps * num_groups)
    return counts.reshape(num_steps, num_groups).astype(np.int32)
