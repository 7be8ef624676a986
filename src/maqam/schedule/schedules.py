"""The schedules of the field, each a value that turns into a flow.

A recipe names one by its `kind`; `schedule_from_table` is the only place that knows them all.
"""

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.flow import Flow, blend, examples, nested
from maqam.schedule.pool import Pool
from maqam.tasks import TASKS

ADS_AXES = ("task", "label", "cluster")


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a schedule under one rule.

    Attributes:
        start: Progress at which it begins, in [0, 1].
        name: What is dealt in it.
        is_switch: Whether one schedule hands over to another there.
    """

    start: float
    name: str
    is_switch: bool = False


@dataclass(frozen=True, slots=True)
class Uniform:
    """One shuffled pass over all utterances, tasks as they come: the paper's baseline (SM)."""

    kind: Literal["uniform"] = "uniform"

    def flow(self, pool: Pool) -> Flow:
        """Give every utterance the same share."""
        return examples()

    def stages(self, pool: Pool) -> list[Stage]:
        """Give the one stage there is."""
        return [Stage(0.0, "uniform")]


@dataclass(frozen=True, slots=True)
class Alpha:
    """Tasks by a power of their size; utterances of a task alike.

    Attributes:
        alpha: Exponent on the task's size: 1 proportional, 0 equal tasks. Temperature
            sampling at temperature T is alpha = 1 / T.
    """

    kind: Literal["alpha"] = "alpha"
    alpha: float = 0.5

    def __post_init__(self) -> None:
        _check(0 <= self.alpha <= 1, f"alpha must lie in [0, 1], got {self.alpha}")

    def flow(self, pool: Pool) -> Flow:
        """Give each task its size to the power alpha."""
        return examples().by("task", power=self.alpha)

    def stages(self, pool: Pool) -> list[Stage]:
        """Give the one stage there is."""
        return [Stage(0.0, f"alpha {self.alpha:g}")]


@dataclass(frozen=True, slots=True)
class Stratified:
    """Proportional shares of every task and label in every batch, dealt by quota, not by draw."""

    kind: Literal["stratified"] = "stratified"

    def flow(self, pool: Pool) -> Flow:
        """Give every utterance the same share, balanced over task, label and cluster."""
        return dataclasses.replace(examples(), axes=_present(pool, ADS_AXES))

    def stages(self, pool: Pool) -> list[Stage]:
        """Give the one stage there is."""
        return [Stage(0.0, "stratified")]


@dataclass(frozen=True, slots=True)
class Mixture:
    """One cell of the 2 x 2 that tells a shift of the mixture from diversity inside the batch.

    Attributes:
        mixture: "proportional" to the utterances, or "balanced" over task, label and cluster.
        deal: "draw" each utterance's cell independently, or by "quota".
    """

    kind: Literal["mixture"] = "mixture"
    mixture: Literal["proportional", "balanced"] = "balanced"
    deal: Literal["draw", "quota"] = "quota"

    def __post_init__(self) -> None:
        _check_choice("mixture", self.mixture, ("proportional", "balanced"))
        _check_choice("deal", self.deal, ("draw", "quota"))

    def flow(self, pool: Pool) -> Flow:
        """Give proportional or balanced shares over the same cells."""
        return Stratified().flow(pool) if self.mixture == "proportional" else nested(ADS_AXES)

    def stages(self, pool: Pool) -> list[Stage]:
        """Give the one stage there is."""
        return [Stage(0.0, f"{self.mixture}, {self.deal}")]


@dataclass(frozen=True, slots=True)
class Tpc:
    """Task-progressive curriculum: tasks in order of semantic abstraction.

    Attributes:
        groups: Tasks of each stage; by level of abstraction when null: the paper's
            recognition, then dialect and emotion, then summaries.
        mode: "hard" trains on one stage at a time, "cumulative" keeps a share of past ones,
            "soft" fades from one stage to the next.
        shares: Part of the budget of each stage, of any positive sum; equal when null (our
            choice: the paper gives none).
        replay: Weight of a past task beside 1 of a current one, in cumulative mode.
    """

    kind: Literal["tpc"] = "tpc"
    groups: tuple[tuple[str, ...], ...] | None = None
    mode: Literal["hard", "cumulative", "soft"] = "hard"
    shares: tuple[float, ...] | None = None
    replay: float = 0.1

    def __post_init__(self) -> None:
        _check_choice("mode", self.mode, ("hard", "cumulative", "soft"))
        _check(0 < self.replay <= 1, f"replay must lie in (0, 1], got {self.replay}")
        if self.shares is not None:
            _check(min(self.shares, default=0) > 0, f"shares must be positive, got {self.shares}")
            num_groups = len(self.groups) if self.groups is not None else len(self.shares)
            _check(len(self.shares) == num_groups, "shares must be as many as groups")

    def flow(self, pool: Pool) -> Flow:
        """Give each stage's tasks equal shares in its window, utterances of a task alike."""
        groups = self._groups(pool)
        borders = self._borders(len(groups))

        def weights(names: tuple[str, ...], progress: float) -> np.ndarray:
            stage = self._windows(borders, progress)
            return np.array(
                [
                    sum(w for w, group in zip(stage, groups, strict=True) if n in group)
                    for n in names
                ]
            )

        def key(progress: float) -> tuple[float, ...]:
            return tuple(self._windows(borders, progress))

        return dataclasses.replace(examples().by("task", weights=weights), key=key)

    def stages(self, pool: Pool) -> list[Stage]:
        """Give a stage for each group of tasks."""
        groups = self._groups(pool)
        borders = self._borders(len(groups))
        return [
            Stage(float(start), " + ".join(group))
            for start, group in zip(borders[:-1], groups, strict=True)
        ]

    def _groups(self, pool: Pool) -> tuple[tuple[str, ...], ...]:
        if "task" not in pool.names:
            raise ScheduleError("the pool has no column task", where="schedule.tpc")
        present = pool.names["task"]
        if self.groups is not None:
            absent = [name for group in self.groups for name in group if name not in present]
            if absent:
                raise ScheduleError(
                    f"no utterance has task {' or '.join(map(repr, absent))}",
                    where="schedule.groups",
                    hint=f"the pool holds {', '.join(present)}",
                )
            return self.groups
        levels = sorted({TASKS[name].level for name in present if name in TASKS})
        return tuple(
            tuple(name for name in present if name in TASKS and TASKS[name].level == level)
            for level in levels
        )

    def _borders(self, num_groups: int) -> np.ndarray:
        shares = np.ones(num_groups) if self.shares is None else np.array(self.shares)
        if len(shares) != num_groups:
            raise ScheduleError(
                f"{len(shares)} shares for {num_groups} stages",
                where="schedule.shares",
                hint="give one share a stage",
            )
        return np.concatenate([[0.0], np.cumsum(shares / shares.sum())])

    def _windows(self, borders: np.ndarray, progress: float) -> list[float]:
        """Give the weight of each stage at a progress in [0, 1]."""
        num_stages = len(borders) - 1
        if self.mode == "soft":
            centres = (borders[:-1] + borders[1:]) / 2
            return [float(np.interp(progress, centres, row)) for row in np.eye(num_stages)]
        current = min(int(np.searchsorted(borders, progress, side="right")) - 1, num_stages - 1)
        past = self.replay if self.mode == "cumulative" else 0.0
        return [1.0 if j == current else past if j < current else 0.0 for j in range(num_stages)]


@dataclass(frozen=True, slots=True)
class Ads:
    """Aligner-based diverse sampling: equal tasks, within them labels, within them clusters.

    Clusters are those of K-means on aligner embeddings; the nesting is our reading of the paper,
    which balances batches by task and label and goes round-robin over clusters.
    """

    kind: Literal["ads"] = "ads"

    def flow(self, pool: Pool) -> Flow:
        """Give equal shares down the axes task, label and cluster."""
        return nested(ADS_AXES)

    def stages(self, pool: Pool) -> list[Stage]:
        """Give the one stage there is."""
        return [Stage(0.0, "ads")]


@dataclass(frozen=True, slots=True)
class Then:
    """One schedule, then another; the paper's hybrid is tpc, then ads.

    Decks are shared, so what the first dealt is not fresh to the second.

    Attributes:
        first: Schedule before the switch point; its own progress runs over that stretch.
        second: Schedule after it.
        at: Switch point, in (0, 1). The default is ours: the paper does not say.
        anneal: Part of the budget, centred on the switch point, over which the second fades in.
    """

    first: "Schedule"
    second: "Schedule"
    kind: Literal["then"] = "then"
    at: float = 0.5
    anneal: float = 0.0

    def __post_init__(self) -> None:
        _check(0 < self.at < 1, f"at must lie in (0, 1), got {self.at}")
        for part in (self.first, self.second):
            is_drawn = isinstance(part, Mixture) and part.deal == "draw"
            _check(not is_drawn, "a mixture inside then is dealt by quota: its deal cannot be draw")
        widest = 2 * min(self.at, 1 - self.at)
        _check(0 <= self.anneal <= widest, f"anneal must lie in [0, {widest:g}], got {self.anneal}")

    def flow(self, pool: Pool) -> Flow:
        """Blend the two flows, each over its own progress."""
        start, width = self.at - self.anneal / 2, self.anneal

        def weight(progress: float) -> float:
            if width == 0:
                return float(progress >= self.at)
            return float(np.clip((progress - start) / width, 0.0, 1.0))

        first = _stretched(self.first.flow(pool), 0.0, start + width)
        second = _stretched(self.second.flow(pool), start, 1.0)
        return blend(first, second, weight)

    def stages(self, pool: Pool) -> list[Stage]:
        """Give the stages of both, the switch marked."""
        start, width = self.at - self.anneal / 2, self.anneal
        before = [
            dataclasses.replace(stage, start=stage.start * (start + width))
            for stage in self.first.stages(pool)
        ]
        after = [
            dataclasses.replace(stage, start=start + stage.start * (1 - start))
            for stage in self.second.stages(pool)
        ]
        after[0] = dataclasses.replace(after[0], start=self.at, is_switch=True)
        kept = [stage for stage in before if stage.start < self.at]
        return kept + [stage for stage in after if stage.start >= self.at]


Schedule = Uniform | Alpha | Stratified | Mixture | Tpc | Ads | Then
KINDS: Mapping[str, type[Any]] = {
    "uniform": Uniform,
    "alpha": Alpha,
    "stratified": Stratified,
    "mixture": Mixture,
    "tpc": Tpc,
    "ads": Ads,
    "then": Then,
}


def schedule_from_table(table: object) -> Schedule:
    """Turn a table of a recipe into a schedule.

    Args:
        table: Settings with a `kind`, nested for `then`; a schedule is given back as it is.

    Raises:
        ValueError: If the kind or a key is unknown, or a value does not fit.

    Examples:
        >>> schedule_from_table({"kind": "alpha", "alpha": 0.3})
        Alpha(kind='alpha', alpha=0.3)
    """
    if isinstance(table, Schedule):
        return table
    if not isinstance(table, Mapping) or "kind" not in table:
        raise ValueError(f"a schedule is a table with a kind, one of {', '.join(KINDS)}")
    values = {str(key): value for key, value in table.items() if key != "kind"}
    found = KINDS.get(str(table["kind"]))
    if found is None:
        raise ValueError(f"unknown kind {table['kind']!r}, {_near(str(table['kind']), KINDS)}")
    fields = {field.name: field for field in dataclasses.fields(found) if field.name != "kind"}
    for key in values:
        if key not in fields:
            raise ValueError(f"unknown key {key!r} of {table['kind']}, {_near(key, fields)}")
    for key, value in values.items():
        if key in ("first", "second"):
            values[key] = schedule_from_table(value)
        elif isinstance(value, list):
            values[key] = tuple(tuple(v) if isinstance(v, list) else v for v in value)
    try:
        schedule: Schedule = found(**values)
    except TypeError as error:
        raise ValueError(f"{table['kind']}: {error}") from error
    return schedule


def schedule_as_table(schedule: Schedule) -> dict[str, Any]:
    """Give a schedule as plain values that `schedule_from_table` reads back equal.

    Examples:
        >>> schedule_as_table(Then(Tpc(), Ads()))["second"]
        {'kind': 'ads'}
    """
    table: dict[str, Any] = {"kind": schedule.kind}
    for field in dataclasses.fields(schedule):
        value = getattr(schedule, field.name)
        if isinstance(value, Schedule):
            table[field.name] = schedule_as_table(value)
        elif isinstance(value, tuple):
            table[field.name] = [list(v) if isinstance(v, tuple) else v for v in value]
        else:
            table[field.name] = value
    return table


def _stretched(flow: Flow, start: float, end: float) -> Flow:
    """Run a flow's whole progress between two points of another."""

    def own(progress: float) -> float:
        return float(np.clip((progress - start) / (end - start), 0.0, 1.0))

    return Flow(
        flow.axes,
        lambda cells, progress: flow.rule(cells, own(progress)),
        lambda progress: flow.key(own(progress)),
    )


def _present(pool: Pool, axes: Sequence[str]) -> tuple[str, ...]:
    return tuple(axis for axis in axes if axis in pool.names)


def _check(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    _check(value in choices, f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _near(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
