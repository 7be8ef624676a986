"""Schedules that decide while a run trains: task shares by a reward, and the moment of a switch."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from maqam.errors import ScheduleError
from maqam.schedule.adaptive.mirror import mirror
from maqam.schedule.adaptive.protocol import Decision, Observation, group_shares
from maqam.schedule.adaptive.rewards import METHODS, RewardInputs
from maqam.schedule.adaptive.switching import is_time
from maqam.schedule.flow import Flow, blend
from maqam.schedule.kinds.base import OneStage, Schedule, Stage, check, check_choice
from maqam.schedule.kinds.compose import Then, check_dealt_by_quota, ramp, stretched
from maqam.schedule.kinds.mixtures import Uniform
from maqam.schedule.pool import Cells, Pool
from maqam.schedule.switch import Switch


@dataclass(frozen=True, slots=True)
class AdaptiveMixture(OneStage):
    """Task shares that follow a reward, by mirror descent on a fixed clock.

    A decision is taken every `every` steps and rules the window after the next. The first two
    windows have the shares of the base.

    Attributes:
        reward: "exp3", "doremi", "ado", "skill_it", "doge", "progress" or "alignment".
        base: What is dealt within tasks, and the prior of their shares.
        every: Steps between decisions.
        rate: Factor on the reward; the method's own when null. 0 keeps the prior and records
            what the method would be told.
        pull: Part of the prior in the point moved from, in [0, 1]; the method's own when null.
        floor: Part spread evenly over the tasks, in [0, 1]; the method's own when null.
        probe_split: Split the model is probed on; never trained on.
        probe_size: Probed utterances of each task.
        reference: Loss of a target token of each task under a reference model, for "doremi".
        graph: How much training on a task teaches another, for "skill_it".
    """

    stage_name: ClassVar[str] = "adaptive, {0.reward}"
    reward: str
    kind: Literal["adaptive"] = field(default="adaptive", init=False)
    base: Schedule = field(default_factory=Uniform)
    every: int = 100
    rate: float | None = None
    pull: float | None = None
    floor: float | None = None
    probe_split: str = "dev"
    probe_size: int = 32
    reference: Mapping[str, float] = field(default_factory=dict)
    graph: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("reward", self.reward, tuple(METHODS))
        check_clock(self.every, self.probe_size)
        check_dealt_by_quota(self.base)
        check(self.rate is None or self.rate >= 0, f"rate must be >= 0, got {self.rate}")
        for name in ("pull", "floor"):
            value = getattr(self, name)
            fits = value is None or 0 <= value <= 1
            check(fits, f"{name} must lie in [0, 1], got {value}")
        needed = self.reward == "doremi"
        check(bool(self.reference) == needed, 'reward "doremi", and it alone, needs a reference')

    @property
    def needs(self) -> frozenset[str]:
        """What it must be told beside training losses."""
        return METHODS[self.reward].needs

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return the base's shares, tasks balanced first."""
        base = self.base.flow(pool, budget)
        return dataclasses.replace(base, axes=tuple(dict.fromkeys(("task", *base.axes))))

    def prior(self, flow: Flow, cells: Cells) -> Mapping[str, float]:
        """Return the base's share of each task."""
        return group_shares(flow, cells, "task")

    def decide(
        self,
        history: Sequence[Observation],
        decisions: Sequence[Decision],
        steps: int,
        prior: Mapping[str, float],
    ) -> Decision:
        """Move the shares by the reward of what was observed."""
        names = tuple(sorted(prior))
        start = np.array([prior[name] for name in names])
        past = np.array(
            [start, *(np.array([one.shares[name] for name in names]) for one in decisions)]
        )
        update = METHODS[self.reward].update(
            RewardInputs(names, history, start, self.reference, self.graph)
        )
        own = {name: getattr(self, name) for name in ("rate", "pull", "floor")}
        update = dataclasses.replace(
            update, **{name: value for name, value in own.items() if value is not None}
        )
        shares = mirror(past[-1], update)
        shares = update.inertia * past.mean(axis=0) + (1 - update.inertia) * shares
        step = history[-1].step
        return Decision(
            step=step,
            begins=step + self.every,
            shares=dict(zip(names, shares.tolist(), strict=True)),
            inputs={"reward": dict(zip(names, np.asarray(update.reward).tolist(), strict=True))},
        )

    def flow_after(
        self, pool: Pool, budget: float, decisions: Sequence[Decision], steps: int
    ) -> Flow:
        """Return the base with the task shares decided last."""
        flow = self.flow(pool, budget)
        if not decisions:
            return flow
        decided = decisions[-1].shares

        def weights(names: tuple[str, ...], progress: float) -> np.ndarray:
            return np.array([decided[name] for name in names])

        return dataclasses.replace(flow.by("task", weights=weights), key=flow.key)

    def switches(self, decisions: Sequence[Decision], steps: int) -> Mapping[int, Switch]:
        """Return no stage."""
        return {}

    def stages_after(self, pool: Pool, decisions: Sequence[Decision], steps: int) -> list[Stage]:
        """Return the stage that it has without decisions, too."""
        return self.stages(pool)


