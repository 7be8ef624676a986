"""Run folders and study folders as values.

A run that was killed is a run too: it reads with the state "unfinished", and what it has is shown.
Only a file that contradicts itself (half a JSON, a newer format) is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from maqam.errors import RunError
from maqam.evaluate.hypotheses import read_hypotheses
from maqam.run_layout import (
    RECOMPARE,
    RESCORE,
    EvaluationLayout,
    RunLayout,
    StudyLayout,
    method_and_seed,
    run_name,
)
from maqam.schedule import Plan, load_plan
from maqam.tasks import Tasks, tasks_in
from maqam.train.observers.steps import Steps, steps_from_records

Row = TypeVar("Row")
Value = TypeVar("Value")

ALL = "all"


@dataclass(frozen=True, slots=True)
class Score:
    """One number of one run, as in scores.json.

    Attributes:
        task: Task that was scored.
        metric: Name of the metric, such as "wer".
        group: "all", or one group of the split such as "dialect=egyptian".
        value: The number; None where it is undefined.
        low: Lower end of the 95 % interval.
        high: Upper end of the 95 % interval.
        num_utterances: Utterances behind the number.
        num_units: Reference units behind it, such as words.
        higher_is_better: Direction of the metric; None where neither is better.
        profile: Normalisation it was computed under; None where none applies.
    """

    task: str
    metric: str
    group: str
    value: float | None
    low: float | None
    high: float | None
    num_utterances: int
    num_units: int
    higher_is_better: bool | None
    profile: str | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often each gold label was answered with each label.

    Attributes:
        labels: Names of rows and columns.
        counts: (num_labels, num_labels) int64, gold by predicted.
    """

    labels: tuple[str, ...]
    counts: np.ndarray


@dataclass(frozen=True, slots=True)
class SplitScores:
    """The scores of one run on one split.

    Attributes:
        split: Name of the split.
        profile: Normalisation of the main scores.
        is_synthetic: Whether the split holds synthetic speech.
        scores: Every number, in file order.
        confusions: By task.
        left_out: Rows that the model does not take, by task and reason.
    """

    split: str
    profile: str
    is_synthetic: bool
    scores: tuple[Score, ...]
    confusions: Mapping[str, Confusion]
    left_out: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Run:
    """What one run folder holds.

    Attributes:
        folder: The run folder.
        name: Name of the run.
        method: Name of what is compared: the run's name without its seed.
        seed: Seed of the run.
        is_finished: Whether the training came to its end.
        facts: The whole of run.json.
        recipe: Resolved recipe, YAML text; empty if it is missing.
        tasks: Tasks it was trained and scored with.
        plan: The plan the run follows; None if it is missing.
        steps: What was logged of the steps taken so far.
        evaluations: By split.
    """

    folder: Path
    name: str
    method: str
    seed: int
    is_finished: bool
    facts: Mapping[str, Any]
    recipe: str
    tasks: Tasks
    plan: Plan | None
    steps: Steps
    evaluations: Mapping[str, SplitScores]

    @property
    def is_synthetic(self) -> bool:
        """Whether the run was trained or scored on synthetic speech."""
        scored = any(evaluation.is_synthetic for evaluation in self.evaluations.values())
        return scored or bool(self.facts.get("synthetic"))

    @cached_property
    def state(self) -> str:
        """What became of the run, in words."""
        if self.is_finished:
            return "finished and scored" if self.evaluations else "finished, not scored"
        total = f" of {self.plan.num_steps}" if self.plan is not None else ""
        return f"unfinished: {self.steps.num_steps}{total} steps"

    def hypotheses(self, split: str) -> dict[str, list[Any]]:
        """Read what the run answered on a split, by column.

        Raises:
            RunError: If there is no readable hypotheses.parquet.
        """
        return read_hypotheses(RunLayout(self.folder).evaluation(split).folder)


@dataclass(frozen=True, slots=True)
class Compared:
    """One method against the baseline on one metric, as in comparison.json.

    Attributes:
        task: Task that was scored.
        metric: Name of the metric.
        group: "all", or one group of the split.
        method: The method.
        num_seeds: Seeds it was trained with.
        mean: Mean over the seeds.
        low: Lower end of the 95 % interval of the mean.
        high: Upper end of the 95 % interval of the mean.
        difference: Method minus baseline over paired seeds.
        difference_low: Lower end of its 95 % interval.
        difference_high: Upper end of its 95 % interval.
        p_value: Of no difference.
        verdict: "better", "worse", "no difference shown" or "one seed: no verdict".
    """

    task: str
    metric: str
    group: str
    method: str
    num_seeds: int
    mean: float | None
    low: float | None
    high: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    p_value: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """Runs that are shown side by side.

    Attributes:
        name: Title of the study.
        baseline: Method the others are compared with.
        methods: In the order of the study.
        seeds: Seeds every method is run with.
        runs: Those whose folder exists.
        missing: Names of the runs that have no folder yet.
        comparison: Methods against the baseline; empty if they were not compared.
        is_synthetic: Whether any run was trained or scored on synthetic speech.
        start: What the model of all runs answered before training, by split.
    """

    name: str
    baseline: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    runs: tuple[Run, ...]
    missing: tuple[str, ...]
    comparison: tuple[Compared, ...]
    is_synthetic: bool
    start: Mapping[str, SplitScores] = field(default_factory=dict)

    @property
    def tasks(self) -> Tasks:
        """The tasks of all its runs, in their order."""
        return {name: task for run in self.runs for name, task in run.tasks.items()}

    def runs_of(self, method: str) -> list[Run]:
        """Return the runs of one method, by seed."""
        return [run for run in self.runs if run.method == method]


