"""A study as a value: one base recipe, methods that differ from it, and paired seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maqam.errors import ConfigError
from maqam.recipe import Recipe, validate
from maqam.run_layout import StudyLayout, run_name
from maqam.settings_file import config_error, place_of, read_settings, with_overrides
from maqam.yaml_files import read_yaml


class Study(BaseModel):
    """Runs that differ in one thing.

    Attributes:
        name: Title of the study.
        output: Folder of the study: runs, features, comparison and report.
        baseline: Method the others are compared with.
        seeds: Seeds every method is run with; pairs share order, decks and initial adapters.
        base: Settings all methods share, as in a recipe.
        methods: Settings of each method on top of `base`, by its name.
        check_overlap: Whether training and test split are compared first, which decodes all their
            audio once, and the report says what they share.
        before_training: Whether the model is scored before training, too, where all runs begin
            with one and are scored on the same data.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "study"
    output: str = "runs/study"
    baseline: str
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    base: dict[str, Any] = {}
    methods: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    check_overlap: bool = True
    before_training: bool = True

    def recipe(
        self, method: str, seed: int, *, overrides: Sequence[str] = (), where: str = ""
    ) -> Recipe:
        """Return the recipe of one run of the study.

        Args:
            method: Its method.
            seed: Its seed.
            overrides: Settings of the command line that are in the study already, for errors.
            where: File of the study, for errors.

        Raises:
            ConfigError: If a setting is unknown or of the wrong kind.
        """
        own = {
            "name": run_name(method, seed),
            "seed": seed,
            "output": str(StudyLayout(Path(self.output)).runs),
        }
        return validate(
            merged(merged(self.base, self.methods[method]), own),
            where=where or f"methods.{method}",
            within=(("methods", method), ("base",)),
            laid_over=overrides,
        )

    def recipes(self) -> list[tuple[str, Recipe]]:
        """Return every run with its method, seed by seed so that early results are paired."""
        return [
            (method, self.recipe(method, seed)) for seed in self.seeds for method in self.methods
        ]


def load_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """Read and validate a study, every one of its recipes included.

    Raises:
        ConfigError: If a setting is unknown or of the wrong kind, in the study or in a recipe.
    """
    return make_study(read_yaml(path), overrides, where=str(path))


def make_study(values: Mapping[str, Any], overrides: Sequence[str] = (), *, where: str) -> Study:
    """Turn plain values into a study whose recipes are known to be valid.

    Args:
        values: As YAML holds them.
        overrides: Settings of the form `key.sub=value`, applied on top.
        where: File they come from, or a word for what they are.

    Raises:
        ConfigError: If a setting is unknown or of the wrong kind, in the study or in a recipe.
    """
    laid = with_overrides(values, overrides)
    if "methods" not in laid and laid.keys() & {"schedule", "train", "model"}:
        raise ConfigError(
            "this is a recipe of one run, not a study",
            where=where,
            hint=f"maqam train {where}, or give it a baseline and methods",
        )
    try:
        study = read_settings(Study, laid)
    except ValidationError as error:
        raise config_error(error, Study, laid, where, overrides) from error
    if study.baseline not in study.methods:
        raise ConfigError(
            f"the baseline {study.baseline!r} is not among the methods",
            where=place_of(where, "baseline", overrides),
            hint=f"the study's methods are {', '.join(study.methods)}",
        )
    _check_own(study, where, overrides)
    repeated = sorted({seed for seed in study.seeds if study.seeds.count(seed) > 1})
    if repeated:
        raise ConfigError(
            f"seed {repeated[0]} is there {study.seeds.count(repeated[0])} times",
            where=place_of(where, "seeds", overrides),
            hint="name each seed once: it would train the same runs again",
        )
    for method in study.methods:
        study.recipe(method, study.seeds[0], overrides=overrides, where=where)
    return study


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay settings over others: tables are merged, but a table of another `kind` replaces.

    Examples:
        >>> merged({"train": {"num_steps": 5, "batch_size": 8}}, {"train": {"num_steps": 7}})
        {'train': {'num_steps': 7, 'batch_size': 8}}
        >>> merged({"schedule": {"kind": "tpc", "mode": "soft"}}, {"schedule": {"kind": "ads"}})
        {'schedule': {'kind': 'ads'}}
    """
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        same_kind = (
            isinstance(old, Mapping)
            and isinstance(value, Mapping)
            and ("kind" not in value or value["kind"] == old.get("kind"))
        )
        result[key] = merged(old, value) if same_kind else value  # type: ignore[arg-type]
    return result


def _check_own(study: Study, where: str, overrides: Sequence[str]) -> None:
    """Refuse what a study decides itself where it is set for a run: it would have no effect."""
    tables = {"base": study.base} | {f"methods.{name}": own for name, own in study.methods.items()}
    for place, table in tables.items():
        for key in ("name", "seed", "output"):
            if key in table:
                raise ConfigError(
                    f"the {key} of a run is the study's",
                    where=place_of(where, f"{place}.{key}", overrides),
                    hint="leave it out; a study has name, seeds and output of its own",
                )