@dataclass(frozen=True, slots=True)
class ThenAuto:
    """One schedule, then another as soon as little is left to gain from the first.

    The mean loss on the probes is what is gained; see `switching`. The first schedule's own
    progress runs to `at_most`, the fading included, and is cut off where the switch comes before.

    Attributes:
        first: Schedule before the switch.
        second: Schedule after it.
        at_least: Part of the budget before which there is no switch.
        at_most: Part of the budget at which it comes at the latest.
        anneal: Part of the budget over which the second fades in, from the switch on.
        threshold: Largest part of the gain so far that may be left at the switch.
        every: Steps between decisions.
        probe_split: Split the model is probed on; never trained on.
        probe_size: Probed utterances of each task.
        dip: How the learning rate dips at the switch (see `Switch`).
        dip_steps: Steps of a linear dip.
        beta2: AdamW's beta2 from the switch on; null keeps it.
    """

    first: Schedule
    second: Schedule
    kind: Literal["then_auto"] = field(default="then_auto", init=False)
    at_least: float = 0.15
    at_most: float = 0.75
    anneal: float = 0.0
    threshold: float = 0.1
    every: int = 100
    probe_split: str = "dev"
    probe_size: int = 32
    dip: Literal["none", "adam", "linear"] = "none"
    dip_steps: int = 100
    beta2: float | None = None

    def __post_init__(self) -> None:
        ordered = 0 < self.at_least <= self.at_most < 1
        check(ordered, f"0 < at_least <= at_most < 1 must hold: {self.at_least}, {self.at_most}")
        check(self.threshold > 0, f"threshold must be above 0, got {self.threshold}")
        check_clock(self.every, self.probe_size)
        widest = 1 - self.at_most
        check(0 <= self.anneal <= widest, f"anneal must lie in [0, {widest:g}], got {self.anneal}")
        given = {name: getattr(self, name) for name in ("dip", "dip_steps", "beta2")}
        Then(self.first, self.second, **given)  # checks the parts and the switch

    @property
    def needs(self) -> frozenset[str]:
        """What it must be told beside training losses."""
        return frozenset({"probes"})

    def flow(self, pool: Pool, budget: float) -> Flow:
        """Return both flows in one, the switch at the latest moment."""
        return self._flow_at(pool, budget, self.at_most)

    def stages(self, pool: Pool) -> list[Stage]:
        """Return the stages with the switch at the latest moment."""
        return self._stages_at(pool, self.at_most)

    def prior(self, flow: Flow, cells: Cells) -> Mapping[str, float]:
        """Return the share of each task at the start."""
        return {}

    def decide(
        self,
        history: Sequence[Observation],
        decisions: Sequence[Decision],
        steps: int,
        prior: Mapping[str, float],
    ) -> Decision:
        """Decide whether the second schedule takes over with the window that is dealt next."""
        step = history[-1].step
        begins = step + self.every
        switched_at = decisions[-1].switched_at if decisions else None
        mean_losses = [float(np.mean(list(one.probe_losses.values()))) for one in history]
        taken = [one.step for one in history]
        ready, fit = is_time(taken, mean_losses, steps, self.threshold)
        late = begins + self.every > self.at_most * steps
        if switched_at is None and (late or (ready and begins >= self.at_least * steps)):
            switched_at = begins
        inputs = {"loss": mean_losses[-1], **(dataclasses.asdict(fit) if fit else {})}
        return Decision(step=step, begins=begins, switched_at=switched_at, inputs=inputs)

    def flow_after(
        self, pool: Pool, budget: float, decisions: Sequence[Decision], steps: int
    ) -> Flow:
        """Return the flow before the switch, or after it.

        Raises:
            ScheduleError: If the first decision comes too late for a switch.
        """
        if 2 * self.every > self.at_most * steps:
            raise ScheduleError(
                f"a decision every {self.every} steps rules from step {2 * self.every} on, too "
                f"late for a switch by {self.at_most:g} of {steps} steps",
                where="schedule.every",
                hint=f"decide every {max(int(self.at_most * steps / 4), 1)} steps",
            )
        return self._flow_at(pool, budget, self._at(decisions, steps))

    def stages_after(self, pool: Pool, decisions: Sequence[Decision], steps: int) -> list[Stage]:
        """Return the first's stages as far as they came, then those of the second."""
        return self._stages_at(pool, self._at(decisions, steps))

    def switches(self, decisions: Sequence[Decision], steps: int) -> Mapping[int, Switch]:
        """Return the switch, once it is decided."""
        switched_at = decisions[-1].switched_at if decisions else None
        if switched_at is None:
            return {}
        return {switched_at: Switch(self.dip, self.dip_steps, self.beta2)}

    def _at(self, decisions: Sequence[Decision], steps: int) -> float:
        switched_at = decisions[-1].switched_at if decisions else None
        return self.at_most if switched_at is None else switched_at / steps

    def _flow_at(self, pool: Pool, budget: float, at: float) -> Flow:
        """Return both flows in one, the second fading in from a point on."""
        first = self.first.flow(pool, budget * self.at_most)
        second = self.second.flow(pool, budget * (1 - at))
        return blend(
            stretched(first, 0.0, self.at_most + self.anneal),
            stretched(second, at, 1.0),
            ramp(at, self.anneal),
        )

    def _stages_at(self, pool: Pool, at: float) -> list[Stage]:
        before = [
            dataclasses.replace(stage, start=stage.start * (self.at_most + self.anneal))
            for stage in self.first.stages(pool)
        ]
        after = [
            dataclasses.replace(stage, start=at + stage.start * (1 - at))
            for stage in self.second.stages(pool)
        ]
        after[0] = dataclasses.replace(
            after[0], switch=Switch(self.dip, self.dip_steps, self.beta2)
        )
        return [stage for stage in before if stage.start < at] + after


def check_clock(every: int, probe_size: int) -> None:
    """Refuse a clock that does not tick, and probes of nothing.

    Raises:
        ValueError: If either is too small.
    """
    check(every >= 2, f"every must be at least 2 steps, got {every}")
    check(probe_size >= 1, f"probe_size must be at least 1, got {probe_size}")
