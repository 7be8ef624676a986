"""Schedules whose shares never change: by rows, by tasks, capped by epochs, stratified."""

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.flow import Flow, examples, nested, never_moves
from maqam.schedule.kinds.base import ADS_AXES, OneStage, Stage, check, check_choice
from maqam.schedule.pool import WEIGHT, Cells, Pool


@dataclass(frozen=True, slots=True)
class Uniform(OneStage):
    """One shuffled pass over all utterances, tasks as they come: the paper's baseline (SM)."""

    stage_name: ClassVar[str] = "uniform"
    kind: Literal["uniform"] = field(default="uniform", init=False)

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the flow in which every utterance has the same share."""
        return examples()


@dataclass(frozen=True, slots=True)
class Alpha:
    """Groups by a power of their size, such as tasks; utterances of a group alike.

    Attributes:
        alpha: Exponent on the group's size: 1 proportional, 0 equal groups; 0.5 when neither
            it nor a temperature is given.
        temperature: The same said the other way round: temperature T is alpha = 1 / T, as in
            T5 and mT5 (some toolkits mean size to the power T).
        axis: What groups are of.
    """

    kind: Literal["alpha"] = field(default="alpha", init=False)
    alpha: float | None = None
    temperature: float | None = None
    axis: str = "task"

    def __post_init__(self) -> None:
        both = self.alpha is not None and self.temperature is not None
        check(not both, "alpha and temperature say the same: give one of them")
        if self.temperature is not None:
            check(self.temperature >= 1, f"temperature must be >= 1, got {self.temperature}")
        check(0 <= self.exponent <= 1, f"alpha must lie in [0, 1], got {self.alpha}")

    @property
    def exponent(self) -> float:
        """The power of its size that a group gets.

        Examples:
            >>> Alpha(temperature=4.0).exponent
            0.25
        """
        if self.temperature is not None:
            return 1 / self.temperature
        return 0.5 if self.alpha is None else self.alpha

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the flow in which a group has its size to the power alpha."""
        return examples().by(self.axis, power=self.exponent)

    def stages(self, pool: Pool) -> list[Stage]:
        """Return the one stage there is, a temperature with the alpha it means."""
        name = f"alpha {self.exponent:.4g}"
        if self.temperature is not None:
            name = f"{name} (temperature {self.temperature:g})"
        return [Stage(0.0, name)]


