"""One fixed colour a task, one a method, on every picture of every page.

Colours are slots whose values the style sheet gives for light and dark: this module only says who
has which. The palettes were searched for the largest smallest distance (OKLab, in simulated
deuteranopia, protanopia and tritanopia); methods also differ by dash, and every area or line is
named beside its picture, so colour is never alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from maqam.tasks import Tasks

NUM_SLOTS = 8
_METHOD_SLOTS = {"uniform": 0, "tpc": 1, "ads": 2, "hybrid": 3, "alpha": 4, "stratified": 5}
_DASHES = ("", "", "", "", "6 3", "2 3", "8 3 2 3", "1 3")
NO_LABEL = "-"

# The light values of the task slots, for a picture that has no style sheet around it: each is
# told from its neighbours on GitHub's light and on its dark ground.
TASK_HEX = (
    "#5b8ede",
    "#f0a51c",
    "#a02a6e",
    "#128a68",
    "#93dccb",
    "#8a6d4b",
    "#b98fd0",
    "#6b7280",
)


@dataclass(frozen=True, slots=True)
class Ink:
    """How one task, label or method is drawn.

    Attributes:
        name: What it is.
        colour: CSS colour, of our own making.
        dash: SVG dash pattern of its line, empty for a whole line.
    """

    name: str
    colour: str
    dash: str = ""


def task_slot(name: str, names: Sequence[str], tasks: Tasks) -> int:
    """Return the slot of a task: its place among the tasks, else one that is free."""
    return _slots(names, _places(tasks))[name]


def task_inks(names: Sequence[str], tasks: Tasks) -> list[Ink]:
    """Return the colours of tasks, by their place among the tasks.

    Examples:
        >>> from maqam.tasks import default_tasks
        >>> [ink.colour for ink in task_inks(["did", "keywords", "asr"], default_tasks())]
        ['var(--t1)', 'var(--t5)', 'var(--t0)']
    """
    slots = _slots(names, _places(tasks))
    return [Ink(name, f"var(--t{slots[name]})") for name in names]


def _places(tasks: Tasks) -> dict[str, int]:
    return {name: place % NUM_SLOTS for place, name in enumerate(tasks)}


def method_inks(names: Sequence[str]) -> dict[str, Ink]:
    """Return the colour and dash of methods, by name.

    Examples:
        >>> method_inks(["uniform", "mine"])["mine"].colour
        'var(--m6)'
    """
    slots = _slots(names, _METHOD_SLOTS)
    return {name: Ink(name, f"var(--m{slots[name]})", _DASHES[slots[name]]) for name in names}


def label_inks(names: Sequence[str], tasks: Tasks) -> list[Ink]:
    """Return the colours of labels: shades of the task that answers with them.

    Labels of no known task share the shades of the next free slot, and what has no label is grey.
    """
    places = _places(tasks)
    shades = {
        label: _shade(f"var(--t{places[task.name]})", index, len(task.labels))
        for task in tasks.values()
        for index, label in enumerate(task.labels)
    }
    others = [name for name in names if name not in shades and name != NO_LABEL]
    for index, name in enumerate(others):
        shades[name] = _shade(f"var(--t{NUM_SLOTS - 2})", index, len(others))
    shades[NO_LABEL] = "var(--grey)"
    titles = {NO_LABEL: "no label"}
    return [Ink(titles.get(name, name), shades[name]) for name in names]


def ramp_inks(names: Sequence[str]) -> list[Ink]:
    """Return the colours of groups that have an order, dark to light."""
    return [Ink(name, _shade("var(--ramp)", at, len(names))) for at, name in enumerate(names)]


def _shade(colour: str, index: int, count: int) -> str:
    part = 100 if count == 1 else round(100 - 72 * index / (count - 1))
    return f"color-mix(in oklab, {colour} {part}%, var(--paper))"


def _slots(names: Iterable[str], known: Mapping[str, int]) -> dict[str, int]:
    names = list(dict.fromkeys(names))
    taken = {known[name] for name in names if name in known}
    late = [slot for slot in range(len(known), NUM_SLOTS) if slot not in taken]
    early = [slot for slot in range(len(known)) if slot not in taken]
    free = [*late, *early] or list(range(NUM_SLOTS))
    found = {name: known[name] for name in names if name in known}
    new = [name for name in names if name not in known]
    return found | {name: free[index % len(free)] for index, name in enumerate(new)}
