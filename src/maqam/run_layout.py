"""Every file of a plan, an evaluation, a run and a study: what it is called and what it holds.

Nothing else in the house spells these names, so a file can be moved or renamed here alone. Tables
are read as typed dictionaries: a run that was killed lacks keys, and a later maqam may add some.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, cast

from maqam.errors import RunError
from maqam.files import lines_of, read_table, write_json

FORMAT_VERSION = 1  # of run.json and study.json
RECIPE = "recipe.yaml"
ADAPTER_WEIGHTS = "adapter_model.safetensors"  # as PEFT names them
LEFT_OUT = "left_out.jsonl"  # rows that the model does not take, beside a plan or scores
UNREADABLE = "unreadable.jsonl"  # rows whose audio ended a stage, beside the run's files
BEFORE_TRAINING = "before-training"
RETRAIN = "resume the run, or train it anew"
RESCORE = "score the run again: maqam eval"
RESTUDY = "run the study again: maqam study"
RECOMPARE = "compare the runs again: maqam compare"


class RunTable(TypedDict, total=False):
    """What `run.json` says of a run.

    Attributes:
        format_version: Of the table.
        name: Name of the run.
        schedule: Kind of its schedule.
        seed: Its seed.
        versions: Of Python and of the packages that compute a run.
        fingerprints: Of manifest, features, plan and weights.
        synthetic: Whether it trained on synthetic speech.
        trainable: Parameters by part, and how many of them train.
        state: "finished" when the training came to its end.
        identity: What must not change while the run is resumed.
        split: How its steps were last split over processes and forward passes.
        notes: What the user should know, a sentence each.
        about: What its model's card says of the training, by what it is.
    """

    format_version: int
    name: str
    schedule: str
    seed: int
    versions: dict[str, str]
    fingerprints: dict[str, str | None]
    synthetic: bool
    trainable: list[dict[str, Any]]
    state: Literal["running", "finished"]
    identity: dict[str, Any]
    split: dict[str, Any]
    notes: list[str]
    about: dict[str, str | dict[str, int]]


class StudyTable(TypedDict):
    """What `study.json` says of a study.

    Attributes:
        name: Title of the study.
        baseline: Method the others are compared with.
        seeds: Seeds every method is run with.
        methods: In the order of the study.
        synthetic: Whether the manifest holds synthetic speech.
    """

    name: str
    baseline: str
    seeds: list[int]
    methods: list[str]
    synthetic: bool


@dataclass(frozen=True, slots=True)
class PlanLayout:
    """Files of a plan, below its folder."""

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> "PlanLayout":
        """Return the files of a plan, from its own folder or from that of its run."""
        within = RunLayout(folder).plan
        return within if within.folder.is_dir() else cls(folder)

    @property
    def record(self) -> Path:
        """What the plan was made from, and the hash of its rows; written last."""
        return self.folder / "plan.json"

    @property
    def rows(self) -> Path:
        """Manifest rows, step after step."""
        return self.folder / "rows.npy"

    @property
    def offsets(self) -> Path:
        """Where each step begins in the rows."""
        return self.folder / "offsets.npy"

    @property
    def shares(self) -> Path:
        """Utterances of each group in each step."""
        return self.folder / "shares.npz"

    @property
    def recipe(self) -> Path:
        """Recipe the plan was made from."""
        return self.folder / RECIPE

    @property
    def is_there(self) -> bool:
        """Whether the folder holds a plan."""
        return self.record.exists()

    @property
    def run(self) -> "RunLayout | None":
        """The run that has begun to follow the plan; None where there is none."""
        run = RunLayout(self.folder.parent)
        return run if run.plan.folder == self.folder and run.record.exists() else None


@dataclass(frozen=True, slots=True)
class EvaluationLayout:
    """Files of one run on one split, below its folder."""

    folder: Path

    @property
    def hypotheses(self) -> Path:
        """What was decoded."""
        return self.folder / "hypotheses.parquet"

    @property
    def scores(self) -> Path:
        """Scores by the recipe of the run."""
        return self.folder / "scores.json"

    def scores_under(self, profile: str) -> Path:
        """Return the scores under another normalizer profile.

        Args:
            profile: Its name, or its path where it is the user's own.

        Examples:
            >>> EvaluationLayout(Path("test")).scores_under("own/profile.yaml").name
            'scores.own_profile.yaml.json'
        """
        plain = re.sub(r"[^\w.-]+", "_", profile).strip("_")
        return self.scores.with_name(f"scores.{plain}.json")

    @property
    def bertscore(self) -> Path:
        """BERTScore of the summaries."""
        return self.folder / "bertscore.json"

    def judgement(self, rival: str | None = None) -> Path:
        """Return what a judge said of the summaries, alone or against those of a rival run."""
        return self.folder / (f"judge.against.{rival}.json" if rival else "judge.json")

    def read_scores(self) -> dict[str, Any]:
        """Read the scores.

        Raises:
            RunError: If there are none, or the file is broken or of another format.
        """
        return read_table(self.scores, RESCORE)


@dataclass(frozen=True, slots=True)
class RunLayout:
    """Files of a run, below its folder."""

    folder: Path

    @property
    def record(self) -> Path:
        """The run's description of itself, a `RunTable`."""
        return self.folder / "run.json"

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.folder / RECIPE

    @property
    def plan(self) -> PlanLayout:
        """The plan it follows."""
        return PlanLayout(self.folder / "plan")

    @property
    def steps(self) -> Path:
        """One JSON line a step taken."""
        return self.folder / "train.jsonl"

    @property
    def decisions(self) -> Path:
        """One JSON line a decision of an adaptive schedule."""
        return self.folder / "decisions.jsonl"

    @property
    def conflicts(self) -> Path:
        """One JSON line a measure of the conflict between tasks."""
        return self.folder / "conflict.jsonl"

    @property
    def diagnosis(self) -> Path:
        """What was found of why the run went as it did."""
        return self.folder / "diagnosis.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints to resume from."""
        return self.folder / "checkpoints"

    @property
    def adapter(self) -> Path:
        """Folder of the adapters, after phase "tune"."""
        return self.folder / "adapter"

    @property
    def weights(self) -> Path:
        """Folder of the whole model, after phase "align" or a tuning of the whole LLM."""
        return self.folder / "weights"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's files."""
        return self.folder / "tensorboard"

    @property
    def judge_replies(self) -> Path:
        """Folder of the replies of a judge, kept so that no question is asked twice."""
        return self._evaluations / "judge-replies"

    @property
    def _evaluations(self) -> Path:
        return self.folder / "eval"

    def evaluation(self, split: str) -> EvaluationLayout:
        """Return the files of the run on a split."""
        return EvaluationLayout(self._evaluations / split)

    @property
    def start(self) -> "RunLayout":
        """What the model answered before training; beside a study's record, for all its runs."""
        return RunLayout(self.folder / BEFORE_TRAINING)

    def set_scores_apart(self, step: int) -> None:
        """Rename the evaluations of a run that trains on, which are of its model at a step."""
        if self._evaluations.is_dir():
            self._evaluations.rename(self.folder / f"eval-at-step-{step}")

    def evaluations(self) -> dict[str, EvaluationLayout]:
        """Return the evaluations that have scores, by split."""
        found = (EvaluationLayout(path) for path in sorted(self._evaluations.glob("*")))
        return {one.folder.name: one for one in found if one.scores.is_file()}

    def read_record(self) -> RunTable:
        """Read the run's description."""
        return cast(RunTable, read_table(self.record, RETRAIN))

    def add_to_record(self, values: Mapping[str, Any]) -> None:
        """Add values to the run's description, begun where there is none."""
        earlier = self.read_record() if self.record.exists() else {}
        content = {**earlier, "format_version": FORMAT_VERSION, **values}
        write_json(self.record, content, "the run's description")

    def read_steps(self) -> Iterator[dict[str, Any]]:
        """Read the record of every step taken, none where there is no step yet.

        The last line of a run that still goes on may be half written; it is left out.

        Raises:
            RunError: If a line is half written otherwise.
        """
        if not self.steps.is_file():
            return
        lines = lines_of(self.steps, errors="replace")
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                step = {**record, "step": int(record["step"])}
            except (ValueError, KeyError, TypeError) as error:
                if number == len(lines) and not self._is_finished():
                    return
                raise RunError(
                    "the record of a step is half written",
                    where=f"{self.steps}:{number}",
                    hint=RETRAIN,
                ) from error
            yield step

    def _is_finished(self) -> bool:
        return self.record.exists() and self.read_record().get("state") == "finished"


