"""One run as a value: data, schedule, model, training and scoring settings, nested.

The only place where defaults meet. A recipe is YAML 1.2 (`1e-4` is a number, `no` a word),
validated whole before anything heavy loads.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from maqam.diagnose.settings import DiagnoseSettings
from maqam.errors import ConfigError
from maqam.features.settings import FeatureSettings
from maqam.models.settings import ModelSettings
from maqam.pooling.expression import read_condition
from maqam.schedule import DealSettings, Uniform
from maqam.schedule.schedules import tasks_named
from maqam.schedule.typed import AnySchedule
from maqam.score.metrics import check_metrics
from maqam.score.settings import ScoreSettings
from maqam.settings_file import (
    config_error,
    nearest,
    place_of,
    read_settings,
    with_overrides,
)
from maqam.synth.settings import SynthSettings
from maqam.tasks import Tasks, TaskTable, tasks_in, with_tasks
from maqam.train.settings import Objective, TrainSettings
from maqam.yaml_files import as_yaml, read_yaml


def _condition(text: str | None) -> str | None:
    try:
        if text is not None:
            read_condition(text)
    except ConfigError as error:
        raise ValueError(error.problem) from error
    return text


Where = Annotated[str | None, AfterValidator(_condition)]


def _folder_name(name: str) -> str:
    """Refuse a name that is no folder of its own: `..` would put the run outside of `output`."""
    if not re.fullmatch(r"[\w.+-]+", name) or not name.strip("."):
        raise ValueError("must be letters, digits and _ . + - alone, and not dots alone")
    return name


class ManifestPart(BaseModel):
    """One manifest of several that make a pool.

    Attributes:
        path: Its folder or Parquet file.
        weight: How many utterances one of its own counts as.
        where: Condition that its rows must meet.
        as_task: Task that its rows are asked, in place of their own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    where: Where = None
    as_task: str | None = None


def _kind_of_part(value: object) -> str:
    return "ManifestPart" if isinstance(value, Mapping | ManifestPart) else "path"


def _kind_of_manifest(value: object) -> str:
    return "list" if isinstance(value, list | tuple) else _kind_of_part(value)


_Path = Annotated[str, Tag("path")]
_Table = Annotated[ManifestPart, Tag("ManifestPart")]
_List = Annotated[
    tuple[Annotated[_Path | _Table, Discriminator(_kind_of_part)], ...],
    Field(min_length=1),
    Tag("list"),
]


