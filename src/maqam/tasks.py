"""Tasks as values: what is asked of an utterance, what may be answered, how it is scored.

The five of the paper stand in `tasks.yaml` beside this module. A user's own are written the same
way, under `tasks:` of a recipe or in `tasks.yaml` beside a manifest; one of a known name changes
that task. The set is a mapping that is handed down, so no module knows which tasks there are.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from maqam.errors import ConfigError
from maqam.files import write_text
from maqam.settings_file import nearest
from maqam.taxonomy.tree import TAXONOMIES, label_set, read_taxonomy, taxonomy_of
from maqam.yaml_files import as_yaml, read_table, read_yaml

TASKS_FILE = "tasks.yaml"
_NAME = r"^[A-Za-z][\w-]*$"
_LABEL_METRICS = ("macro_f1", "accuracy")


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of an utterance and what may be answered.

    Attributes:
        name: Short name used in manifests and reports, such as "asr".
        title: Name for people, in English.
        prompts: Instruction by language code ("ar", "en"), each one line.
        has_audio: Whether the input is audio; else it is a text.
        labels: Allowed answers of a classification task; empty for free text.
        level: Semantic abstraction, 1 lowest: the order a task-progressive curriculum follows.
        metrics: Names of the scores reported for it, the main one first.
        target: Column of a source that holds the answer.
    """

    name: str
    title: str
    prompts: Mapping[str, str]
    has_audio: bool
    labels: tuple[str, ...]
    level: int
    metrics: tuple[str, ...]
    target: str

    def prompt(self, language: str) -> str:
        """Return the prompt in a language, in the first one it has where it lacks that."""
        return self.prompts.get(language) or next(iter(self.prompts.values()))


Tasks = Mapping[str, Task]


def _one_line(text: str) -> str:
    if not text.strip() or len(text.splitlines()) > 1:
        raise ValueError("a prompt is one line that is not empty")
    return _writable(text)


def _writable(text: str) -> str:
    """Refuse half a surrogate pair, which no file can hold, and NUL, where C libraries stop."""
    if any(one == "\0" or "\ud800" <= one <= "\udfff" for one in text):
        raise ValueError(f"{text!r} holds a NUL or half a character")
    return text


def _all_different(labels: tuple[str, ...]) -> tuple[str, ...]:
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError("give two labels or more, all different")
    if any(label != label.strip() or not label for label in labels):
        raise ValueError("a label is not empty and has no space around it")
    return tuple(map(_writable, labels))


def _listed(labels: object) -> object:
    return label_set(labels) if isinstance(labels, str) else labels


def _levels() -> list[str]:
    return [level for name in TAXONOMIES for level in read_taxonomy(name).levels]


def _numbered(level: object) -> object:
    if isinstance(level, str) and level in _levels():
        raise ValueError(f"it is a number; for labels of that level write labels: {level}")
    return level


class TaskSettings(BaseModel):
    """A task as YAML holds it; what is left out is that of the known task of its name.

    Attributes:
        title: Name for people; the short name when absent.
        prompts: Instruction by language code, each one line.
        input: "audio" or "text".
        answer: "label" where there are labels, else "text".
        labels: Allowed answers, or the name of a label set of the taxonomy, such as adi17, or of
            a level of it: region, country, city, emotion or intensity.
        level: Semantic abstraction, 1 lowest: what `tpc` orders tasks by.
        metrics: Names of metrics, the main one first; macro-F1 and accuracy for labels.
        target: Column of a source that holds the answer; when absent that of the taxonomy which
            the labels are of, else "label" or "target".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str | None = None
    prompts: (
        Annotated[dict[str, Annotated[str, AfterValidator(_one_line)]], Field(min_length=1)] | None
    ) = None
    input: Literal["audio", "text"] | None = None
    answer: Literal["text", "label"] | None = None
    labels: (
        Annotated[tuple[str, ...], AfterValidator(_all_different), BeforeValidator(_listed)] | None
    ) = None
    level: Annotated[int, Field(ge=1), BeforeValidator(_numbered)] | None = None
    metrics: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    target: str | None = None


TaskTable = dict[Annotated[str, Field(pattern=_NAME)], TaskSettings]


class _File(BaseModel):
    tasks: TaskTable


def with_tasks(known: Tasks, changes: Mapping[str, TaskSettings], *, where: str) -> Tasks:
    """Return known tasks with some changed and some added.

    Args:
        known: Tasks by name.
        changes: What is said of tasks; one of a known name changes that task, its prompts
            language by language.
        where: What says it, for errors.

    Raises:
        ConfigError: If a new task lacks what no default can give, or labels and answer disagree.

    Examples:
        >>> shorter = {"did": TaskSettings(labels=("msa", "gulf"))}
        >>> with_tasks(default_tasks(), shorter, where="example")["did"].labels
        ('msa', 'gulf')
    """
    made = {name: _made(name, known.get(name), one, where) for name, one in changes.items()}
    return {**known, **made}


def _made(name: str, base: Task | None, change: TaskSettings, where: str) -> Task:
    prompts = {**(base.prompts if base else {}), **(change.prompts or {})}
    labels = change.labels if change.labels is not None else (base.labels if base else ())
    if change.answer == "text":
        labels = change.labels or ()
    answer = change.answer or ("label" if labels else "text")
    if (answer == "label") != bool(labels):
        problem = "answer is text but it has labels" if labels else "answer is label without labels"
        raise ConfigError(
            problem, where=f"{where}: tasks.{name}", hint="give labels, or answer text"
        )
    was_alike = base is not None and bool(base.labels) == bool(labels)
    metrics = change.metrics or (base.metrics if base and was_alike else None)
    metrics = metrics or (_LABEL_METRICS if labels else None)
    absent = [
        key
        for key, value in (
            ("prompts", prompts),
            ("input", change.input or base),
            ("level", change.level or base),
            ("metrics", metrics),
        )
        if not value
    ]
    if absent:
        raise ConfigError(
            f"the task lacks {', '.join(absent)}",
            where=f"{where}: tasks.{name}",
            hint="docs/extend/task.md shows a whole task",
        )
    target = change.target or (base.target if base and was_alike else None)
    return Task(
        name=name,
        title=change.title or (base.title if base else name.replace("_", " ")),
        prompts=prompts,
        has_audio=change.input == "audio" if change.input else bool(base and base.has_audio),
        labels=labels,
        level=change.level or (base.level if base else 1),
        metrics=tuple(metrics or ()),
        target=target or ((taxonomy_of(labels) or "label") if labels else "target"),
    )


def label_of(code: str, task: Task) -> str | None:
    """Return the label of a task that a row of a finer or another inventory has.

    Args:
        code: What a manifest holds in the column `target` of the task: a dialect, an emotion or an
            intensity by its code of the taxonomy, the finest known, such as "EG-CAI".
        task: A task with labels: codes of the taxonomy, labels of one label set, or its own.

    Returns:
        The label; None where the task has none for it.

    Examples:
        >>> label_of("EG-CAI", default_tasks()["did"]), label_of("excited", default_tasks()["ser"])
        ('egyptian', 'happy')
        >>> label_of("surprised", default_tasks()["ser"]) is None
        True
    """
    if code in task.labels:
        return code
    for taxonomy in map(read_taxonomy, TAXONOMIES):
        if code in taxonomy.nodes:
            return taxonomy.label_within(code, task.labels)
    return None


def tasks_from_table(table: Mapping[str, Any], known: Tasks, *, where: str) -> Tasks:
    """Return known tasks changed by a table of plain values, as YAML holds it.

    Raises:
        ConfigError: If a key is unknown or a value is of the wrong kind; the message names both.
    """
    try:
        changes = _File.model_validate({"tasks": table}).tasks
    except ValidationError as error:
        raise _fault(error, where) from error
    return with_tasks(known, changes, where=where)


def _fault(error: ValidationError, where: str) -> ConfigError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if part != "[key]"]
    hint = "docs/extend/task.md says what each key means"
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        keys = list(TaskSettings.model_fields)
        problem, hint = f"unknown key {path[-1]!r}", nearest(path[-1], keys)
    return ConfigError(problem, where=f"{where}: {'.'.join(path)}", hint=hint)


def tasks_as_table(tasks: Tasks) -> dict[str, dict[str, Any]]:
    """Return tasks as the plain values that `tasks_from_table` reads back equal.

    Examples:
        >>> table = tasks_as_table(default_tasks())
        >>> tasks_from_table(table, {}, where="example") == default_tasks()
        True
    """
    return {
        task.name: {
            "title": task.title,
            "prompts": dict(task.prompts),
            "input": "audio" if task.has_audio else "text",
            "answer": "label" if task.labels else "text",
            **({"labels": list(task.labels)} if task.labels else {}),
            "level": task.level,
            "metrics": list(task.metrics),
            "target": task.target,
        }
        for task in tasks.values()
    }


@functools.cache
def default_tasks() -> Tasks:
    """Return the five tasks of the paper.

    Examples:
        >>> list(default_tasks())
        ['asr', 'did', 'ser', 'ssum', 'tsum']
    """
    file = resources.files("maqam") / TASKS_FILE
    table = read_table(file.read_text(encoding="utf-8"), where=TASKS_FILE)
    return tasks_from_table(table, {}, where=TASKS_FILE)


def tasks_of_record(record: Mapping[str, Any]) -> Tasks:
    """Return the tasks that a file of scores or of a comparison was made with."""
    return tasks_from_table(record.get("tasks", {}), default_tasks(), where="scores")


def summary_tasks(tasks: Tasks) -> tuple[str, ...]:
    """Return the names of the tasks that ask for a summary.

    Examples:
        >>> summary_tasks(default_tasks())
        ('ssum', 'tsum')
    """
    return tuple(task.name for task in tasks.values() if task.target == "summary")


def transcribed_tasks(tasks: Tasks) -> tuple[str, ...]:
    """Return the names of the tasks whose answer is what is said.

    Examples:
        >>> transcribed_tasks(default_tasks())
        ('asr',)
    """
    return tuple(task.name for task in tasks.values() if task.target == "text" and task.has_audio)


def read_tasks(file: Path, known: Tasks | None = None) -> Tasks:
    """Return known tasks changed by a file of tasks.

    Args:
        file: YAML file of tasks.
        known: Tasks it changes; the five of the paper when absent.

    Raises:
        ConfigError: If the file cannot be read or a task is not whole; the message names the key.
    """
    base = default_tasks() if known is None else known
    return tasks_from_table(read_yaml(file), base, where=str(file))


def tasks_in(folder: Path) -> Tasks:
    """Return the tasks of a folder: the five of the paper, changed by its `tasks.yaml` if any."""
    file = folder / TASKS_FILE
    return read_tasks(file) if file.is_file() else default_tasks()


def write_tasks(tasks: Tasks, folder: Path) -> Path:
    """Write tasks as `tasks.yaml` of a folder, whole or not at all."""
    file = folder / TASKS_FILE
    write_text(file, as_yaml(tasks_as_table(tasks)))
    return file