@dataclass(frozen=True, slots=True)
class StudyLayout:
    """Files of a study, below its folder."""

    folder: Path

    @property
    def record(self) -> Path:
        """What was studied, a `StudyTable`."""
        return self.folder / "study.json"

    @property
    def runs(self) -> Path:
        """Folder of the runs."""
        return self.folder / "runs"

    @property
    def comparison(self) -> Path:
        """Methods against the baseline."""
        return self.folder / "comparison.json"

    @property
    def overlap(self) -> Path:
        """What training and test data share."""
        return self.folder / "overlap.json"

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.folder / "report.html"

    @property
    def is_there(self) -> bool:
        """Whether the folder holds a study."""
        return self.record.is_file()

    def run(self, method: str, seed: int) -> RunLayout:
        """Return the files of the run of a method and a seed."""
        return RunLayout(self.runs / run_name(method, seed))

    def read_record(self) -> StudyTable:
        """Read what was studied.

        Raises:
            RunError: If there is no study, or the file is broken or of another format.
        """
        content = read_table(self.record, RESTUDY)
        try:
            return {
                "name": str(content.get("name", self.folder.name)),
                "baseline": str(content.get("baseline", content["methods"][0])),
                "seeds": [int(seed) for seed in content["seeds"]],
                "methods": [str(method) for method in content["methods"]],
                "synthetic": bool(content.get("synthetic")),
            }
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise RunError(
                f"a field is missing or of the wrong kind: {error}",
                where=str(self.record),
                hint=RESTUDY,
            ) from error

    def write_record(self, content: StudyTable) -> None:
        """Write what is studied."""
        write_json(self.record, {"format_version": FORMAT_VERSION, **content})

    def read_comparison(self) -> dict[str, Any]:
        """Read the methods against the baseline."""
        return read_table(self.comparison, RECOMPARE)


def run_name(method: str, seed: int) -> str:
    """Return the name of a run in a study.

    Examples:
        >>> run_name("ads", 2)
        'ads-seed2'
    """
    return f"{method}-seed{seed}"


def method_and_seed(name: str) -> tuple[str, int | None]:
    """Return the method and the seed that a run's name tells.

    Examples:
        >>> method_and_seed("ads-seed2"), method_and_seed("first try")
        (('ads', 2), ('first try', None))
    """
    found = re.fullmatch(r"(.+)-seed(\d+)", name)
    return (found[1], int(found[2])) if found else (name, None)
