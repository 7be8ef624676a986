"""What a page is made of: cells, tables, panels and figures, all plain text but the pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from maqam.report.palette import Ink


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: What it says.
        note: A second, smaller line, such as the interval.
        mark: CSS class of ours: "better", "worse", "missing" or empty.
        heat: Share in [0, 1] that colours the cell; None for no colour.
        ink: Task or method whose colour stands before the text.
        span: Columns it covers.
    """

    text: str
    note: str = ""
    mark: str = ""
    heat: float | None = None
    ink: Ink | None = None
    span: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption; the first cell of a row heads it.

    Attributes:
        caption: What it holds, one sentence; may be empty under a heading.
        head: Rows of the head.
        rows: Rows of the body.
        heat: CSS colour of cells that have heat.
    """

    caption: str
    head: Sequence[Sequence[Cell]]
    rows: Sequence[Sequence[Cell]]
    heat: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One small picture.

    Attributes:
        title: What it shows.
        note: A second, smaller line.
        svg: The picture.
    """

    title: str
    note: str
    svg: Markup


@dataclass(frozen=True, slots=True)
class Figure:
    """Pictures that are read together, and the same numbers as tables.

    Attributes:
        title: What they show.
        caption: How to read them, one or two sentences.
        legend: Names and colours they share.
        panels: The pictures.
        tables: Their numbers.
    """

    title: str
    caption: str
    legend: Sequence[Ink]
    panels: Sequence[Panel]
    tables: Sequence[Table]


def row(*cells: str | Cell) -> list[Cell]:
    """Return a row of cells, plain text made into cells."""
    return [cell if isinstance(cell, Cell) else Cell(cell) for cell in cells]