@dataclass(frozen=True, slots=True)
class Unimax(OneStage):
    """Groups as equal as they can be without any being dealt more than some epochs.

    Source: Chung et al., UniMax, ICLR 2023 (arXiv 2304.09151), algorithm 1.

    Attributes:
        epochs: Most passes over a group that a plan may hold.
        axis: What groups are of.
    """

    stage_name: ClassVar[str] = "unimax, {0.epochs:g} epochs"
    kind: Literal["unimax"] = field(default="unimax", init=False)
    epochs: float = 4.0
    axis: str = "task"

    def __post_init__(self) -> None:
        check(self.epochs > 0, f"epochs must be above 0, got {self.epochs}")

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the flow of groups as equal as their caps allow, the smallest group first.

        Raises:
            ScheduleError: If corpora have weights: epochs count every utterance alike.
        """
        if WEIGHT in pool.columns:
            raise ScheduleError(
                "schedule unimax counts epochs and takes no weights of corpora",
                where="data.manifest",
                hint="leave weight out, or use a schedule such as uniform or alpha",
            )
        proportional = examples()

        def rule(cells: Cells, progress: float) -> np.ndarray:
            codes = cells.codes[self.axis]
            held = np.bincount(codes, weights=cells.costs, minlength=len(cells.names[self.axis]))
            shares = unimax_shares(held, budget, self.epochs)
            mass = proportional.mass(cells, progress)
            return mass / np.bincount(codes, weights=mass)[codes] * shares[codes]

        return Flow((self.axis,), rule, never_moves)


def unimax_shares(held: np.ndarray, budget: float, epochs: float) -> np.ndarray:
    """Return the share of each group by UniMax.

    Args:
        held: (num_groups,) utterances, seconds or tokens that each group holds.
        budget: What the plan deals in all, in the same unit.
        epochs: Most passes over a group.

    Returns:
        (num_groups,) float64 shares that sum to 1.

    Raises:
        ScheduleError: If the capped groups cannot fill the budget.

    Examples:
        >>> unimax_shares(np.array([100.0, 10.0]), budget=100, epochs=2).tolist()
        [0.8, 0.2]
    """
    if epochs * held.sum() < budget * (1 - 1e-9):
        raise ScheduleError(
            f"{epochs:g} epochs of the pool are {epochs * held.sum():.0f}, the plan deals "
            f"{budget:.0f}",
            where="schedule.epochs",
            hint="allow more epochs or take fewer steps",
        )
    dealt = np.zeros(len(held))
    left = float(budget)
    order = np.argsort(held, kind="stable")
    for place, group in enumerate(order):
        dealt[group] = min(left / (len(order) - place), epochs * held[group])
        left -= dealt[group]
    shares: np.ndarray = dealt / dealt.sum()
    return shares


@dataclass(frozen=True, slots=True)
class Stratified(OneStage):
    """Proportional shares of every group in every batch, dealt by quota, not by draw.

    Attributes:
        axes: What batches are balanced over, from the outermost; those of task, label and
            cluster that the pool has, when null.
    """

    stage_name: ClassVar[str] = "stratified"
    kind: Literal["stratified"] = field(default="stratified", init=False)
    axes: tuple[str, ...] | None = None

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the flow of equal utterances, balanced over the axes."""
        axes = self.axes or tuple(axis for axis in ADS_AXES if axis in pool.names)
        return dataclasses.replace(examples(), axes=axes)


@dataclass(frozen=True, slots=True)
class Mixture(OneStage):
    """One cell of the 2 x 2 that tells a shift of the mixture from diversity inside the batch.

    Attributes:
        mixture: "proportional" to the utterances, or "balanced" over task, label and cluster.
        deal: "draw" each utterance's cell independently, or by "quota".
    """

    stage_name: ClassVar[str] = "{0.mixture}, {0.deal}"
    kind: Literal["mixture"] = field(default="mixture", init=False)
    mixture: Literal["proportional", "balanced"] = "balanced"
    deal: Literal["draw", "quota"] = "quota"

    def __post_init__(self) -> None:
        check_choice("mixture", self.mixture, ("proportional", "balanced"))
        check_choice("deal", self.deal, ("draw", "quota"))

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the flow of proportional or balanced shares over the same cells."""
        if self.mixture == "proportional":
            return Stratified().flow(pool, budget)
        return nested(ADS_AXES)


@dataclass(frozen=True, slots=True)
class Ads:
    """Aligner-based diverse sampling: equal tasks, within them labels, within them clusters.

    Clusters are those of K-means on aligner embeddings; the nesting is our reading of the paper,
    which balances batches by task and label and goes round-robin over clusters.

    Attributes:
        axes: Columns, or bins of a measure such as "seconds/8", from the outermost.
        power: Exponent on the size of the groups of the last axis: 0 makes clusters equal, which
            repeats small ones most; 0.5 is a guard against that.
    """

    kind: Literal["ads"] = field(default="ads", init=False)
    axes: tuple[str, ...] = ADS_AXES
    power: float = 0.0

    def __post_init__(self) -> None:
        check(len(self.axes) > 0, "axes must name a column at least")
        check(0 <= self.power <= 1, f"power must lie in [0, 1], got {self.power}")

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the flow of equal shares down the axes."""
        return nested(self.axes, self.power)

    def stages(self, pool: Pool) -> list[Stage]:
        """Return the only stage, which is named by its axes where they are not the paper's."""
        return [Stage(0.0, "ads" if self.axes == ADS_AXES else f"ads over {' > '.join(self.axes)}")]
