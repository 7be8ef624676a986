"""From a schedule to a plan: shares to whole numbers, whole numbers to utterances."""

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.deck import draw
from maqam.schedule.flow import Flow
from maqam.schedule.plan import Plan, Shares
from maqam.schedule.pool import Cells, Pool
from maqam.schedule.quota import Quota
from maqam.schedule.schedules import Mixture, Schedule, schedule_as_table
from maqam.seeding import generator

REPORTED_AXES = ("task", "label", "dialect", "cluster")


def compile(schedule: Schedule, pool: Pool, *, steps: int, batch_size: int, seed: int) -> Plan:
    """Compile a schedule to the rows of every step.

    Args:
        schedule: The rule.
        pool: The utterances it deals from.
        steps: Optimiser steps, at least 1.
        batch_size: Utterances of a global batch.
        seed: Seed of the lottery; schedules with one seed see a cell's utterances in one order.

    Raises:
        ScheduleError: If the pool cannot serve the schedule, or is smaller than a batch.
        ValueError: If there are no steps or empty batches.

    Examples:
        >>> from maqam.schedule import Pool, Uniform
        >>> pool = Pool.from_columns({"task": ["asr"] * 6 + ["did"] * 2})
        >>> plan = compile(Uniform(), pool, steps=2, batch_size=4, seed=0)
        >>> sorted(plan.rows.tolist())
        [0, 1, 2, 3, 4, 5, 6, 7]
    """
    if steps < 1 or batch_size < 1:
        raise ValueError(f"steps and batch_size must be at least 1, got {steps} and {batch_size}")
    if batch_size > pool.num_utterances:
        raise ScheduleError(
            f"a batch of {batch_size} from a pool of {pool.num_utterances} would repeat utterances",
            where="batch_size",
            hint=f"use at most {pool.num_utterances}",
        )
    flow = schedule.flow(pool)
    cells = pool.cells(flow.axes)
    draws = isinstance(schedule, Mixture) and schedule.deal == "draw"
    deal = _deal_by_draw if draws else _deal_by_quota
    dealt_cells, dealt_counts, notes = deal(flow, cells, steps, batch_size, seed)
    positions = draw(pool, cells, seed, dealt_cells, dealt_counts)
    offsets = np.arange(steps + 1) * batch_size
    stages = schedule.stages(pool)
    return Plan(
        rows=_ascending(pool.rows[positions], offsets),
        offsets=offsets,
        batch_size=batch_size,
        unit="rows",
        seed=seed,
        schedule=schedule_as_table(schedule),
        pool_fingerprint=pool.fingerprint,
        stages=tuple((_first_step(stage.start, steps), stage.name) for stage in stages),
        switches=tuple(_first_step(stage.start, steps) for stage in stages if stage.is_switch),
        shares={
            axis: Shares(pool.names[axis], _counts(pool, axis, positions, offsets))
            for axis in REPORTED_AXES
            if axis in pool.columns
        },
        notes=tuple(notes),
    )


def _deal_by_quota(
    flow: Flow,
    cells: Cells,
    steps: int,
    batch_size: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    quota = Quota(cells)
    dealt: list[np.ndarray] = []
    counts: list[np.ndarray] = []
    last_key: object = None
    for step in range(steps):
        progress = step / steps
        key = flow.key(progress)
        if step == 0 or key != last_key:
            quota.set_mass(flow.mass(cells, progress))
            last_key = key
        step_cells, step_counts = quota.deal(batch_size)
        dealt.append(step_cells)
        counts.append(step_counts)
    notes = []
    if quota.num_handed_over:
        notes.append(
            f"groups smaller than their part of a batch handed {quota.num_handed_over} utterances "
            "over to their siblings, so that no batch holds an utterance twice"
        )
    return np.concatenate(dealt), np.concatenate(counts), notes


def _deal_by_draw(
    flow: Flow, cells: Cells, steps: int, batch_size: int, seed: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    dealt: list[np.ndarray] = []
    counts: list[np.ndarray] = []
    num_redrawn = 0
    last_key: object = None
    for step in range(steps):
        rng = generator(seed, "draw", step)
        key = flow.key(step / steps)
        if step == 0 or key != last_key:
            mass, last_key = flow.mass(cells, step / steps), key
        given = rng.multinomial(batch_size, mass)
        while (excess := int(np.maximum(given - cells.sizes, 0).sum())) > 0:
            num_redrawn += excess
            given = np.minimum(given, cells.sizes)
            open_mass = np.where(given < cells.sizes, np.maximum(mass, 1e-300), 0.0)
            given = given + rng.multinomial(excess, open_mass / open_mass.sum())
        dealt.append(np.flatnonzero(given))
        counts.append(given[given > 0])
    notes = []
    if num_redrawn:
        notes.append(
            f"{num_redrawn} utterances were drawn again, because their cell had no more of them "
            "for the batch"
        )
    return np.concatenate(dealt), np.concatenate(counts), notes


def _first_step(progress: float, steps: int) -> int:
    """Give the first step at or past a progress."""
    return min(int(np.ceil(progress * steps - 1e-9)), steps)


def _ascending(rows: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Sort the rows of every step."""
    sizes = np.diff(offsets)
    if (sizes == sizes[0]).all():
        return np.sort(rows.reshape(len(sizes), -1), axis=1).reshape(-1)
    return rows[np.lexsort((rows, np.repeat(np.arange(len(sizes)), sizes)))]


def _counts(pool: Pool, axis: str, positions: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    num_steps, num_groups = len(offsets) - 1, len(pool.names[axis])
    flat = np.repeat(np.arange(num_steps) * num_groups, np.diff(offsets))
    flat += pool.columns[axis][positions]
    counts = np.bincount(flat, minlength=num_steps * num_groups)
    return counts.reshape(num_steps, num_groups).astype(np.int32)
