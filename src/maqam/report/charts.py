"""The pictures: stacked areas, lines, intervals and bars, as inline SVG of one size.

Each is drawn about as wide as its panel will be, so that its text stays readable on a phone, and
carries its numbers for the tooltip. Colours come from the page's style sheet.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from maqam.report.palette import Ink
from maqam.report.svg import Scale, log_ticks, number, path, stairs, tag, ticks

LEFT, RIGHT, TOP, BOTTOM = 40, 8, 12, 34
_ROW = 27


def panel_width(num_panels: int) -> int:
    """Return the width to draw at: two, three or four panels stand in a row of the page.

    Examples:
        >>> panel_width(2), panel_width(5), panel_width(4)
        (520, 380, 270)
    """
    if num_panels <= 2:
        return 520
    return 270 if num_panels % 4 == 0 else 380


@dataclass(frozen=True, slots=True)
class Mark:
    """A step at which the rule changes.

    Attributes:
        step: Steps taken before the change.
        text: What begins there; empty for an unnamed change.
        ink: Method it belongs to where a picture shows several.
        is_switch: Whether a hybrid changes its schedule there, not only its stage.
    """

    step: int
    text: str = ""
    ink: Ink | None = None
    is_switch: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """One line over the steps, with the band around it.

    Attributes:
        ink: Name, colour and dash.
        middle: (num_bins,) the line; NaN breaks it.
        low: (num_bins,) lower edge of the band.
        high: (num_bins,) upper edge of the band.
    """

    ink: Ink
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, slots=True)
class IntervalMark:
    """One dot with its interval.

    Attributes:
        ink: Name and colour of the method.
        value: The dot.
        low: Lower end; None where there is no interval.
        high: Upper end.
    """

    ink: Ink
    value: float
    low: float | None
    high: float | None


def area_picture(
    label: str,
    bins: np.ndarray,
    shares: np.ndarray,
    inks: Sequence[Ink],
    marks: Sequence[Mark],
    width: int,
) -> Markup:
    """Draw shares over steps as stacked areas.

    Args:
        label: What it shows, for those who hear the page.
        bins: (num_bins + 1,) edges over the steps.
        shares: (num_bins, num_groups) shares; a row sums to 1.
        inks: Name and colour of each group, from the bottom up.
        marks: Steps at which the rule changes.
        width: Width to draw at.
    """
    height = 200
    x = Scale(0, float(bins[-1]), LEFT, width - RIGHT)
    y = Scale(0, 1, height - BOTTOM, TOP)
    xs = np.array([x(float(edge)) for edge in bins])
    tops = np.cumsum(shares, axis=1)
    areas = []
    for index, ink in enumerate(inks):
        top = np.array([y(value) for value in tops[:, index]])
        bottom = np.array([y(value) for value in tops[:, index] - shares[:, index]])
        if shares[:, index].any():
            area = tag("path", d=stairs(xs, top, bottom), style=f"fill:{ink.colour}")
            areas.append(area)
    hover = _hover(xs, bins, inks, np.round(100 * shares, 1).T, "%")
    return _frame(
        label,
        (width, height),
        _axes(x, y, height, ((0, "0"), (0.5, "50"), (1, "100 %"))),
        tag("g", *areas, class_="areas"),
        _marks(marks, x, height),
        hover=hover,
    )


def line_picture(
    label: str,
    bins: np.ndarray,
    curves: Sequence[Curve],
    marks: Sequence[Mark],
    y_range: tuple[float, float, bool],
    width: int,
) -> Markup:
    """Draw lines over steps, each with its band.

    Args:
        label: What it shows, for those who hear the page.
        bins: (num_bins + 1,) edges over the steps.
        curves: The lines.
        marks: Steps at which the rule changes.
        y_range: Lowest and highest number on the axis, and whether the axis is logarithmic.
        width: Width to draw at.
    """
    height = 200
    low, high, is_log = y_range
    x = Scale(0, float(bins[-1]), LEFT, width - RIGHT)
    y = Scale(low, high, height - BOTTOM, TOP, is_log)
    middles = np.array([x(float(value)) for value in (bins[:-1] + bins[1:]) / 2])
    lines = []
    for curve in curves:
        style = f"--c:{curve.ink.colour}"
        lines += [
            tag("path", class_="band", d=band, style=style) for band in _bands(middles, curve, y)
        ]
        points = [(at, _at(y, value)) for at, value in zip(middles, curve.middle, strict=True)]
        dash = curve.ink.dash or None
        lines.append(tag("path", class_="line", d=path(points), style=style, stroke_dasharray=dash))
        lines += [
            tag("circle", class_="dot", cx=px, cy=py, r=2, style=style)
            for px, py in _lonely(points)
        ]
    found = log_ticks(low, high) if is_log else ticks(low, high)
    named = [(value, number(value)) for value in found]
    values = np.array([curve.middle for curve in curves])
    return _frame(
        label,
        (width, height),
        _axes(x, y, height, named, grid=True),
        _marks(marks, x, height),
        tag("g", *lines),
        hover=_hover(middles, bins, [curve.ink for curve in curves], values, ""),
    )


def interval_picture(
    label: str,
    intervals: Sequence[IntervalMark],
    baseline: IntervalMark | None,
    unit: str,
    width: int,
) -> Markup:
    """Draw one dot with its interval a method, under one another.

    Args:
        label: What it shows, for those who hear the page.
        intervals: The dots, from the top down.
        baseline: The one whose value is drawn through all rows.
        unit: Unit of the axis.
        width: Width to draw at.
    """
    left, right = 96, 52
    height = TOP + _ROW * len(intervals) + BOTTOM
    bottom = height - BOTTOM
    ends = [value for one in intervals for value in (one.low, one.high, one.value)]
    numbers = [value for value in ends if value is not None]
    low, high = min(numbers), max(numbers)
    pad = 0.06 * (high - low) or 5.0
    x = Scale(max(0.0, low - pad) if low >= 0 else low - pad, high + pad, left, width - right)
    parts: list[Markup] = []
    for value in ticks(x.low, x.high, 4):
        parts.append(tag("path", class_="grid", d=f"M{x(value):.1f} {TOP}V{bottom}"))
        parts.append(_text(number(value), x(value), bottom + 15, "tick", "middle"))
    parts.append(_text(unit, width - right, bottom + 29, "tick", "end"))
    if baseline is not None:
        parts.append(tag("path", class_="reference", d=f"M{x(baseline.value):.1f} {TOP}V{bottom}"))
    for index, one in enumerate(intervals):
        y = TOP + _ROW * (index + 0.5)
        style = f"--c:{one.ink.colour}"
        parts.append(_text(_cut(one.ink.name), left - 10, y + 4, "name", "end"))
        if one.low is not None and one.high is not None:
            ends_path = f"M{x(one.low):.1f} {y}H{x(one.high):.1f}"
            caps = f"M{x(one.low):.1f} {y - 4}v8M{x(one.high):.1f} {y - 4}v8"
            parts.append(tag("path", class_="whisker", d=ends_path + caps, style=style))
        parts.append(tag("circle", class_="dot", cx=x(one.value), cy=y, r=5, style=style))
        parts.append(_text(f"{one.value:.1f}", width - right + 10, y + 4, "value", "start"))
    return _frame(label, (width, height), *parts)


def bars_picture(
    label: str, bars: Sequence[tuple[str, np.ndarray]], inks: Sequence[Ink], width: int
) -> Markup:
    """Draw rows of shares as stacked bars.

    Args:
        label: What it shows, for those who hear the page.
        bars: Name of each bar and its (num_groups,) shares.
        inks: Name and colour of each group; text over it takes the colour's own ink.
        width: Width to draw at.
    """
    left, thick, gap = 96, 24, 8
    height = TOP + len(bars) * (thick + gap)
    x = Scale(0, 1, left, width - RIGHT)
    parts: list[Markup] = []
    for index, (name, shares) in enumerate(bars):
        y = TOP + index * (thick + gap)
        parts.append(_text(name, left - 10, y + thick / 2 + 4, "name", "end"))
        at = 0.0
        for ink, share in zip(inks, shares, strict=True):
            if share <= 0:
                continue
            box = tag(
                "rect",
                tag("title", f"{ink.name}: {100 * share:.1f} % of {name}"),
                x=x(at),
                y=y,
                width=x(share) - x(0),
                height=thick,
                style=f"fill:{ink.colour}",
                class_="segment",
            )
            parts.append(box)
            if share >= 0.075:
                middle, on = x(at + share / 2), ink.colour.replace("--t", "--on")
                said = _text(f"{100 * share:.0f} %", middle, y + thick / 2 + 4, "inside", "middle")
                parts.append(tag("g", said, style=f"fill:{on}"))
            at += float(share)
    return _frame(label, (width, height), *parts)


def _frame(
    label: str, size: tuple[int, float], *content: Markup, hover: str | None = None
) -> Markup:
    width, height = size
    cursor = tag("path", class_="cursor", d=f"M0 {TOP}V{height - BOTTOM}") if hover else Markup("")
    return tag(
        "svg",
        *content,
        cursor,
        viewBox=f"0 0 {width} {height:g}",
        role="img",
        aria_label=label,
        data_hover=hover,
        tabindex=0 if hover else None,
    )


def _axes(
    x: Scale, y: Scale, height: float, named: Sequence[tuple[float, str]], *, grid: bool = False
) -> Markup:
    """Draw the numbers of both axes; steps run to the right."""
    bottom = height - BOTTOM
    parts = []
    for value, text in named:
        if grid:
            parts.append(tag("path", class_="grid", d=f"M{x.start} {y(value):.1f}H{x.end}"))
        parts.append(_text(text, x.start - 7, y(value) + 4, "tick", "end"))
    last = int(x.high)
    steps = [value for value in ticks(0, last, 4) if value < 0.85 * last]
    for value in [*steps, last]:
        anchor = "end" if value == last else "start" if value == 0 else "middle"
        parts.append(_text(f"{int(value):,}", x(value), bottom + 15, "tick", anchor))
    parts.append(_text("step", (x.start + x.end) / 2, bottom + 29, "tick", "middle"))
    parts.append(tag("path", class_="axis", d=f"M{x.start} {bottom}H{x.end}"))
    return tag("g", *parts)


def _marks(marks: Sequence[Mark], x: Scale, height: float) -> Markup:
    """Draw a line where the rule changes, with a head of its method's colour at a switch."""
    parts = []
    for mark in marks:
        at = x(mark.step)
        style = f"--c:{mark.ink.colour}" if mark.ink is not None else None
        kind = "switch" if mark.is_switch else "stage"
        said = tag("title", f"step {mark.step:,}: {mark.text}") if mark.text else Markup("")
        line = tag("path", said, class_=kind, d=f"M{at:.1f} {TOP - 2}V{height - BOTTOM}")
        head = tag("path", class_="head", d=f"M{at - 5:.1f} {TOP - 10}h10l-5 8z")
        parts.append(tag("g", line, head if mark.is_switch else Markup(""), style=style))
    return tag("g", *parts)


