"""Reading and writing YAML 1.2: plain values, or one error that names the file."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from maqam.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a file as a table of plain values; an empty one is an empty table.

    Raises:
        ConfigError: If it cannot be read, is not YAML or no table.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"the file cannot be read: {reason}", where=str(file), hint="give a YAML file"
        ) from error
    return read_table(text, where=str(file))


def read_table(text: str, *, where: str) -> dict[str, Any]:
    """Read YAML as a table of plain values; an empty text is an empty table.

    Args:
        text: YAML 1.2: `1e-4` is a number, `NO` a word, `01` must be quoted to stay text.
        where: Name of the file, for the error.

    Raises:
        ConfigError: If it is not YAML or no table.
    """
    values = read_value(text, where=where)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError("not a table of settings", where=where, hint="write `key: value`")
    return values


def read_value(text: str, *, where: str) -> Any:  # noqa: ANN401  YAML holds any plain value
    """Read YAML as a plain value.

    Args:
        text: YAML 1.2.
        where: Name of the file, or what holds the text, for the error.

    Raises:
        ConfigError: If it is not YAML; the message names the line.
    """
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark is not None else where
        reason = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ConfigError(
            f"not YAML: {reason}", where=place, hint="check the indentation, quotes and brackets"
        ) from error


def parsed(text: str, model: type[Model], *, where: str) -> Model:
    """Read YAML as a model; all that is wrong with it is one error.

    Args:
        text: YAML 1.2.
        model: What it must hold.
        where: Name of the file, for the error.

    Raises:
        ConfigError: If it is not YAML, no table, or breaks the model.

    Examples:
        >>> class Point(BaseModel):
        ...     x: int
        >>> parsed("x: 1", Point, where="point.yaml")
        Point(x=1)
    """
    try:
        return model.model_validate(read_table(text, where=where))
    except ValidationError as error:
        faults = [f"{_key(fault['loc'])}: {fault['msg']}" for fault in error.errors()]
        raise ConfigError(
            "; ".join(faults), where=where, hint="docs/data.md says what a card holds"
        ) from error


def as_yaml(values: Mapping[str, Any]) -> str:
    r"""Write plain values as YAML 1.2, keys in their own order.

    Examples:
        >>> as_yaml({"b": [1, 2], "a": "x"})
        'b:\n- 1\n- 2\na: x\n'
    """
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.width = 100
    yaml.dump(dict(values), stream)
    return stream.getvalue()


def _key(parts: Sequence[Any]) -> str:
    return ".".join(str(part) for part in parts) or "all"
