"""Fixed utterances that gradients are taken of, and the groups they are compared in.

They are dealt as a balanced schedule deals: each task as many, within it each label and dialect in
turn. The same manifest and seed give the same rows, so measures of two runs can be compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from maqam.data.manifest import Manifest
from maqam.errors import RunError
from maqam.schedule import Ads, Alpha, Pool, make_plan
from maqam.seeding import derive

KINDS = ("task", "dialect", "label", "task and dialect")
FEWEST = 2  # rows of a group: one tells nothing of its noise


@dataclass(frozen=True, slots=True)
class FixedRows:
    """Utterances of a manifest and the groups they belong to.

    Attributes:
        rows: (num_rows,) manifest rows, ascending.
        groups: By kind of group, the (num_rows,) membership of each by name.
        left_out: Groups with a single row, which has no noise to be told from, by kind.
    """

    rows: np.ndarray
    groups: Mapping[str, Mapping[str, np.ndarray]]
    left_out: Mapping[str, tuple[str, ...]]


def choose_rows(manifest: Manifest, candidates: np.ndarray, size: int, seed: int) -> FixedRows:
    """Deal the fixed rows of every task.

    Args:
        manifest: Where the rows are.
        candidates: Manifest rows to choose among.
        size: Rows of each task, fewer where there are fewer.
        seed: Seed of the deal.

    Raises:
        RunError: If no two rows of a task are there.
    """
    candidates = np.sort(np.asarray(candidates))
    if not len(candidates):
        raise _too_few(manifest)
    columns = {name: texts(manifest, name)[candidates] for name in ("task", "label", "dialect")}
    own = {"task": columns["task"], "label": columns["label"], "cluster": columns["dialect"]}
    pool = Pool.from_columns(own, rows=candidates)
    batch = size * len(pool.names["task"])
    plan = make_plan(Ads(), pool, steps=1, batch_size=batch, seed=derive(seed, "fixed rows"))
    return grouped(manifest, np.unique(plan.batch(0)))


def dealt(values: np.ndarray, rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return some of the rows, dealt evenly over the values they have.

    Args:
        values: (num_rows,) a value of each.
        rows: (num_rows,) manifest rows, all different, one at least.
        most: Rows to deal; all of them where there are no more.
        seed: Seed of the deal.

    Returns:
        Rows, ascending.

    Examples:
        >>> values = np.array(["a"] * 8 + ["b"] * 2)
        >>> found = dealt(values, np.arange(10), 4, seed=0)
        >>> np.unique(values[found], return_counts=True)[1].tolist()
        [2, 2]
    """
    if len(rows) <= most:
        return np.sort(rows)
    pool = Pool.from_columns({"task": values}, rows=rows)
    plan = make_plan(Alpha(0.0), pool, steps=1, batch_size=most, seed=derive(seed, "dealt"))
    found: np.ndarray = np.unique(plan.batch(0))
    return found


def grouped(manifest: Manifest, rows: np.ndarray) -> FixedRows:
    """Return rows with their groups.

    Raises:
        RunError: If no two rows of a task are there.
    """
    task, label, dialect = (texts(manifest, name)[rows] for name in ("task", "label", "dialect"))
    names = {
        "task": task,
        "dialect": dialect,
        "label": _pairs(task, label),
        "task and dialect": _pairs(task, dialect),
    }
    groups: dict[str, dict[str, np.ndarray]] = {}
    left_out = {}
    for kind, values in names.items():
        known = [name for name in np.unique(values).tolist() if name != "-"]
        members = {name: values == name for name in known}
        groups[kind] = {name: one for name, one in members.items() if one.sum() >= FEWEST}
        left_out[kind] = tuple(name for name in known if name not in groups[kind])
    if not groups["task"]:
        raise _too_few(manifest)
    return FixedRows(np.asarray(rows), groups, left_out)


def texts(manifest: Manifest, name: str, absent: str = "-") -> np.ndarray:
    """Return the (num_utterances,) texts of a column, `absent` where there is none."""
    values = manifest.column(name)
    return np.array([absent if one is None else str(one) for one in values], dtype=str)


def _pairs(tasks: np.ndarray, values: np.ndarray) -> np.ndarray:
    found = [
        "-" if value == "-" else f"{task}: {value}"
        for task, value in zip(tasks.tolist(), values.tolist(), strict=True)
    ]
    return np.array(found, dtype=str)


def _too_few(manifest: Manifest) -> RunError:
    return RunError(
        "no task has two rows to take gradients of",
        where=str(manifest.path),
        hint="name a split with rows of every task: diagnose.split, or maqam diagnose --rows-from",
    )
