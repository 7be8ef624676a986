"""Matrices of numbers from -1 to 1 as pictures: one hue for what agrees, one for what conflicts."""

from collections.abc import Sequence

from markupsafe import Markup

from maqam.report.svg import tag

_LEFT, _TOP, _CELL_HEIGHT = 74, 26, 30


def matrix_picture(
    label: str,
    names: tuple[Sequence[str], Sequence[str]],
    values: Sequence[Sequence[float | None]],
    told: Sequence[Sequence[bool]],
    width: int,
) -> Markup:
    """Draw a matrix, each cell with its number.

    Args:
        label: What it shows, for those who hear the page.
        names: Names of rows and of columns.
        values: A number from -1 to 1 a cell; None where there is none.
        told: Whether a number is told from 0: such cells have a frame.
        width: Width to draw at.
    """
    rows, columns = names
    height = _TOP + _CELL_HEIGHT * len(rows) + 4
    cell = (width - _LEFT - 4) / max(1, len(columns))
    parts = [
        tag(
            "text",
            _cut(name, cell),
            x=_LEFT + cell * (at + 0.5),
            y=_TOP - 9,
            class_="tick",
            text_anchor="middle",
        )
        for at, name in enumerate(columns)
    ]
    for row, name in enumerate(rows):
        y = _TOP + _CELL_HEIGHT * row
        parts.append(
            tag("text", _cut(name, _LEFT), x=_LEFT - 8, y=y + 20, class_="tick", text_anchor="end")
        )
        for column in range(len(columns)):
            value = values[row][column]
            at = f"{name} / {columns[column]}"
            parts += _cell(value, at, (_LEFT + cell * column, y, cell), told=told[row][column])
    return tag("svg", *parts, viewBox=f"0 0 {width} {height}", role="img", aria_label=label)


def _cell(
    value: float | None, at: str, place: tuple[float, float, float], *, told: bool
) -> list[Markup]:
    x, y, width = place
    said = "not told from noise" if value is None else f"{value:.2f}"
    box = tag(
        "rect",
        tag("title", f"{at}: {said}"),
        x=x + 1.5,
        y=y + 1.5,
        width=width - 3,
        height=_CELL_HEIGHT - 3,
        rx=2,
        style=f"fill:{_colour(value)}" + (";stroke:var(--ink);stroke-width:1.6" if told else ""),
    )
    text = "–" if value is None else f"{value:.2f}".replace("-", "−")
    number = tag(
        "text",
        text,
        x=x + width / 2,
        y=y + 20,
        class_="tick",
        text_anchor="middle",
        style="fill:var(--ink)",
    )
    return [box, number]


def _colour(value: float | None) -> str:
    if value is None:
        return "var(--soft)"
    hue = "var(--worse)" if value < 0 else "var(--better)"
    return f"color-mix(in oklab, {hue} {round(62 * min(1.0, abs(value)))}%, var(--soft))"


def _cut(text: str, width: float) -> str:
    most = max(3, int(width / 7.5))
    return text if len(text) <= most else text[: most - 1] + "…"
