"""Whether a plan is what it says: against its pool, its schedule, its laws, and a training log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maqam.errors import ScheduleError, first_few
from maqam.schedule.compiler import Budget, plan_for
from maqam.schedule.dealing.settings import DealSettings, Pick
from maqam.schedule.flow import Flow, weighted
from maqam.schedule.kinds.base import Schedule
from maqam.schedule.kinds.custom import FlowMaker
from maqam.schedule.plan import Plan, rows_checksum
from maqam.schedule.pool import Pool
from maqam.schedule.schedules import as_schedule, schedule_from_table


@dataclass(frozen=True, slots=True)
class PlanFinding:
    """One way in which a plan does not hold.

    Attributes:
        problem: What is wrong, in words.
        where: Steps, rows or groups of it, the first few.
    """

    problem: str
    where: str = ""


def verify_plan(
    plan: Plan,
    pool: Pool,
    *,
    steps: int,
    extra_steps: int = 0,
    schedule: Schedule | Flow | FlowMaker | None = None,
) -> list[PlanFinding]:
    """Hold a plan against its pool: the rows, the laws of dealing, and the schedule dealt again.

    Without its schedule, epochs and shares of steps cannot be dealt again: see `rule_of`.

    Args:
        plan: The plan.
        pool: The pool as it is now.
        steps: Steps the plan was asked for; it may have fewer where the pool ran out.
        extra_steps: Steps it was extended by.
        schedule: The flow or object that the plan was made from, where no recipe can name it.

    Returns:
        All that does not hold; nothing where the plan is what its schedule deals.
    """
    findings = [*_rows_and_batches(plan, pool), *_shares(plan, pool)]
    if plan.pool_fingerprint != pool.fingerprint:
        findings.append(PlanFinding("the pool is not the one the plan was dealt from"))
    rule = rule_of(plan) if schedule is None else as_schedule(schedule)
    if rule is None:
        return findings
    if not findings:
        findings += _epochs(plan, pool, rule)
    if not findings and is_dealt_again(rule):
        findings += _dealt_again(plan, pool, rule, steps, extra_steps)
    return findings


def rule_of(plan: Plan) -> Schedule | None:
    """Return the schedule that a plan names; None where it was an object of Python."""
    try:
        return schedule_from_table(plan.schedule)
    except ValueError:
        return None


def is_dealt_again(rule: Schedule | None) -> bool:
    """Whether a rule alone says what it deals: none that decides while a run trains does."""
    return rule is not None and not hasattr(rule, "flow_after")


def verify_log(plan: Plan, records: Iterable[Mapping[str, Any]]) -> list[PlanFinding]:
    """Hold a plan against the record of a training, a line a step.

    Args:
        plan: The plan.
        records: What each step did: `step`, from 1, `utterances_by_task`, and `rows_checksum` of
            the rows that went through the model, where it was kept.
    """
    shares = plan.shares["task"]
    unlike, beyond, seen, other = [], [], [], []
    for record in records:
        step = int(record["step"])
        seen.append(step)
        if not 1 <= step <= plan.num_steps:
            beyond.append(step)
            continue
        dealt = dict(zip(shares.names, shares.counts[step - 1].tolist(), strict=True))
        if {task: n for task, n in dealt.items() if n} != dict(record["utterances_by_task"]):
            unlike.append(step)
        found = record.get("rows_checksum")
        if found is not None and found != rows_checksum(plan.batch(step - 1)):
            other.append(step)
    findings = []
    expected = list(range(1, len(seen) + 1))
    if seen != expected:
        odd = [step for step, wanted in zip(seen, expected, strict=True) if step != wanted]
        findings.append(PlanFinding("the log does not go step by step from 1", _steps(odd)))
    if beyond:
        findings.append(
            PlanFinding(f"{len(beyond)} steps of the log are none of the plan", _steps(beyond))
        )
    if unlike:
        findings.append(
            PlanFinding(f"{len(unlike)} steps held other tasks than planned", _steps(unlike))
        )
    if other:
        findings.append(
            PlanFinding(f"{len(other)} steps trained on other rows than planned", _steps(other))
        )
    return findings


def _rows_and_batches(plan: Plan, pool: Pool) -> list[PlanFinding]:
    rows, sizes = np.asarray(plan.rows), plan.batch_sizes
    findings = []
    strange = np.setdiff1d(rows, pool.rows)
    if len(strange):
        problem = f"{len(strange)} rows of the plan are not in the pool"
        findings.append(PlanFinding(problem, f"rows {first_few(strange.tolist())}"))
    of_step = np.repeat(np.arange(plan.num_steps), sizes)
    order = np.lexsort((rows, of_step))
    twice = (np.diff(rows[order]) == 0) & (np.diff(of_step[order]) == 0)
    if twice.any():
        steps = np.unique(of_step[order][1:][twice]) + 1
        findings.append(
            PlanFinding(f"{len(steps)} batches hold a row twice", _steps(steps.tolist()))
        )
    if plan.unit == "rows" and (sizes != plan.batch_size).any():
        odd = (np.flatnonzero(sizes != plan.batch_size) + 1).tolist()
        problem = f"{len(odd)} batches do not hold {plan.batch_size} rows"
        findings.append(PlanFinding(problem, _steps(odd)))
    return findings


def _shares(plan: Plan, pool: Pool) -> list[PlanFinding]:
    """Count the groups of every step again."""
    rows = np.asarray(plan.rows)
    if not np.isin(rows, pool.rows).all():
        return []
    positions = _positions(plan, pool)
    of_step = np.repeat(np.arange(plan.num_steps), plan.batch_sizes)
    findings = []
    for axis, shares in plan.shares.items():
        try:
            codes, names = pool.axis(axis)
        except ScheduleError:
            findings.append(PlanFinding(f"the pool has no {axis} any more"))
            continue
        counts = np.zeros((plan.num_steps, len(names)), dtype=np.int64)
        np.add.at(counts, (of_step, codes[positions]), 1)
        if names != shares.names or not np.array_equal(counts, shares.counts):
            findings.append(
                PlanFinding(f"shares.npz does not tell what the rows hold of each {axis}")
            )
    return findings


def _epochs(plan: Plan, pool: Pool, schedule: Schedule) -> list[PlanFinding]:
    """Check that every row of a cell comes once before any of it comes twice."""
    flow = schedule.flow(pool, float(plan.rows.size))
    cells = pool.cells(weighted(flow, pool, schedule.kind).axes)
    positions = _positions(plan, pool)
    of_step = np.repeat(np.arange(plan.num_steps), plan.batch_sizes)
    order = np.lexsort((of_step, positions))
    starts = np.flatnonzero(np.diff(positions[order], prepend=-1))
    epochs = np.empty(len(order), dtype=np.int64)
    epochs[order] = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    cell = cells.of_utterance[positions]
    num_epochs = int(epochs.max()) + 1
    group = cell * num_epochs + epochs
    counts = np.bincount(group, minlength=cells.num_cells * num_epochs).reshape(-1, num_epochs)
    last = np.full(counts.size, -1)
    np.maximum.at(last, group, of_step)
    first = np.full(counts.size, plan.num_steps)
    np.minimum.at(first, group, of_step)
    last, first = last.reshape(counts.shape), first.reshape(counts.shape)
    begun = counts[:, 1:] > 0
    early = begun & ((counts[:, :-1] < cells.sizes[:, None]) | (last[:, :-1] > first[:, 1:]))
    if not early.any():
        return []
    steps = np.unique(first[:, 1:][early]) + 1
    problem = f"{int(early.any(axis=1).sum())} groups repeat rows before they are dealt through"
    return [PlanFinding(problem, _steps(steps.tolist()))]


def _dealt_again(
    plan: Plan, pool: Pool, schedule: Schedule, steps: int, extra_steps: int
) -> list[PlanFinding]:
    """Compile the schedule once more."""
    table = dict(plan.deal)
    pick = table.pop("pick", None)
    budget = Budget(
        steps=steps,
        batch_size=plan.batch_size,
        seed=plan.seed,
        deal=DealSettings(**table, pick=Pick(**pick) if pick else None),
        extra_steps=extra_steps,
    )
    again = plan_for(schedule, pool, budget)
    if again.fingerprint == plan.fingerprint:
        return []
    common = min(again.num_steps, plan.num_steps)
    odd = [s + 1 for s in range(common) if not np.array_equal(again.batch(s), plan.batch(s))]
    return [PlanFinding(f"the schedule deals {len(odd)} of {common} steps otherwise", _steps(odd))]


def _positions(plan: Plan, pool: Pool) -> np.ndarray:
    order = np.argsort(pool.rows)
    found: np.ndarray = order[np.searchsorted(pool.rows[order], plan.rows)]
    return found


def _steps(steps: Sequence[int]) -> str:
    return f"steps {first_few(steps)}" if steps else ""