def read_run(folder: Path) -> Run:
    """Read one run folder, finished or not.

    Raises:
        RunError: If the folder holds no run, or one of its files is broken or of a newer format.
    """
    files = RunLayout(folder)
    facts = files.read_record()
    name = facts.get("name", folder.name)
    method, seed = method_and_seed(name)
    return Run(
        folder=folder,
        name=name,
        method=method,
        seed=facts.get("seed", seed or 0),
        is_finished=facts.get("state") == "finished",
        facts=facts,
        recipe=files.recipe.read_text(encoding="utf-8") if files.recipe.exists() else "",
        tasks=tasks_in(folder),
        plan=load_plan(files.plan.folder) if files.plan.is_there else None,
        steps=steps_from_records(list(files.read_steps())),
        evaluations=_read_evaluations(files),
    )


def read_study(folder: Path) -> StudyRecord:
    """Read a study folder, with the runs it has so far.

    Raises:
        RunError: If the folder holds no study, no run of it exists, or a file is broken.
    """
    files = StudyLayout(folder)
    facts = files.read_record()
    planned = {run_name(m, s): files.run(m, s) for s in facts["seeds"] for m in facts["methods"]}
    begun = {name: run for name, run in planned.items() if run.record.exists()}
    if not begun:
        raise RunError(
            "the study has no run yet", where=str(files.runs), hint="run the study: maqam study"
        )
    runs = tuple(read_run(run.folder) for run in begun.values())
    return StudyRecord(
        name=facts["name"],
        baseline=facts["baseline"],
        methods=tuple(facts["methods"]),
        seeds=tuple(facts["seeds"]),
        runs=runs,
        missing=tuple(name for name in planned if name not in begun),
        comparison=_read_comparison(files) if files.comparison.exists() else (),
        is_synthetic=facts["synthetic"] or any(run.is_synthetic for run in runs),
        start=_read_evaluations(RunLayout(folder).start),
    )


def read_any(folders: Sequence[Path]) -> StudyRecord:
    """Read one study folder, or run folders as a study without a comparison.

    Args:
        folders: One study folder, or run folders; the first run's method is the baseline.

    Raises:
        RunError: If a folder holds neither, or two folders hold a run of the same name.
    """
    if len(folders) == 1 and StudyLayout(folders[0]).is_there:
        return read_study(folders[0])
    if not folders:
        raise RunError("no run folder was given", hint="give run folders or one study folder")
    runs = tuple(read_run(folder) for folder in folders)
    names = [run.name for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RunError(
            f"two folders hold a run named {twice[0]!r}",
            where=", ".join(str(run.folder) for run in runs if run.name == twice[0]),
            hint="give each run once",
        )
    methods = tuple(dict.fromkeys(run.method for run in runs))
    return StudyRecord(
        name=names[0] if len(runs) == 1 else f"{len(runs)} runs",
        baseline=methods[0],
        methods=methods,
        seeds=tuple(sorted({run.seed for run in runs})),
        runs=runs,
        missing=(),
        comparison=(),
        is_synthetic=any(run.is_synthetic for run in runs),
        start=_read_evaluations(RunLayout(folders[0]).start) if len(runs) == 1 else {},
    )


def _read_evaluations(files: RunLayout) -> dict[str, SplitScores]:
    return {split: _read_evaluation(one) for split, one in files.evaluations().items()}


def _read_evaluation(files: EvaluationLayout) -> SplitScores:
    content = files.read_scores()

    def build() -> SplitScores:
        return SplitScores(
            split=str(content["split"]),
            profile=str(content["profile"]),
            is_synthetic=bool(content["synthetic"]),
            scores=tuple(_picked(Score, row) for row in content["scores"]),
            confusions={
                task: Confusion(tuple(map(str, one["labels"])), np.asarray(one["counts"], np.int64))
                for task, one in content["confusions"].items()
            },
            left_out=content.get("left_out", {}),
        )

    return _built(build, files.scores, RESCORE)


def _read_comparison(files: StudyLayout) -> tuple[Compared, ...]:
    content = files.read_comparison()
    return _built(
        lambda: tuple(_picked(Compared, row) for row in content["rows"]),
        files.comparison,
        RECOMPARE,
    )


def _picked(kind: type[Row], values: Mapping[str, Any]) -> Row:
    """Build a row from the fields it knows; others that a file may hold are left."""
    return kind(**{name: values[name] for name in kind.__dataclass_fields__})  # type: ignore[attr-defined]


def _built(build: Callable[[], Value], path: Path, hint: str) -> Value:
    try:
        return build()
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"a field is missing or of the wrong kind: {error}", where=str(path), hint=hint
        ) from error
