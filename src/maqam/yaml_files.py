"""Reading and writing YAML 1.2: plain values, or one error that names the file."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from maqam.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


def read_table(text: str, *, where: str) -> Mapping[str, Any]:
    """Read YAML as a table of plain values.

    Args:
        text: YAML 1.2: `NO` is a word, `01` must be quoted to stay text.
        where: Name of the file, for the error.

    Raises:
        ConfigError: If it is not YAML or no table.
    """
    try:
        values = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ConfigError(
            f"not YAML: {' '.join(str(error).split())}", where=where, hint="write `key: value`"
        ) from error
    if not isinstance(values, Mapping):
        raise ConfigError("it holds no table", where=where, hint="write `key: value`")
    return values


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
