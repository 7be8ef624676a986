"""One run as a value: data, schedule, model, training and scoring settings, nested.

The only place where defaults meet. A recipe is YAML 1.2 (`1e-4` is a number, `no` a word),
validated whole before anything heavy loads.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SkipValidation,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode

from maqam.errors import ConfigError
from maqam.features.settings import FeatureSettings
from maqam.models.settings import ModelSettings
from maqam.schedule import DealSettings, Schedule, Uniform, schedule_as_table, schedule_from_table
from maqam.score.metrics import check_metrics
from maqam.score.settings import ScoreSettings
from maqam.synth.settings import SynthSettings
from maqam.tasks import Tasks, TaskTable, tasks_in, with_tasks
from maqam.train.settings import Objective, TrainSettings
from maqam.yaml_files import as_yaml


class DataSettings(BaseModel):
    """Where the utterances come from.

    Attributes:
        manifest: Folder or Parquet file of a manifest; null for the embedded synthetic corpus.
        synth: Sizes of the embedded corpus; unused when a manifest is given.
        train_split: Split that is trained on.
        prompt_language: Language that all tasks ask in, such as "ar"; that which each row was
            imported with when null.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: str | None = None
    synth: SynthSettings = Field(default_factory=SynthSettings)
    train_split: str = "train"
    prompt_language: str | None = None


class Recipe(BaseModel):
    """Everything that decides a run.

    Attributes:
        name: Name of the run's folder.
        seed: The one seed of the run.
        output: Folder that run folders, feature stores and the embedded corpus are written to.
        data: Where the utterances come from.
        tasks: Tasks of one's own by name, and what is other in known ones.
        model: The audio LLM the run starts from.
        features: How aligner outputs are stored and clustered.
        schedule: What each step sees.
        deal: How shares become utterances: unit of the budget, exhaustion.
        objective: How utterances weigh in the loss.
        train: The optimiser, its budget and its adapters.
        score: What is decoded and how it is scored.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: Annotated[str, Field(pattern=r"^[\w.+-]+$")] = "run"
    seed: Annotated[int, Field(ge=0)] = 0
    output: str = "runs"
    data: DataSettings = Field(default_factory=DataSettings)
    tasks: TaskTable = Field(default_factory=dict)
    model: ModelSettings = Field(default_factory=ModelSettings)
    features: FeatureSettings = Field(default_factory=FeatureSettings)
    schedule: Annotated[
        SkipValidation[Schedule],
        BeforeValidator(schedule_from_table),
        PlainSerializer(schedule_as_table),
        WithJsonSchema({"type": "object"}),
    ] = Uniform()
    deal: DealSettings = Field(default_factory=DealSettings)
    objective: Objective = Field(default_factory=Objective)
    train: TrainSettings = Field(default_factory=TrainSettings)
    score: ScoreSettings = Field(default_factory=ScoreSettings)

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if self.train.llm == "off" and not self.objective.ctc_weight:
            raise ValueError(
                'train.llm "off" leaves the CTC loss only: set objective.ctc_weight above 0'
            )
        return self

    @property
    def folder(self) -> Path:
        """Where the run is written."""
        return Path(self.output) / self.name

    def tasks_of(self, manifest: Path) -> Tasks:
        """Return the tasks of a manifest: the paper's, those beside it, and the recipe's own.

        Args:
            manifest: Its folder, or its Parquet file.

        Raises:
            ConfigError: If a task is not whole, or names a metric that there is not.
        """
        beside = tasks_in(manifest if manifest.is_dir() else manifest.parent)
        tasks = with_tasks(beside, self.tasks, where=f"recipe {self.name}")
        check_metrics(tasks)
        return tasks


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and validate a recipe.

    Args:
        path: YAML file.
        overrides: Settings of the form `key.sub=value`, the value in YAML, applied on top.

    Raises:
        ConfigError: If the file is missing, is not YAML, or holds a setting that is unknown or
            of the wrong kind; the message names file and key.
    """
    return validate(read_yaml(path), overrides, where=str(path))


