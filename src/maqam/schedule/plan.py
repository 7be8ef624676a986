"""A plan: the rows of every optimiser step, on disk, with what it was made from.

A run only follows it. It holds global batches; how one is spread over processes is `ranks`.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np

from maqam.errors import ScheduleError
from maqam.files import whole_file
from maqam.run_layout import PlanLayout
from maqam.schedule.dealing.deck import keys
from maqam.schedule.pool import Pool
from maqam.schedule.switch import Switch

FORMAT_VERSION = 2


class StepRows(Protocol):
    """The rows of every step."""

    @property
    def num_steps(self) -> int:
        """Steps of the whole plan."""
        ...

    @property
    def rows(self) -> np.ndarray:
        """Manifest rows that may be dealt, repeats allowed."""
        ...

    @property
    def switches(self) -> Mapping[int, Switch]:
        """Steps at which one schedule hands over to another, known so far."""
        ...

    def batch(self, step: int) -> np.ndarray:
        """Return the manifest rows of a step, counted from 0, ascending."""
        ...


class PlanLike(StepRows, Protocol):
    """What a trainer reads of a plan, whole or still growing."""

    @property
    def batch_size(self) -> int:
        """What a step holds, in the plan's unit."""
        ...

    @property
    def schedule(self) -> Mapping[str, Any]:
        """The schedule as a table of settings."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of what decides the rows."""
        ...


@dataclass(frozen=True, slots=True)
class Shares:
    """How many utterances of each group of an axis each step holds.

    Attributes:
        names: Name of each group.
        counts: (num_steps, num_groups) integers.
        held: (num_groups,) utterances that the pool holds of each group.
        seen: (num_groups,) different utterances that the plan deals of each group.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    held: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True)
class Plan:
    """The rows of every step.

    Attributes:
        rows: (num_dealt,) int64 manifest rows, step after step, ascending within each.
        offsets: (num_steps + 1,) int64; step s holds `rows[offsets[s]:offsets[s + 1]]`.
        batch_size: What a step holds: utterances, or seconds or tokens (`unit`).
        deal: How shares became utterances, as a table of settings (see `DealSettings`).
        seed: Seed it was dealt with.
        schedule: The schedule as a table of settings.
        pool_fingerprint: Pool it was dealt from.
        stages: First step and name of each stretch under one rule.
        switches: Steps at which one schedule hands over to another, and how the trainer eases it.
        shares: What each step holds, by axis.
        notes: What the user should know, such as shares handed over by a dry group.
        target_tokens: Mean target tokens of an utterance of each task; empty where unknown.
    """

    rows: np.ndarray
    offsets: np.ndarray
    batch_size: int
    deal: Mapping[str, Any]
    seed: int
    schedule: Mapping[str, Any]
    pool_fingerprint: str
    stages: tuple[tuple[int, str], ...]
    switches: Mapping[int, Switch]
    shares: Mapping[str, Shares]
    notes: tuple[str, ...]
    target_tokens: Mapping[str, float] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """What the budget is counted in: "rows", "seconds" or "tokens"."""
        return str(self.deal["unit"])

    @property
    def num_steps(self) -> int:
        """Optimiser steps."""
        return len(self.offsets) - 1

    @property
    def batch_sizes(self) -> np.ndarray:
        """Utterances of each step, (num_steps,)."""
        return np.diff(self.offsets)

    def batch(self, step: int) -> np.ndarray:
        """Return the manifest rows of a step, counted from 0: (num_rows,) int64."""
        return np.asarray(self.rows[self.offsets[step] : self.offsets[step + 1]])

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the rows: 32 hex digits; two plans with it train alike."""
        digest = hashlib.blake2b(np.ascontiguousarray(self.rows).data, digest_size=16)
        digest.update(np.ascontiguousarray(self.offsets).data)
        return digest.hexdigest()

    def check_pool(self, pool: Pool) -> None:
        """Refuse a pool that is not the one the plan was dealt from.

        Raises:
            ScheduleError: If utterances, their groups or their clusters have changed.
        """
        if pool.fingerprint != self.pool_fingerprint:
            raise ScheduleError(
                f"the pool has changed: the plan was dealt from {self.pool_fingerprint[:12]}, "
                f"this is {pool.fingerprint[:12]}",
                where="plan",
                hint="compile the plan again with maqam plan RECIPE --force",
            )

    def save(self, folder: Path | str) -> None:
        """Write the plan; plan.json, which names the others' hash, comes last.

        Raises:
            OSError: If the disk is full; no half-written file is left.
        """
        target = PlanLayout(Path(folder))
        _write(target.rows, _npy(self.rows))
        _write(target.offsets, _npy(self.offsets))
        stream = io.BytesIO()
        arrays: dict[str, Any] = {
            f"{part}/{axis}": getattr(one, part)
            for axis, one in self.shares.items()
            for part in ("counts", "held", "seen")
        }
        np.savez_compressed(stream, **arrays)
        _write(target.shares, stream.getvalue())
        record = {
            "format_version": FORMAT_VERSION,
            "fingerprint": self.fingerprint,
            "seed": self.seed,
            "num_steps": self.num_steps,
            "batch_size": self.batch_size,
            "deal": dict(self.deal),
            "schedule": self.schedule,
            "pool_fingerprint": self.pool_fingerprint,
            "stages": self.stages,
            "switches": [{"step": step, **asdict(one)} for step, one in self.switches.items()],
            "axes": {axis: one.names for axis, one in self.shares.items()},
            "notes": self.notes,
            "target_tokens": dict(self.target_tokens),
        }
        text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
        _write(target.record, text.encode())


