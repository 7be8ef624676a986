"""The corpora that have a card, and the cards of users."""

import functools
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from maqam.corpora.cards.card import Card
from maqam.errors import ConfigError
from maqam.yaml_files import parsed

SUFFIX = ".yaml"


@functools.cache
def card_names() -> tuple[str, ...]:
    """Return the names of the corpora that have a card, sorted.

    Examples:
        >>> "adi-17" in card_names()
        True
    """
    files = (resources.files(__package__) / "corpora").iterdir()
    return tuple(sorted(file.name.removesuffix(SUFFIX) for file in files))


@functools.cache
def read_card(name: str) -> Card:
    """Return a corpus card.

    Args:
        name: Name of a corpus that has one, or the path of a YAML file with a card of your own.

    Raises:
        ConfigError: If there is no such card, or it is no card; all of its faults are named.

    Examples:
        >>> read_card("casablanca").licence.name
        'CC BY-NC-ND 4.0'
    """
    if name in card_names():
        file = resources.files(__package__) / "corpora" / f"{name}{SUFFIX}"
        return parsed(file.read_text(encoding="utf-8"), Card, where=f"{name}{SUFFIX}")
    own = Path(name)
    if not is_card(name):
        raise ConfigError(
            f"no card {name!r}", where="card", hint=f"use {', '.join(card_names())}, or a .yaml"
        )
    try:
        text = own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the card cannot be read: {error}", where=name, hint="give a YAML file"
        ) from error
    return parsed(text, Card, where=name)


def is_card(name: str) -> bool:
    """Tell whether a name is that of a card, or of a file with one.

    Examples:
        >>> is_card("masc"), is_card("own.yaml"), is_card("nemo")
        (True, True, False)
    """
    return name in card_names() or Path(name).suffix == SUFFIX


def all_cards() -> Sequence[Card]:
    """Return all cards that ship, by name.

    Examples:
        >>> {card.language for card in all_cards()} == {"ar", "en"}
        True
    """
    return [read_card(name) for name in card_names()]
