"""Texts of a card in which `{column}` stands for a value of a row."""

import re
from collections.abc import Mapping

_PLACE = re.compile(r"\{(\w+)(\??)\}")


def filled(template: str, values: Mapping[str, object]) -> str | None:
    """Put a row's values into a template.

    Args:
        template: Text in which `{column}` stands for a value, and `{column?}` for one that may be
            missing.
        values: The row's columns.

    Returns:
        The text; None if it is empty, or if a value that may be missing is.

    Raises:
        KeyError: If a column that must be there is missing.

    Examples:
        >>> filled("{show}/{speaker}", {"show": "a", "speaker": "b"})
        'a/b'
        >>> filled("{start?}", {}) is None
        True
    """
    is_absent = False

    def value(found: re.Match[str]) -> str:
        nonlocal is_absent
        name, may_miss = found.groups()
        if may_miss and values.get(name) in (None, ""):
            is_absent = True
            return ""
        given = values[name]
        return "" if given is None else str(given)

    text = _PLACE.sub(value, template)
    return None if is_absent or not text.strip() else text


def places(template: str) -> list[str]:
    """Return the columns that a template names.

    Examples:
        >>> places("{folder}/{name?}.wav")
        ['folder', 'name']
    """
    return [name for name, _ in _PLACE.findall(template)]


def only(template: str) -> str | None:
    """Return the column whose value alone a template is, None where it is more.

    Examples:
        >>> only("{name?}"), only("{name}.wav")
        ('name', None)
    """
    found = _PLACE.fullmatch(template)
    return None if found is None else found[1]
