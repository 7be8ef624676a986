"""From a recipe's table to a schedule and back: the only place that knows every kind."""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from maqam import extras
from maqam.schedule.adaptive.kinds import AdaptiveMixture, ThenAuto
from maqam.schedule.flow import Flow
from maqam.schedule.kinds.base import Schedule
from maqam.schedule.kinds.compose import Mix, Then
from maqam.schedule.kinds.curricula import Curriculum, Tpc
from maqam.schedule.kinds.custom import Custom, FlowMaker, Own
from maqam.schedule.kinds.mixtures import Ads, Alpha, Mixture, Stratified, Uniform, Unimax

KINDS: Mapping[str, type[Any]] = {
    "uniform": Uniform,
    "alpha": Alpha,
    "unimax": Unimax,
    "stratified": Stratified,
    "mixture": Mixture,
    "tpc": Tpc,
    "curriculum": Curriculum,
    "ads": Ads,
    "then": Then,
    "then_auto": ThenAuto,
    "mix": Mix,
    "custom": Custom,
    "adaptive": AdaptiveMixture,
}
CLASSES = tuple(KINDS.values())


def as_schedule(rule: Schedule | Flow | FlowMaker) -> Schedule:
    """Return a schedule of ours as it is, and a flow or an object of the user's as one.

    Raises:
        TypeError: If it is neither.
    """
    return cast(Schedule, rule) if isinstance(rule, (*CLASSES, Own)) else Own(rule)


def schedule_from_table(table: object) -> Schedule:
    """Turn a table of a recipe into a schedule.

    Args:
        table: Settings with a `kind`, nested for `then`; a schedule is given back as it is.

    Raises:
        ValueError: If the kind or a key is unknown, or a value does not fit.

    Examples:
        >>> schedule_from_table({"kind": "unimax", "epochs": 2.0})
        Unimax(kind='unimax', epochs=2.0, axis='task')
    """
    return cast(Schedule, extras.load("maqam.schedule.typed").read_schedule(table))


def schedule_as_table(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as plain values that `schedule_from_table` reads back equal.

    Examples:
        >>> schedule_as_table(Then(Tpc(), Ads()))["second"]
        {'kind': 'ads', 'axes': ['task', 'label', 'cluster'], 'power': 0.0}
    """
    if isinstance(schedule, Own):
        return {"kind": schedule.kind, "name": schedule.name}
    table: dict[str, Any] = {"kind": schedule.kind}
    for field in dataclasses.fields(cast(Any, schedule)):
        table[field.name] = _plain(getattr(schedule, field.name))
    return table


def tasks_named(schedule: Schedule) -> dict[str, list[str]]:
    """Return the tasks that a schedule's settings name, by the dotted key that names them.

    Examples:
        >>> tasks_named(Then(Tpc(groups=(("asr",), ("did", "ser"))), Ads()))
        {'first.groups': ['asr', 'did', 'ser']}
    """
    found: dict[str, list[str]] = {}
    for key, value in schedule_as_table(schedule).items():
        if isinstance(value, Mapping) and "kind" in value:
            inner = tasks_named(getattr(schedule, key))
            found |= {f"{key}.{own}": names for own, names in inner.items()}
        elif key == "groups" and value is not None:
            found[key] = [name for group in value for name in group]
        elif key in ("reference", "graph") and value:
            found[key] = list(value)
    return found


def schedule_defaults(kind: str) -> dict[str, Any]:
    """Return the settings that a kind has by itself, as in its table; none of a kind unknown.

    Examples:
        >>> schedule_defaults("ads")
        {'axes': ['task', 'label', 'cluster'], 'power': 0.0}
    """
    found: dict[str, Any] = {}
    if kind not in KINDS:
        return found
    for field in dataclasses.fields(KINDS[kind]):
        if not field.init:
            continue
        if field.default is not dataclasses.MISSING:
            found[field.name] = _plain(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = _plain(field.default_factory())
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401  any value of a schedule's field
    """Return a value of a schedule's field as a recipe holds it."""
    if hasattr(value, "flow"):
        return schedule_as_table(as_schedule(value))
    if isinstance(value, tuple):
        return [list(one) if isinstance(one, tuple) else one for one in value]
    return dict(value) if isinstance(value, Mapping) else value
