"""What was measured, method by method, and what may be said of it.

A method is called better only where comparison.json says so, which it does from the interval of a
difference over paired seeds; with one seed nothing is called better.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from maqam.report.format import amount, headlines, metric_title, task_title, unit
from maqam.report.records import ALL, Compared, Score, SplitScores, StudyRecord
from maqam.seeding import text_id
from maqam.tasks import Tasks

BETTER, WORSE, NO_VERDICT = "better", "worse", "one seed: no verdict"


@dataclass(frozen=True, slots=True)
class Result:
    """One number of one method, over its seeds.

    Attributes:
        value: Mean over the seeds; None where it is undefined.
        low: Lower end of the 95 % interval; None where there is none.
        high: Upper end of the 95 % interval.
        num_seeds: Runs behind it.
        num_utterances: Utterances behind each run's number.
        profile: Normalisation; None where none applies.
        higher_is_better: Direction of the metric; None where no run says it.
        compared: How it stands against the baseline; None if it was not compared.
    """

    value: float | None
    low: float | None
    high: float | None
    num_seeds: int
    num_utterances: int
    profile: str | None
    higher_is_better: bool | None
    compared: Compared | None

    @property
    def verdict(self) -> str:
        """The verdict of the comparison, empty without one."""
        return self.compared.verdict if self.compared is not None else ""


@dataclass(frozen=True, slots=True)
class Board:
    """Every number of a study on one split.

    Attributes:
        split: The split; empty where no run was scored.
        profile: Normalisation of the main scores; empty where no run was scored.
        methods: Methods that have a number, in the order of the study.
        baseline: Method the others are compared with.
        results: By (task, metric, group), then by method; main normalisation only.
        is_compared: Whether the numbers come from a comparison.
        tasks: The tasks that there are.
        start: By (task, metric, group), the numbers of the model before training.
    """

    split: str
    profile: str
    methods: tuple[str, ...]
    baseline: str
    results: Mapping[tuple[str, str, str], Mapping[str, Result]]
    is_compared: bool
    tasks: Tasks
    start: Mapping[tuple[str, str, str], Result]

    @property
    def metrics(self) -> list[tuple[str, str]]:
        """The (task, metric) pairs that have a number over the whole split."""
        return [(task, metric) for task, metric, group in self.results if group == ALL]

    def get(self, task: str, metric: str, method: str, group: str = ALL) -> Result | None:
        """Return one number, None where it was not measured."""
        return self.results.get((task, metric, group), {}).get(method)

    def groups(self, task: str, metric: str) -> list[str]:
        """Return the groups inside the split that a metric was measured on."""
        return sorted(g for t, m, g in self.results if (t, m) == (task, metric) and g != ALL)


def evaluations(study: StudyRecord, split: str) -> dict[str, list[SplitScores]]:
    """Return what was scored on a split, by method, in the order of the seeds."""
    found: dict[str, list[SplitScores]] = {}
    for run in sorted(study.runs, key=lambda run: run.seed):
        if split in run.evaluations:
            found.setdefault(run.method, []).append(run.evaluations[split])
    return {method: found[method] for method in study.methods if method in found}


def left_out(study: StudyRecord, split: str) -> dict[str, list[str]]:
    """Return what the models did not take of a split, a sentence a task, with the runs of each."""
    found: dict[str, list[str]] = {}
    for run in study.runs:
        if split in run.evaluations:
            for task, kinds in run.evaluations[split].left_out.items():
                named = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
                text = f"{task_title(task, study.tasks)}: {sum(kinds.values())} utterances of the "
                text += f"{split} split are not scored, as the model does not take them: {named}"
                found.setdefault(text, []).append(run.name)
    return found


@dataclass(frozen=True, slots=True)
class Example:
    """One test utterance and what each method made of it.

    Attributes:
        task: Task of the utterance.
        id: Its id in the manifest.
        dialect: Its dialect, empty where unknown.
        reference: What is right.
        hypotheses: By method, what was generated.
    """

    task: str
    id: str
    dialect: str
    reference: str
    hypotheses: Mapping[str, str]


def examples(study: StudyRecord, split: str, most: int = 2) -> list[Example]:
    """Return a few utterances of each task with every method's answer, from its first scored seed.

    They are chosen by a hash of their id, so neither by us nor by the result.

    Args:
        study: The runs.
        split: Split they were scored on.
        most: Utterances a task.

    Raises:
        RunError: If a scored run's hypotheses cannot be read.
    """
    answers: dict[str, dict[str, str]] = {}
    known: dict[str, Example] = {}
    for method in study.methods:
        run = next((run for run in study.runs_of(method) if split in run.evaluations), None)
        if run is None:
            continue
        columns = run.hypotheses(split)
        names = ("id", "task", "dialect", "reference", "hypothesis")
        for one, task, dialect, reference, text in zip(*(columns[n] for n in names), strict=True):
            known.setdefault(one, Example(task, one, dialect or "", reference or "", {}))
            answers.setdefault(one, {})[method] = text or ""
    chosen: dict[str, list[str]] = {}
    for one in sorted(known, key=text_id):
        chosen.setdefault(known[one].task, []).append(one)
    order = [task for task in study.tasks if task in chosen]
    tasks = order + sorted(set(chosen) - set(order))
    return [
        replace(known[one], hypotheses=answers[one])
        for task in tasks
        for one in chosen[task][:most]
    ]


def other_profiles(study: StudyRecord, split: str) -> dict[tuple[str, str, str], dict[str, float]]:
    """Return the means over seeds under normalisations other than the main one.

    Returns:
        By (task, metric, profile), then by method.
    """
    found: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for method, runs in evaluations(study, split).items():
        for run in runs:
            for score in run.scores:
                is_other = score.profile not in (None, run.profile)
                if is_other and score.group == ALL and score.value is not None:
                    key = (score.task, score.metric, str(score.profile))
                    found.setdefault(key, {}).setdefault(method, []).append(score.value)
    return {
        key: {method: float(np.mean(values)) for method, values in by_method.items()}
        for key, by_method in found.items()
    }


def main_split(study: StudyRecord) -> str:
    """Return the split to report: "test" where it was scored, else the last by name."""
    splits = {split for run in study.runs for split in run.evaluations}
    return "test" if "test" in splits else max(splits, default="")


def make_board(study: StudyRecord) -> Board:
    """Gather the numbers of a study, from its comparison where there is one."""
    split = main_split(study)
    by_method = evaluations(study, split)
    scores = {
        method: [_main_scores(evaluation) for evaluation in found]
        for method, found in by_method.items()
    }
    keys = dict.fromkeys(key for found in scores.values() for run in found for key in run)
    compared = {(row.task, row.metric, row.group, row.method): row for row in study.comparison}
    keys |= dict.fromkeys(key[:3] for key in compared)
    methods = [method for method in study.methods if scores.get(method) or _is_in(method, compared)]
    results: dict[tuple[str, str, str], dict[str, Result]] = {}
    for key in keys:
        row = {}
        for method in methods:
            own = [run[key] for run in scores.get(method, []) if key in run]
            one = compared.get((*key, method))
            if own or one is not None:
                row[method] = _result(own, one)
        results[key] = row
    first = next((found[0] for found in by_method.values()), None)
    return Board(
        split=split,
        profile=first.profile if first is not None else "",
        methods=tuple(methods),
        baseline=study.baseline,
        results=results,
        is_compared=bool(compared),
        tasks=study.tasks,
        start=_before_training(study, split),
    )


def _before_training(study: StudyRecord, split: str) -> dict[tuple[str, str, str], Result]:
    if split not in study.start:
        return {}
    found = _main_scores(study.start[split])
    return {key: _result([score], None) for key, score in found.items()}


def verdict(study: StudyRecord, board: Board) -> tuple[str, list[str]]:
    """Say in words what the comparison shows.

    Returns:
        The finding in one sentence, and the sentences that carry it.
    """
    if not board.results:
        return "Nothing is scored yet.", ["The runs below have no evaluation: run maqam eval."]
    if len(study.methods) == 1:
        return f"One method, {study.methods[0]}: nothing is compared.", []
    if not board.is_compared:
        return (
            "No verdict: these runs were not compared.",
            ["Their numbers stand side by side. Run maqam compare, or a study with 5 seeds."],
        )
    heads = [
        (task, metric, method, result)
        for task, metric in headlines(board.metrics, board.tasks, most=1)
        for method in board.methods
        if method != board.baseline
        and (result := board.get(task, metric, method)) is not None
        and result.compared is not None
    ]
    if all(result.verdict == NO_VERDICT for *_, result in heads):
        return (
            "One seed: no verdict.",
            [
                "Every schedule was trained once, so a difference between two of them may be the "
                "luck of the seed. The intervals cover only the choice of test utterances. "
                "Run the study with 5 seeds for a verdict."
            ],
        )
    return _finding(heads, board), [*_sentences(heads, board), _caution(heads)]


Head = tuple[str, str, str, Result]


def _finding(heads: Sequence[Head], board: Board) -> str:
    """Name a winner only if one method alone is better somewhere and worse nowhere."""
    better = {method for *_, method, result in heads if result.verdict == BETTER}
    worse = {method for *_, method, result in heads if result.verdict == WORSE}
    clean = [method for method in board.methods if method in better - worse]
    if not better:
        if worse:
            return (
                f"No schedule is shown to be better than {board.baseline}; {_and(sorted(worse))} "
                f"{'is' if len(worse) == 1 else 'are'} worse on some task."
            )
        return f"No difference from {board.baseline} is shown on any task."
    if len(clean) == 1:
        others = (
            "no other schedule is better on any"
            if len(better) == 1
            else "the others that gain also lose"
        )
        places = _places(heads, clean[0], BETTER, board.tasks)
        return (
            f"{clean[0]} is better than {board.baseline} on {places} "
            f"and worse on no task; {others}."
        )
    if clean:
        return (
            f"{_and(clean)} are each better than {board.baseline} on some task and worse on none; "
            "they were not compared with one another."
        )
    return (
        f"No schedule wins: each that is better than {board.baseline} somewhere is worse elsewhere."
    )


def _sentences(heads: Sequence[Head], board: Board) -> list[str]:
    baseline, found = board.baseline, []
    for kind in (BETTER, WORSE):
        parts = [
            f"{method} on {task} {metric_title(metric)} by {_difference(metric, result)}"
            for task, metric, method, result in heads
            if result.verdict == kind
        ]
        if parts:
            found.append(f"{kind.capitalize()} than {baseline}: {'; '.join(parts)}.")
    open_tasks = [
        task_title(task, board.tasks)
        for task in dict.fromkeys(task for task, *_ in heads)
        if not any(r.verdict in (BETTER, WORSE) for t, _, _, r in heads if t == task)
    ]
    if open_tasks:
        found.append(f"No difference from {baseline} is shown on {_and(open_tasks)}.")
    return found


def _caution(heads: Sequence[Head]) -> str:
    seeds = sorted({result.num_seeds for *_, result in heads})
    counted = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return (
        f"A method is called better or worse only where the 95 % interval of its difference over "
        f"{counted} paired seeds (two-level bootstrap over seeds and speakers) leaves out zero and "
        f"the p-value over the seeds, corrected for the {len(heads)} comparisons on the tasks' "
        "main metrics, is below 0.05."
    )


def _difference(metric: str, result: Result) -> str:
    one = result.compared
    if one is None or one.difference is None:
        return "an unknown amount"
    sign = "+" if one.difference > 0 else ""
    name = " points" if unit(metric) else ""
    low, high = one.difference_low, one.difference_high
    ends = f" [{_signed(metric, low)}, {_signed(metric, high)}]" if low is not None else ""
    return f"{sign}{amount(metric, one.difference)}{name}{ends}"


def _signed(metric: str, value: float | None) -> str:
    return ("+" if value is not None and value > 0 else "") + amount(metric, value)


def _places(heads: Iterable[Head], method: str, kind: str, tasks: Tasks) -> str:
    return _and([task_title(t, tasks) for t, _, m, r in heads if m == method and r.verdict == kind])


def _and(names: Sequence[str]) -> str:
    """Write a list in words.

    Examples:
        >>> _and(["a"]), _and(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def _result(own: Sequence[Score], one: Compared | None) -> Result:
    """Return the comparison's number, else the mean over runs with an interval if it is one run."""
    values = [score.value for score in own if score.value is not None]
    first = own[0] if own else None
    if one is not None:
        value, low, high, num_seeds = one.mean, one.low, one.high, one.num_seeds
    else:
        value = float(np.mean(values)) if values else None
        alone = first if first is not None and len(own) == 1 else None
        low, high = (alone.low, alone.high) if alone is not None else (None, None)
        num_seeds = len(own)
    return Result(
        value=value,
        low=low,
        high=high,
        num_seeds=num_seeds,
        num_utterances=first.num_utterances if first is not None else 0,
        profile=first.profile if first is not None else None,
        higher_is_better=first.higher_is_better if first is not None else None,
        compared=one,
    )


def _main_scores(evaluation: SplitScores) -> dict[tuple[str, str, str], Score]:
    """Return the scores under the main normalisation, by (task, metric, group)."""
    found: dict[tuple[str, str, str], Score] = {}
    for score in evaluation.scores:
        key = (score.task, score.metric, score.group)
        if key not in found or score.profile == evaluation.profile:
            found[key] = score
    return found


def _is_in(method: str, compared: Mapping[tuple[str, str, str, str], Compared]) -> bool:
    return any(key[3] == method for key in compared)
