"""The corpora that have a card, and the cards of users."""

import functools
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from maqam.corpora.cards.card import Card
from maqam.errors import ConfigError
from maqam.settings_file import nearest
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
        return _shipped(name)
    family, config = _config_of(name)
    if config:
        card = _shipped(family, config)
        language = "ar" if config.startswith("ar_") else card.language
        named = {"name": name, "title": f"{card.title}, {config}", "language": language}
        return card.model_copy(update=named)
    own = Path(name)
    if not is_card(name):
        hint = f"{nearest(name, card_names(), is_listed=True)}; a card of your own is a .yaml"
        raise ConfigError(f"no card {name!r}", where="card", hint=hint)
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
        >>> is_card("masc"), is_card("own.yaml"), is_card("nemo"), is_card("fleurs-ar-eg")
        (True, True, False, True)
    """
    return name in card_names() or Path(name).suffix == SUFFIX or bool(_config_of(name)[1])


def _shipped(name: str, config: str = "*") -> Card:
    file = resources.files(__package__) / "corpora" / f"{name}{SUFFIX}"
    text = file.read_text(encoding="utf-8").replace("<config>", config)
    return parsed(text, Card, where=f"{name}{SUFFIX}")


def _config_of(name: str) -> tuple[str, str]:
    """Return the card and the config that a name such as fleurs-ar-eg is made of, or two blanks."""
    for family in card_names():
        config = name.removeprefix(f"{family}-").replace("-", "_")
        if name.startswith(f"{family}-") and config in _shipped(family).configs:
            return family, config
    return "", ""


def all_cards() -> Sequence[Card]:
    """Return all cards that ship, by name.

    Examples:
        >>> {card.language for card in all_cards()} == {"ar", "en"}
        True
    """
    return [read_card(name) for name in card_names()]