class DataSettings(BaseModel):
    """Where the utterances come from.

    Attributes:
        manifest: Folder or Parquet file of a manifest; null for the embedded synthetic corpus. A
            table of a part, or a list of paths and tables, is merged to one pool.
        where: Condition that all rows must meet.
        synth: Sizes of the embedded corpus; unused when a manifest is given.
        train_split: Split that is trained on.
        prompt_language: Language that all tasks ask in, such as "ar"; that which each row was
            imported with when null.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    manifest: Annotated[_Path | _Table | _List, Discriminator(_kind_of_manifest)] | None = None
    where: Where = None
    synth: SynthSettings = Field(default_factory=SynthSettings)
    train_split: str = "train"
    prompt_language: str | None = None

    @model_validator(mode="after")
    def _weighs(self) -> Self:
        weights = {part.weight for part in self.parts}
        if len(weights) == 1 and weights != {1.0}:
            raise ValueError("all weights of data.manifest are one number: they change nothing")
        return self

    @property
    def parts(self) -> tuple[ManifestPart, ...]:
        """The manifests that a pool is merged of; none for a single path or the embedded corpus."""
        given = self.manifest
        if given is None or isinstance(given, str):
            return ()
        listed = given if isinstance(given, tuple) else (given,)
        return tuple(ManifestPart(path=one) if isinstance(one, str) else one for one in listed)


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
        diagnose: What the run measures of itself while it trains.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: Annotated[str, AfterValidator(_folder_name)] = "run"
    seed: Annotated[int, Field(ge=0)] = 0
    output: str = "runs"
    data: DataSettings = Field(default_factory=DataSettings)
    tasks: TaskTable = Field(default_factory=dict)
    model: ModelSettings = Field(default_factory=ModelSettings)
    features: FeatureSettings = Field(default_factory=FeatureSettings)
    schedule: AnySchedule = Uniform()
    deal: DealSettings = Field(default_factory=DealSettings)
    objective: Objective = Field(default_factory=Objective)
    train: TrainSettings = Field(default_factory=TrainSettings)
    score: ScoreSettings = Field(default_factory=ScoreSettings)
    diagnose: DiagnoseSettings = Field(default_factory=DiagnoseSettings)

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if self.train.llm == "off" and not self.objective.ctc_weight:
            raise ValueError(
                'train.llm "off" leaves the CTC loss only: set objective.ctc_weight above 0'
            )
        if self.train.llm == "off" and self.diagnose.every:
            raise ValueError(
                'train.llm "off" leaves no next-token loss to take gradients of: set '
                "diagnose.every to 0"
            )
        return self

    @property
    def folder(self) -> Path:
        """Where the run is written."""
        return Path(self.output) / self.name

    @property
    def places(self) -> tuple[Path, ...]:
        """Manifests of the recipe, or where the embedded corpus is made."""
        named = self.data.manifest
        if named is None:
            return (Path(self.output) / "corpus",)
        return (
            (Path(named),)
            if isinstance(named, str)
            else tuple(Path(part.path) for part in self.data.parts)
        )

    def tasks_named(self) -> dict[str, list[str]]:
        """Return the tasks that settings name, by the dotted key that names them."""
        named = {f"schedule.{key}": names for key, names in tasks_named(self.schedule).items()}
        if self.objective.weights:
            named["objective.weights"] = list(self.objective.weights)
        return named

    def tasks_of(self, manifest: Path) -> Tasks:
        """Return the tasks of a manifest: the paper's, those beside it, and the recipe's own.

        Args:
            manifest: Its folder, or its Parquet file.

        Raises:
            ConfigError: If a task is not whole, or names a metric that there is not.
        """
        beside = tasks_in(manifest.parent if manifest.is_file() else manifest)
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
    values = read_yaml(path)
    if values.keys() & {"methods", "baseline"}:
        raise ConfigError(
            "this is a study of several runs, not a recipe of one",
            where=str(path),
            hint=f"maqam study {path}",
        )
    return validate(values, overrides, where=str(path))


def validate(
    values: Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    where: str,
    within: Sequence[Sequence[str]] = ((),),
    laid_over: Sequence[str] = (),
) -> Recipe:
    """Turn plain values into a recipe, each fault named by its key.

    Args:
        values: As YAML holds them.
        overrides: Settings of the form `key.sub=value`, applied on top.
        where: File the values come from, or a word for what they are.
        within: Tables of the file that they stand in, the nearest first.
        laid_over: Settings of the command line that are among the values already, for errors.

    Raises:
        ConfigError: If a setting is unknown or of the wrong kind.
    """
    merged = with_overrides(values, overrides)
    try:
        recipe = read_settings(Recipe, merged)
    except ValidationError as error:
        given = [] if _is_there(error, values) else [*overrides]
        raise config_error(error, Recipe, merged, where, [*given, *laid_over], within) from error
    named = recipe.tasks_named()
    places = recipe.places if named else ()
    known = list(dict.fromkeys(task for place in places for task in recipe.tasks_of(place)))
    for key, names in named.items():
        if unknown := [name for name in names if name not in known]:
            raise ConfigError(
                f"there is no task {unknown[0]!r}",
                where=place_of(where, key, [*overrides, *laid_over], within),
                hint=nearest(unknown[0], known),
            )
    return recipe


def dump_yaml(values: BaseModel | Mapping[str, Any]) -> str:
    """Write settings as YAML 1.2 that `load_recipe` reads back equal."""
    return as_yaml(values.model_dump(mode="json") if isinstance(values, BaseModel) else values)


def _is_there(error: ValidationError, values: Mapping[str, Any]) -> bool:
    """Tell whether the first fault is in the file already, without what lies over it."""
    try:
        read_settings(Recipe, values)
    except ValidationError as alone:
        first, own = error.errors()[0], alone.errors()
        return any((one["loc"], one["msg"]) == (first["loc"], first["msg"]) for one in own)
    return False