def rows_checksum(rows: np.ndarray) -> int:
    """Return a number that tells the rows of a step from others, in any order and from any parts.

    Sums of parts add up to that of the whole, so processes add what each trained on. It is below
    2^53 for a million rows, exact as a float64.

    Args:
        rows: (num_rows,) manifest rows, repeats counted.

    Examples:
        >>> rows_checksum(np.array([3, 1])) == rows_checksum(np.array([1])) + rows_checksum([3])
        True
    """
    found = keys(0, 0, np.asarray(rows, dtype=np.uint64)) >> np.uint64(32)
    return int(found.sum())


def load_plan(folder: Path | str) -> Plan:
    """Read a plan back.

    Raises:
        ScheduleError: If there is none, it is half written or its rows were altered.
    """
    source = PlanLayout(Path(folder))
    try:
        record = json.loads(source.record.read_text(encoding="utf-8"))
        rows = np.load(source.rows, mmap_mode="r", allow_pickle=False)
        with np.load(source.shares, allow_pickle=False) as arrays:
            shares = {
                axis: Shares(
                    tuple(names), *(arrays[f"{part}/{axis}"] for part in ("counts", "held", "seen"))
                )
                for axis, names in record["axes"].items()
            }
        plan = Plan(
            rows=rows,
            offsets=np.load(source.offsets, allow_pickle=False),
            batch_size=int(record["batch_size"]),
            deal=record["deal"],
            seed=record["seed"],
            schedule=record["schedule"],
            pool_fingerprint=record["pool_fingerprint"],
            stages=tuple((int(step), str(name)) for step, name in record["stages"]),
            switches={int(one.pop("step")): Switch(**one) for one in record["switches"]},
            shares=shares,
            notes=tuple(record["notes"]),
            target_tokens=record["target_tokens"],
        )
    except FileNotFoundError as error:
        raise ScheduleError(
            f"no whole plan here: {Path(error.filename).name} is missing",
            where=str(source.folder),
            hint="compile one with maqam plan RECIPE",
        ) from error
    except (ValueError, KeyError, TypeError, EOFError, BadZipFile, OSError) as error:
        raise _damaged(source.folder, str(error)) from error
    if plan.fingerprint != record.get("fingerprint"):
        raise _damaged(source.folder, "the rows are not those that were written")
    return plan


def _damaged(folder: Path, reason: str) -> ScheduleError:
    return ScheduleError(
        f"the plan is damaged: {reason}",
        where=str(folder),
        hint="compile it again with maqam plan RECIPE --force",
    )


def _npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(values), allow_pickle=False)
    return stream.getvalue()


def _write(path: Path, data: bytes) -> None:
    with whole_file(path) as draft:
        draft.write_bytes(data)
