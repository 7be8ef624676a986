"""Decisions of an adaptive schedule: taken on a fixed clock, recorded with what they came from.

After every window the schedule is told the window's training losses and, where it asks for them,
losses and gradients on fixed probes. What it decides rules the window after the next, and is a
line of `decisions.jsonl`: a resumed run reads the lines up to its checkpoint and deals the same.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maqam.data.manifest import Manifest
from maqam.errors import RunError
from maqam.files import RESUME, lines_of, write_text, writing
from maqam.run_layout import RunLayout
from maqam.schedule.adaptive.protocol import Adaptive, Decision, Observation
from maqam.schedule.adaptive_plan import AdaptivePlan
from maqam.train.adaptive.probes import Probes
from maqam.train.objective import TrainingModel
from maqam.train.observers.observer import Observer, Training
from maqam.train.observers.telemetry import read_steps

_WHAT = "the record of decisions"


@dataclass(frozen=True, slots=True)
class AdaptiveTraining:
    """A plan that grows, and what its schedule must be told.

    Attributes:
        schedule: The schedule.
        plan: Its plan.
        probe_rows: Manifest rows of every task that the model is probed on.
    """

    schedule: Adaptive
    plan: AdaptivePlan
    probe_rows: Mapping[str, np.ndarray]


class Controller(Observer):
    """Tells an adaptive schedule how training goes, and lets its plan grow.

    Args:
        adaptive: The schedule and its plan, dealt for the first two windows.
        manifest: Where the rows are that the model is probed on.
        run_folder: Folder of the run.
    """

    def __init__(self, adaptive: AdaptiveTraining, manifest: Manifest, run_folder: Path) -> None:
        self._schedule, self._plan = adaptive.schedule, adaptive.plan
        self._probe_rows, self._manifest = adaptive.probe_rows, manifest
        self._probes: Probes | None = None
        self._run_folder, self._path = run_folder, RunLayout(run_folder).decisions
        self._writes = False
        self._history: list[Observation] = []
        self._sums: dict[str, float] = {}
        self._tokens: dict[str, int] = {}
        self._utterances: dict[str, int] = {}

    def on_begin(self, training: Training) -> None:
        """Make the probes a schedule asks for; take again the decisions up to a checkpoint.

        Raises:
            RunError: If the record of decisions cannot be read or written.
        """
        self._writes = training.is_first
        if self._schedule.needs:
            self._probes = Probes(
                training.batches.backbone,
                training.learner,
                self._manifest,
                self._probe_rows,
                training.batches.audio_states,
                training.batches.log_mels,
            )
        self._resume(training.first_step)

    def _resume(self, step: int) -> None:
        """Take again the decisions up to a checkpoint, and forget those after it."""
        kept = []
        if step and self._path.exists():
            lines = lines_of(self._path)
            kept = [line for line in lines if _read(line, self._path)["decision"]["step"] <= step]
        if self._writes:
            write_text(self._path, "".join(kept), _WHAT, hint=RESUME)
        for line in kept:
            table = _read(line, self._path)
            self._history.append(Observation(**table["observation"]))
            self._plan.grow(Decision(**table["decision"]))
        last = step - step % self._schedule.every
        for record in read_steps(self._run_folder, step):
            if record["step"] > last:
                self._add(record)

    def on_step(self, record: Mapping[str, Any], learner: TrainingModel) -> None:
        """Take the record of a step; decide where a window ends with it.

        Raises:
            RunError: If the decision cannot be written.
        """
        self._add(record)
        step = int(record["step"])
        if step % self._schedule.every or self._plan.num_dealt >= self._plan.num_steps:
            return
        observation = self._observe(step)
        self._history.append(observation)
        decision = self._schedule.decide(
            self._history, self._plan.decisions, self._plan.num_steps, self._plan.prior
        )
        if self._writes:
            self._append({"decision": decision.as_table(), "observation": observation.as_table()})
        self._plan.grow(decision)

    def _add(self, record: Mapping[str, Any]) -> None:
        for task, tokens in record["target_tokens_by_task"].items():
            self._sums[task] = self._sums.get(task, 0.0) + record["loss_by_task"][task] * tokens
            self._tokens[task] = self._tokens.get(task, 0) + tokens
        for task, utterances in record["utterances_by_task"].items():
            self._utterances[task] = self._utterances.get(task, 0) + utterances

    def _observe(self, step: int) -> Observation:
        """Return what the window was like, and begin the next."""
        needs, probes = self._schedule.needs, self._probes
        observation = Observation(
            step=step,
            losses={task: self._sums[task] / self._tokens[task] for task in sorted(self._tokens)},
            tokens=dict(sorted(self._tokens.items())),
            utterances=dict(sorted(self._utterances.items())),
            probe_losses=probes.losses() if probes and "probes" in needs else {},
            gradient_products=(
                probes.gradient_products() if probes and "gradients" in needs else {}
            ),
        )
        self._sums, self._tokens, self._utterances = {}, {}, {}
        return observation

    def _append(self, table: Mapping[str, Any]) -> None:
        with (
            writing(self._path, _WHAT, hint=RESUME),
            self._path.open("a", encoding="utf-8") as file,
        ):
            file.write(json.dumps(table, ensure_ascii=False) + "\n")


def _read(line: str, path: Path) -> dict[str, Any]:
    try:
        table: dict[str, Any] = json.loads(line)
        table["decision"]["step"], table["observation"]["step"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            "the record of decisions is damaged", where=str(path), hint="train the run anew"
        ) from error
    return table
