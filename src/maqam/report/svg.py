"""SVG by hand: escaped tags, scales, ticks. Small enough to inline, and it prints sharp."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape


def tag(name: str, *content: str, **attributes: object) -> Markup:
    """Write one element; content and attributes are escaped unless they are `Markup`.

    Args:
        name: Name of the element.
        content: What it holds.
        attributes: `class_` gives class, an underscore gives a hyphen, None leaves one out.

    Examples:
        >>> tag("text", "<b>", class_="tick", text_anchor="end")
        Markup('<text class="tick" text-anchor="end">&lt;b&gt;</text>')
    """
    parts = [
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    inside = "".join(escape(part) for part in content)
    return Markup(f"<{name}{''.join(parts)}>{inside}</{name}>")


def join(parts: Iterable[str]) -> Markup:
    """Put elements one after the other."""
    return Markup("").join(parts)


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers to positions on one axis of a picture.

    Attributes:
        low: Number at `start`.
        high: Number at `end`.
        start: Position of `low`.
        end: Position of `high`.
        is_log: Whether equal ratios take equal room.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Return the position of a number.

        Examples:
            >>> Scale(0, 10, 100, 200)(5), Scale(1, 100, 0, 200, is_log=True)(10)
            (150.0, 100.0)
        """
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, self.low))
        return self.start + (self.end - self.start) * (value - low) / (high - low)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers between two numbers, at most `most`.

    Examples:
        >>> ticks(0, 300), ticks(0, 0.9)
        ([0, 100, 200, 300], [0.0, 0.25, 0.5, 0.75])
    """
    span = high - low
    if not span > 0:
        return [low]
    base = 10.0 ** math.floor(math.log10(span / most))
    step = next(base * k for k in (1, 2, 2.5, 5, 10, 20) if span / (base * k) <= most - 1 + 1e-9)
    first = math.ceil(low / step - 1e-9)
    values = [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]
    return [int(value) for value in values] if step >= 1 and step % 1 == 0 else values


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten, with 2 and 5 times them where there is room.

    Examples:
        >>> log_ticks(0.5, 30)
        [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(powers) <= 4 else (1,)
    found = [k * 10.0**power for power in powers for k in steps]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with so many significant digits, and nothing for none.

    Examples:
        >>> number(0.012345), number(1234.5), number(12.0), number(None)
        ('0.0123', '1,234', '12', '')
    """
    if value is None or not math.isfinite(value):
        return ""
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def path(points: Sequence[tuple[float, float]]) -> str:
    """Write the `d` of a line through points; a point that is not finite breaks it.

    Examples:
        >>> path([(0, 0), (1, 2), (2, float("nan")), (3, 1)])
        'M0 0L1 2M3 1'
    """
    parts, pen = [], "M"
    for x, y in points:
        if not math.isfinite(y):
            pen = "M"
            continue
        parts.append(f"{pen}{_short(x)} {_short(y)}")
        pen = "L"
    return "".join(parts)


def stairs(xs: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> str:
    """Write the `d` of an area whose edges are level inside each bin.

    Args:
        xs: (num_bins + 1,) positions of the edges of the bins.
        top: (num_bins,) positions of the upper edge.
        bottom: (num_bins,) positions of the lower edge.

    Examples:
        >>> stairs(np.array([0, 1, 2]), np.array([5, 6]), np.array([9, 9]))
        'M0 5H1V6H2V9H0Z'
    """
    forward = _level(xs, top)
    back = _level(xs[::-1], bottom[::-1])
    return f"M{_short(xs[0])} {_short(top[0])}{forward}V{_short(bottom[-1])}{back}Z"


def _level(xs: np.ndarray, ys: np.ndarray) -> str:
    """Write level runs from the first position on, joined where the height stays."""
    parts = []
    for index in range(len(ys)):
        is_last = index == len(ys) - 1
        if is_last or _short(ys[index + 1]) != _short(ys[index]):
            parts.append(f"H{_short(xs[index + 1])}")
            if not is_last:
                parts.append(f"V{_short(ys[index + 1])}")
    return "".join(parts)


def _short(value: object) -> str:
    """Write a position with one decimal at most, so that pages stay small."""
    if isinstance(value, float | np.floating | np.integer):
        text = f"{float(value):.1f}"
        return text[:-2] if text.endswith(".0") else text
    return str(value)