def validate(values: Mapping[str, Any], overrides: Sequence[str] = (), *, where: str) -> Recipe:
    """Turn plain values into a recipe, each fault named by its key."""
    merged = with_overrides(values, overrides)
    try:
        return Recipe.model_validate(merged)
    except ValidationError as error:
        raise config_error(error, merged, where, overrides=overrides) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML 1.2 table.

    Raises:
        ConfigError: If there is no such file or it is not a YAML table.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the file cannot be read: {error}", where=str(path), hint="give a YAML file"
        ) from error
    values = _parse(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError("not a table of settings", where=str(path), hint="write `key: value`")
    return values


def with_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Apply `key.sub=value` settings on top of plain values.

    Raises:
        ConfigError: If a setting has no `=` or its value is not YAML.

    Examples:
        >>> with_overrides({"train": {"num_steps": 5}}, ["train.num_steps=7", "seed=1"])
        {'train': {'num_steps': 7}, 'seed': 1}
    """
    merged = _copied(values)
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            raise ConfigError(
                f"{override!r} is not key=value", where="command line", hint="such as seed=1"
            )
        *parents, last = key.split(".")
        table = merged
        for parent in parents:
            if not isinstance(table.get(parent), dict):
                table[parent] = {}
            table = table[parent]
        table[last] = _parse(text, f"command line: {key}")
    return merged


def dump_yaml(values: BaseModel | Mapping[str, Any]) -> str:
    """Write settings as YAML 1.2 that `load_recipe` reads back equal."""
    return as_yaml(values.model_dump(mode="json") if isinstance(values, BaseModel) else values)


def config_error(
    error: ValidationError,
    values: Mapping[str, Any],
    where: str,
    known: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
) -> ConfigError:
    """Say the first fault of a settings tree in one line, and how many more there are.

    Args:
        error: What pydantic found.
        values: The plain values as the user wrote them.
        where: File they came from, or a word for what they are.
        known: Keys to suggest from; those of the recipe at that place when absent.
        overrides: Settings of the command line among the values.
    """
    faults = error.errors()
    first = faults[0]
    path = [str(part) for part in first["loc"] if part != "function-after"]
    key = _key_in(values, path)
    place = _place(where, key, overrides)
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = known or _known_keys(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        problem = f"unknown key {path[-1]!r}"
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
    else:
        given = first.get("input")
        shown = "" if isinstance(given, Mapping) else f" (got {given!r})"
        problem = first["msg"].removeprefix("Value error, ") + shown
        hint = "see docs/recipes.md for every key, its unit and its default"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return ConfigError(problem + more, where=place, hint=hint)


def _parse(text: str, where: str) -> Any:  # noqa: ANN401  YAML holds any plain value
    yaml = YAML(typ="safe", pure=True)
    try:
        return yaml.load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark is not None else where
        reason = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(str(reason), where=place, hint="check the indentation") from error


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _copied(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }


def _place(where: str, key: str, overrides: Sequence[str]) -> str:
    """Say where a key was written: on the command line, or in which line of the file."""
    if not key:
        return where
    given = [override.partition("=")[0] for override in overrides]
    if any(f"{key}.".startswith(f"{name}.") for name in given):
        return f"command line: {key}"
    line = _line_of(Path(where), key.split("."))
    return f"{where}:{line}: {key}" if line else f"{where}: {key}"


def _line_of(file: Path, keys: Sequence[str]) -> int | None:
    """Return the line of a key, that of its table where it is missing; None without a file."""
    if not file.is_file():
        return None
    line = None
    at = YAML(typ="safe", pure=True).compose(file)
    for key in keys:
        pairs = at.value if isinstance(at, MappingNode) else []
        found = next((pair for pair in pairs if pair[0].value == key), None)
        if found is None:
            break
        line, at = found[0].start_mark.line + 1, found[1]
    return line


def _key_in(values: Mapping[str, Any], path: Sequence[str]) -> str:
    """Return the dotted key of a fault as the user wrote it, without the names of union members."""
    kept: list[str] = []
    at: Any = values
    for index, part in enumerate(path):
        is_last = index == len(path) - 1
        if isinstance(at, Mapping) and part in at:
            at = at[part]
        elif isinstance(at, list) and part.isdigit():
            at = at[int(part)]
        elif not is_last:
            continue
        kept.append(part)
    return ".".join(kept)


def _known_keys(path: Sequence[str]) -> list[str]:
    """Return the keys a table of settings knows, found by the pydantic location of the fault."""
    at: Any = Recipe.model_json_schema()
    root = at
    for part in path:
        at = _resolved(at, root)
        if part in at.get("properties", {}):
            at = at["properties"][part]
        elif "patternProperties" in at:
            at = next(iter(at["patternProperties"].values()))
        else:
            mapping = at.get("discriminator", {}).get("mapping", {})
            at = {"$ref": mapping[part]} if part in mapping else at
    return sorted(_resolved(at, root).get("properties", {}))


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema
