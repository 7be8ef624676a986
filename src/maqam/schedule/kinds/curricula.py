"""Schedules that go from one thing to the next: through tasks, or from easy to hard."""

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.flow import Flow, examples
from maqam.schedule.kinds.base import Stage, check, check_choice
from maqam.schedule.pool import Bins, Cells, Pool


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

    kind: Literal["tpc"] = field(default="tpc", init=False)
    groups: tuple[tuple[str, ...], ...] | None = None
    mode: Literal["hard", "cumulative", "soft"] = "hard"
    shares: tuple[float, ...] | None = None
    replay: float = 0.1

    def __post_init__(self) -> None:
        check_choice("mode", self.mode, ("hard", "cumulative", "soft"))
        check(0 < self.replay <= 1, f"replay must lie in (0, 1], got {self.replay}")
        if self.shares is not None:
            check(min(self.shares, default=0) > 0, f"shares must be positive, got {self.shares}")
            num_groups = len(self.groups) if self.groups is not None else len(self.shares)
            check(len(self.shares) == num_groups, "shares must be as many as groups")

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the flow in which a stage's tasks have equal shares in its window."""
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
        """Return a stage for each group of tasks."""
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
        strange = [name for name in present if name not in pool.levels]
        if strange:
            raise ScheduleError(
                f"no stage is known for task {' or '.join(map(repr, strange))}",
                where="schedule.groups",
                hint="name the tasks of every stage: groups: [[asr], [did, ser]]",
            )
        levels = sorted({pool.levels[name] for name in present})
        return tuple(
            tuple(name for name in present if pool.levels[name] == level) for level in levels
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
        """Return the weight of each stage at a progress in [0, 1]."""
        num_stages = len(borders) - 1
        if self.mode == "soft":
            centres = (borders[:-1] + borders[1:]) / 2
            return [float(np.interp(progress, centres, row)) for row in np.eye(num_stages)]
        current = min(int(np.searchsorted(borders, progress, side="right")) - 1, num_stages - 1)
        past = self.replay if self.mode == "cumulative" else 0.0
        return [1.0 if j == current else past if j < current else 0.0 for j in range(num_stages)]


@dataclass(frozen=True, slots=True)
class Curriculum:
    """Utterances from easy to hard by a measure, such as seconds from short to long.

    At progress t the easiest c(t) of the utterances are dealt alike, where
    c(t) = min(1, (t / until (1 - start^power) + start^power)^(1 / power)): Platanios et al.,
    *NAACL* 2019 (arXiv 1903.09848), equation 7; a power of 1 is linear, 2 their root.
    Utterances are ranked in bins of equally many, so that none is dealt again while others of
    its bin wait.

    Attributes:
        by: Measure of the pool; low is easy.
        reverse: From hard to easy instead.
        start: Share of the utterances that the first step deals from.
        until: Progress at which all of them are dealt from.
        power: How fast the share grows early on.
        within: Column within whose groups utterances are ranked, such as "task", so that no
            group is easier than another; null ranks all together.
        num_bins: Bins of the ranking.
    """

    kind: Literal["curriculum"] = field(default="curriculum", init=False)
    by: str = "seconds"
    reverse: bool = False
    start: float = 0.01
    until: float = 0.5
    power: float = 2.0
    within: str | None = None
    num_bins: int = 64

    def __post_init__(self) -> None:
        check(0 < self.start <= 1, f"start must lie in (0, 1], got {self.start}")
        check(0 < self.until <= 1, f"until must lie in (0, 1], got {self.until}")
        check(self.power > 0, f"power must be above 0, got {self.power}")
        check(self.num_bins >= 2, f"num_bins must be at least 2, got {self.num_bins}")

    def competence(self, progress: float) -> float:
        """Return the share of the utterances that are dealt at a progress in [0, 1].

        Examples:
            >>> Curriculum(start=0.1, until=0.5, power=1.0).competence(0.25)
            0.55
        """
        first = self.start**self.power
        grown = min(progress / self.until, 1.0) * (1 - first) + first
        return float(min(1.0, grown ** (1 / self.power)))

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the utterances of the bins within reach the same share."""
        axis = str(Bins(self.by, self.num_bins, self.within))

        def rule(cells: Cells, progress: float) -> np.ndarray:
            codes = cells.codes[axis]
            place = codes.max() - codes if self.reverse else codes
            reach = self.competence(progress) * self.num_bins
            return cells.costs * np.clip(reach - place, 0.0, 1.0)

        return Flow((self.within, axis) if self.within else (axis,), rule, self.competence)

    def stages(self, pool: Pool) -> list[Stage]:
        """Return the stretch in which the reach grows, and the one in which all are dealt."""
        order = "hard to easy" if self.reverse else "easy to hard"
        growing = Stage(0.0, f"{self.by}, {order}")
        return [growing, Stage(self.until, "all")] if self.until < 1 else [growing]
