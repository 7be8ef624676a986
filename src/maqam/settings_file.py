"""Settings of a YAML file and of the command line, and a fault in them said in one line.

Values are taken strictly: a word is no number, a number no boolean.
"""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode

from maqam.errors import ConfigError
from maqam.yaml_files import read_value

Model = TypeVar("Model", bound=BaseModel)

EVERY_KEY = "see docs/recipes.md for every key, its unit and its default"
_MOST_LISTED = 30  # names that are listed beside a suggestion
_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_WANTED = {
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "model_type": "must be a table of settings",
    "dataclass_type": "must be a table of settings",
    "missing": "is missing",
    "too_short": "must not be empty",
    "finite_number": "must be a finite number",
}


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
        table[last] = read_value(text, where=f"command line: {key}")
    return merged


def plain_json(values: object) -> str:
    """Write plain values as JSON, which pydantic reads strictly: a list is a tuple, an int a float.

    Examples:
        >>> plain_json({"groups": [["asr"]], "at": float("inf")})
        '{"groups": [["asr"]], "at": Infinity}'
    """
    return json.dumps(values, default=str, ensure_ascii=False)


def read_settings(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Read plain values as settings, strictly; only `1e3`, which YAML calls a float, is 1000.

    Args:
        model: The settings.
        values: As YAML holds them.

    Raises:
        ValidationError: If a setting is unknown or of the wrong kind.

    Examples:
        >>> class Steps(BaseModel):
        ...     num_steps: int
        >>> read_settings(Steps, {"num_steps": 1e3})
        Steps(num_steps=1000)
    """
    try:
        return model.model_validate_json(plain_json(values), strict=True)
    except ValidationError as error:
        whole = _copied(values)
        changed = [_made_whole(whole, fault) for fault in error.errors()]
        if not any(changed):
            raise
        return model.model_validate_json(plain_json(whole), strict=True)


def _made_whole(values: dict[str, Any], fault: ErrorDetails) -> bool:
    """Write a float as the whole number that it is, in place, where a fault asks for one."""
    given = fault.get("input")
    if not (fault["type"].startswith("int_") and isinstance(given, float) and given.is_integer()):
        return False
    at: Any = values
    *parents, last = _path_in(values, [str(part) for part in fault["loc"]])
    for part in parents:
        at = at[int(part) if isinstance(at, list) else part]
    at[int(last) if isinstance(at, list) else last] = int(given)
    return True


def said(fault: ErrorDetails) -> str:
    """Say what is wrong with a value, in the words of a recipe.

    Args:
        fault: One fault that pydantic found.
    """
    given, kind = fault.get("input"), fault["type"]
    problem = _WANTED.get(kind, fault["msg"].removeprefix("Value error, "))
    if kind == "literal_error":
        problem = f"must be one of {fault['ctx']['expected']}"
    if kind.startswith("bool") and isinstance(given, str) and given.lower() in _BOOLEANS:
        word = _BOOLEANS[given.lower()]
        return f"{problem}: {given} is a word in YAML 1.2, write {word}"
    if kind == "missing" or isinstance(given, Mapping):
        return problem
    return f"{problem} (got {given!r})"


def is_unknown_key(fault: ErrorDetails) -> bool:
    """Tell whether a fault is a key that there is not."""
    return fault["type"] in ("extra_forbidden", "unexpected_keyword_argument")


def nearest(
    name: str, known: Iterable[str], *, is_listed: bool = False, what: str = "known"
) -> str:
    """Suggest the known name that a misspelt one may mean; all of them where none is near.

    Args:
        name: The misspelt name.
        known: The names that there are.
        is_listed: Whether all names are listed beside a suggestion, too, if they are few.
        what: What the list of all names is called.

    Examples:
        >>> nearest("MGB2", ["masc", "mgb-2"]), nearest("x", ["masc", "mgb-2"])
        ("did you mean 'mgb-2'?", 'known: masc, mgb-2')
    """
    names = tuple(known)
    plain = {one.casefold(): one for one in names}
    every = f"{what}: {', '.join(names) or 'none'}"
    near = difflib.get_close_matches(name.casefold(), plain, n=1)
    if not near:
        return every
    suggestion = f"did you mean {plain[near[0]]!r}?"
    return f"{suggestion} {every}" if is_listed and len(names) <= _MOST_LISTED else suggestion


def config_error(
    error: ValidationError,
    model: type[BaseModel],
    values: Mapping[str, Any],
    where: str,
    overrides: Sequence[str] = (),
    within: Sequence[Sequence[str]] = ((),),
) -> ConfigError:
    """Say the first fault of a settings tree in one line, and how many more there are.

    Args:
        error: What pydantic found.
        model: Settings that were asked for.
        values: The plain values as the user wrote them.
        where: File they came from, or a word for what they are.
        overrides: Settings of the command line among the values.
        within: Tables of the file that the values stand in, the nearest first.
    """
    faults = error.errors()
    first = faults[0]
    path = [str(part) for part in first["loc"] if part != "function-after"]
    written = [part for part in path if not part.startswith("<schedule ")]
    place = place_of(where, key_in(values, written), overrides, within)
    if is_unknown_key(first):
        known = _known_keys(model, path[:-1])
        problem, hint = f"unknown key {path[-1]!r}", nearest(path[-1], known, what="known keys")
    else:
        problem, hint = said(first), EVERY_KEY
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return ConfigError(problem + more, where=place, hint=hint)


def place_of(
    where: str,
    key: str,
    overrides: Sequence[str] = (),
    within: Sequence[Sequence[str]] = ((),),
) -> str:
    """Say where a key was written: on the command line, or in which line of the file.

    Args:
        where: File, or a word for what the values are.
        key: Dotted key of a fault; empty for the whole.
        overrides: Settings `key.sub=value` that the fault may come from.
        within: Tables of the file that the key may stand in, the nearest first.
    """
    given = [override.partition("=")[0] for override in overrides]
    below: list[str] = []
    for table in within:
        whole = ".".join([*table, key] if key else table)
        if any(f"{whole}.".startswith(f"{name}.") for name in given):
            return f"command line: {whole}"
        below += [name for name in given if name.startswith(f"{whole}." if whole else "")]
    if below:
        return f"command line: {', '.join(dict.fromkeys(below))}"
    if not key:
        return where
    parts, file = key.split("."), Path(where)
    for table in within:
        line, found = _line_of(file, [*table, *parts])
        if line and (found > len(table) or not table):
            return f"{where}:{line}: {'.'.join([*table, *parts])}"
    return f"{where}: {key}"


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _copied(value)
        if isinstance(value, Mapping)
        else [*value]
        if isinstance(value, list)
        else value
        for key, value in values.items()
    }


def _line_of(file: Path, keys: Sequence[str]) -> tuple[int | None, int]:
    """Return the line of the last key that is there, None without a file, and how many are."""
    if not file.is_file():
        return None, 0
    line, found_keys = None, 0
    at = YAML(typ="safe", pure=True).compose(file)
    for key in keys:
        pairs = at.value if isinstance(at, MappingNode) else []
        found = next((pair for pair in pairs if pair[0].value == key), None)
        if found is None:
            break
        line, at, found_keys = found[0].start_mark.line + 1, found[1], found_keys + 1
    return line, found_keys


def key_in(values: Mapping[str, Any], path: Sequence[str]) -> str:
    """Return the dotted key of a fault as the user wrote it, without the names of union members."""
    return ".".join(_path_in(values, path))


def _path_in(values: Mapping[str, Any], path: Sequence[str]) -> list[str]:
    kept: list[str] = []
    at: Any = values
    for index, part in enumerate(path):
        is_last = index == len(path) - 1
        if isinstance(at, Mapping) and part in at:
            at = at[part]
        elif isinstance(at, list) and part.isdigit():
            at = at[int(part)]
        elif not (is_last and isinstance(at, Mapping)):
            continue
        kept.append(part)
    return kept


def _known_keys(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """Return the keys a table of settings knows, found by the pydantic location of the fault."""
    at: Any = model.model_json_schema()
    root = at
    for part in path:
        at = _resolved(at, root)
        if part in at.get("properties", {}):
            at = at["properties"][part]
        elif "patternProperties" in at:
            at = next(iter(at["patternProperties"].values()))
        else:
            at = _member(at, part, root) or at
    return sorted(_properties(at, root))


def _properties(schema: Mapping[str, Any], root: Mapping[str, Any]) -> set[str]:
    """Return the keys of a table, or of all tables of a union whose member is not told."""
    at = _resolved(schema, root)
    members = (*at.get("oneOf", ()), *at.get("anyOf", ()))
    return set(at.get("properties", {})).union(*(_properties(one, root) for one in members))


def _member(
    union: Mapping[str, Any], name: str, root: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return the member of a union by its name or its kind; None where there is none."""
    mapping = union.get("discriminator", {}).get("mapping", {})
    if name in mapping:
        return {"$ref": mapping[name]}
    for one in (*union.get("oneOf", ()), *union.get("anyOf", ())):
        if _resolved(one, root).get("title") == name:
            return cast(Mapping[str, Any], one)
    return None


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema
