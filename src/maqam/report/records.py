"""Run folders and study folders as values: the only reader of what a run leaves on disk.

A run that was killed is a run too: it reads with the state "unfinished", and what it has is shown.
Only a file that contradicts itself (half a JSON, a newer format) is refused.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow.parquet as parquet

from maqam.errors import RunError
from maqam.report.curves import Steps, steps_from_records
from maqam.schedule import Plan, load_plan

Row = TypeVar("Row")
Value = TypeVar("Value")

FORMAT_VERSION = 1
ALL = "all"
_SEEDED = re.compile(r"(?P<method>.+)-seed(?P<seed>\d+)")
_RETRAIN = "resume the run, or train it anew"
_RESCORE = "score the run again: maqam eval"


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
    """

    split: str
    profile: str
    is_synthetic: bool
    scores: tuple[Score, ...]
    confusions: Mapping[str, Confusion]


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
        path = self.folder / "eval" / split / "hypotheses.parquet"
        try:
            columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
        except (OSError, ValueError) as error:
            raise RunError(
                f"the hypotheses cannot be read: {error}", where=str(path), hint=_RESCORE
            ) from error
        return columns


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
    """

    name: str
    baseline: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    runs: tuple[Run, ...]
    missing: tuple[str, ...]
    comparison: tuple[Compared, ...]
    is_synthetic: bool

    def runs_of(self, method: str) -> list[Run]:
        """Give the runs of one method, by seed."""
        return [run for run in self.runs if run.method == method]


def read_run(folder: Path) -> Run:
    """Read one run folder, finished or not.

    Raises:
        RunError: If the folder holds no run, or one of its files is broken or of a newer format.
    """
    facts = read_table(folder / "run.json", _RETRAIN)
    name = str(facts.get("name", folder.name))
    seeded = _SEEDED.fullmatch(name)
    is_finished = facts.get("state") == "finished"
    recipe = folder / "recipe.yaml"
    splits = sorted(path.parent for path in folder.glob("eval/*/scores.json"))
    return Run(
        folder=folder,
        name=name,
        method=seeded["method"] if seeded else name,
        seed=int(facts["seed"] if "seed" in facts else seeded["seed"] if seeded else 0),
        is_finished=is_finished,
        facts=facts,
        recipe=recipe.read_text(encoding="utf-8") if recipe.exists() else "",
        plan=load_plan(folder / "plan") if (folder / "plan" / "plan.json").exists() else None,
        steps=_read_steps(folder / "train.jsonl", is_finished=is_finished),
        evaluations={split.name: _read_evaluation(split) for split in splits},
    )


def read_study(folder: Path) -> StudyRecord:
    """Read a study folder, with the runs it has so far.

    Raises:
        RunError: If the folder holds no study, no run of it exists, or a file is broken.
    """
    facts = read_table(folder / "study.json", "run the study again: maqam study")
    methods, seeds = _built(
        lambda: (tuple(map(str, facts["methods"])), tuple(map(int, facts["seeds"]))),
        folder / "study.json",
        "run the study again: maqam study",
    )
    names = {f"{method}-seed{seed}": method for seed in seeds for method in methods}
    folders = {name: folder / "runs" / name for name in names}
    begun = [name for name, run in folders.items() if (run / "run.json").exists()]
    if not begun:
        raise RunError(
            "the study has no run yet",
            where=str(folder / "runs"),
            hint="run the study: maqam study",
        )
    runs = tuple(read_run(folders[name]) for name in begun)
    comparison = folder / "comparison.json"
    return StudyRecord(
        name=str(facts.get("name", folder.name)),
        baseline=str(facts.get("baseline", methods[0])),
        methods=methods,
        seeds=seeds,
        runs=runs,
        missing=tuple(name for name in names if name not in begun),
        comparison=_read_comparison(comparison) if comparison.exists() else (),
        is_synthetic=bool(facts.get("synthetic")) or any(run.is_synthetic for run in runs),
    )


def read_any(folders: Sequence[Path]) -> StudyRecord:
    """Read one study folder, or run folders as a study without a comparison.

    Args:
        folders: One study folder, or run folders; the first run's method is the baseline.

    Raises:
        RunError: If a folder holds neither, or two folders hold a run of the same name.
    """
    if len(folders) == 1 and (folders[0] / "study.json").exists():
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
    )


def _read_steps(path: Path, *, is_finished: bool) -> Steps:
    """Read the step records; the last line of a run still going may be half written."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    lines = text.splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            records.append({**record, "step": int(record["step"])})
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines) and not is_finished:
                break
            raise RunError(
                "the record of a step is half written", where=f"{path}:{number}", hint=_RETRAIN
            ) from error
    return steps_from_records(records)


def _read_evaluation(folder: Path) -> SplitScores:
    path = folder / "scores.json"
    content = read_table(path, _RESCORE)

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
        )

    return _built(build, path, _RESCORE)


def _read_comparison(path: Path) -> tuple[Compared, ...]:
    content = read_table(path, "compare the runs again: maqam compare")
    return _built(
        lambda: tuple(_picked(Compared, row) for row in content["rows"]),
        path,
        "compare the runs again: maqam compare",
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


def read_table(path: Path, hint: str) -> dict[str, Any]:
    """Read a JSON table of a format we know; `hint` says what to do where it is broken.

    Raises:
        RunError: If there is none, or it is broken or of another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(
            f"there is no {path.name}",
            where=str(path.parent),
            hint="give the folder of a run or of a study",
        ) from error
    except ValueError as error:
        raise RunError("half written: not JSON", where=str(path), hint=hint) from error
    if not isinstance(content, dict):
        raise RunError("not a JSON table", where=str(path), hint=hint)
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise RunError(
            f"format version {version!r} is not {FORMAT_VERSION}",
            where=str(path),
            hint="read it with the version of maqam that wrote it",
        )
    return content