def _hover(
    xs: np.ndarray, bins: np.ndarray, inks: Sequence[Ink], values: np.ndarray, unit: str
) -> str:
    """Return what the tooltip says at each bin, as JSON."""
    if len(xs) == len(bins):
        xs = (xs[:-1] + xs[1:]) / 2
    spans = zip(bins[:-1].tolist(), bins[1:].tolist(), strict=True)
    content = {
        "x": [round(float(at), 1) for at in xs],
        "at": [f"{a + 1:,}" if b == a + 1 else f"{a + 1:,}–{b:,}" for a, b in spans],
        "names": [ink.name for ink in inks],
        "colours": [ink.colour for ink in inks],
        "values": [[number(float(value)) for value in row] for row in values],
        "unit": unit,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _bands(xs: np.ndarray, curve: Curve, y: Scale) -> list[str]:
    """Return the band of each unbroken stretch of a curve, where it is wider than its line."""
    known = np.isfinite(curve.middle) & np.isfinite(curve.low) & np.isfinite(curve.high)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(int)))
    found = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        part = slice(start, end)
        if end - start < 2 or np.array_equal(curve.low[part], curve.high[part]):
            continue
        upper = [(at, _at(y, value)) for at, value in zip(xs[part], curve.high[part], strict=True)]
        lower = [(at, _at(y, value)) for at, value in zip(xs[part], curve.low[part], strict=True)]
        found.append(path([*upper, *lower[::-1]]) + "Z")
    return found


def _lonely(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points of a line that have no neighbour: a line would not show them."""
    known = [False, *(bool(np.isfinite(y)) for _, y in points), False]
    return [
        point
        for index, point in enumerate(points, start=1)
        if known[index] and not known[index - 1] and not known[index + 1]
    ]


def _at(scale: Scale, value: float) -> float:
    """Return the position of a number, kept inside the axis."""
    return scale(min(max(float(value), scale.low), scale.high)) if np.isfinite(value) else np.nan


def _text(text: str, x: float, y: float, kind: str, anchor: str) -> Markup:
    return tag("text", text, x=x, y=y, class_=kind, text_anchor=anchor)


def _cut(text: str, most: int = 13) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
