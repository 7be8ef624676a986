"""Schedules read from plain values, typed by pydantic from the fields of their dataclasses.

Apart from `schedules`, so that making and dealing a schedule in Python builds no validators.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Union, cast, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    GetCoreSchemaHandler,
    PlainSerializer,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)
from pydantic_core import CoreSchema, PydanticCustomError

from maqam.schedule.kinds.base import Schedule
from maqam.schedule.schedules import CLASSES, KINDS, schedule_as_table
from maqam.settings_file import is_unknown_key, nearest, said

_FORMER = {"online": "adaptive"}  # kinds that have another name now


def _tag(table: object) -> str | None:
    """Return which class a table is of."""
    kind = table.get("kind") if isinstance(table, Mapping) else getattr(table, "kind", None)
    return f"<schedule {kind}>"


def _checked(table: Any, handler: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401
    """Pass a schedule through, and refuse a table of no known kind in our own words."""
    if isinstance(table, CLASSES):
        return table
    if not isinstance(table, Mapping) or "kind" not in table:
        raise PydanticCustomError(
            "schedule", f"must be a table with a kind, one of {', '.join(KINDS)}"
        )
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        hint = nearest(_FORMER.get(str(kind), str(kind)), tuple(KINDS))
        raise PydanticCustomError(
            "schedule", "{words}", {"words": f"unknown kind {kind!r}, {hint}"}
        )
    return handler({key: _tuples(value) for key, value in _as_now(table).items()})


def _as_now(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a table in the words of today: `then` with `at: auto` is `then_auto`."""
    if table.get("kind") != "then" or table.get("at") != "auto":
        return table
    return {**{key: value for key, value in table.items() if key != "at"}, "kind": "then_auto"}


def _tuples(value: object) -> object:
    """Turn lists into the tuples that fields of a schedule hold."""
    return tuple(_tuples(one) for one in value) if isinstance(value, list | tuple) else value


def _model(tag: str, made: type[Any]) -> type[BaseModel]:
    """Return the settings of a kind as a model, nested schedules typed like the outermost."""
    hints = get_type_hints(made)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(made):
        wanted = "AnySchedule" if hints[field.name] is Schedule else hints[field.name]
        default: Any = ...
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        fields[field.name] = (wanted, default)
    config = ConfigDict(extra="forbid", strict=True)
    return cast(type[BaseModel], create_model(tag, __config__=config, **fields))


def _build(made: type[Any]) -> Any:  # noqa: ANN401  a validator
    names = [field.name for field in dataclasses.fields(made) if field.init]

    def build(model: BaseModel) -> Any:  # noqa: ANN401  one of our dataclasses
        return made(**{name: getattr(model, name) for name in names})

    return AfterValidator(build)


_TAGS = {f"<schedule {kind}>": made for kind, made in KINDS.items()}
_MODELS = {tag: _model(tag, made) for tag, made in _TAGS.items()}
_ANY: Any = Annotated[
    Union[tuple(Annotated[_MODELS[tag], _build(made), Tag(tag)] for tag, made in _TAGS.items())],  # noqa: UP007
    Discriminator(_tag),
    WrapValidator(_checked),
    PlainSerializer(schedule_as_table),
]
for _one in _MODELS.values():
    _one.model_rebuild(_types_namespace={"AnySchedule": _ANY})
_ADAPTER: TypeAdapter[Any] = TypeAdapter(_ANY)


class _AsTable:
    """Lets pydantic read and write a field of type `Schedule` as a table with a `kind`."""

    def __get_pydantic_core_schema__(
        self,
        source: object,
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        return handler.generate_schema(_ANY)


AnySchedule = Annotated[Schedule, _AsTable()]
"""A schedule as a recipe holds it: a table with a `kind`, or a schedule itself."""


def read_schedule(table: object) -> Schedule:
    """Turn a table of settings into a schedule.

    Args:
        table: Settings with a `kind`, nested for `then` and `mix`; a schedule is returned as it is.

    Raises:
        ValueError: If the kind or a key is unknown, or a value does not fit.
    """
    try:
        return cast(Schedule, _ADAPTER.validate_python(table))
    except ValidationError as error:
        fault = error.errors()[0]
        tags = [part for part in fault["loc"] if part in _TAGS]
        key = ".".join(str(part) for part in fault["loc"] if part not in _TAGS)
        kind = str(tags[0])[len("<schedule ") : -1] if tags else "schedule"
        if is_unknown_key(fault):
            known = [one.name for one in dataclasses.fields(_TAGS[str(tags[-1])])]
            hint = nearest(str(fault["loc"][-1]), known)
            raise ValueError(f"{kind}: unknown key {key!r}, {hint}") from error
        raise ValueError(f"{kind}: {f'{key} ' if key else ''}{said(fault)}") from error
