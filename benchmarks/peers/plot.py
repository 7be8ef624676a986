"""How cost grows with rows, from the JSON of `run` to docs/images/plan-peers.svg.

python -m benchmarks.peers.plot
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from benchmarks.peers.run import RESULTS

PANELS = {
    "first_seconds": "time to first batch, s",
    "peak_mb": "peak memory above the columns, MB",
    "resume_90_seconds": "resume at 90 %, s",
}
COLOURS = {
    "maqam ads": "#b3261e",
    "maqam stratified": "#e07a5f",
    "maqam uniform": "#f2b5a0",
    "torch": "#3d5a80",
    "datasets map": "#2a9d8f",
    "datasets iterable": "#7bc8bd",
    "lhotse": "#6d597a",
    "streaming": "#8d99ae",
}
WIDTH, HEIGHT, LEFT, TOP, GAP = 250, 220, 50, 40, 60


def scale(value: float, low: float, high: float, length: float) -> float:
    """Place a value on a logarithmic axis.

    Examples:
        >>> scale(10.0, 1.0, 100.0, 200.0)
        100.0
    """
    return (math.log10(value) - math.log10(low)) / (math.log10(high) - math.log10(low)) * length


def label(power: int) -> str:
    """Write a power of ten as an axis does."""
    return f"{10.0**power:g}" if -3 <= power <= 3 else f"1e{power}"


def panel(left: float, name: str, records: list[dict[str, Any]]) -> list[str]:
    """Draw one panel: both axes logarithmic, a line and its points a method."""
    values = [one[name] for one in records]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    parts = [f'<text x="{left}" y="{TOP - 14}" class="title">{PANELS[name]}</text>']
    for power in range(low, high + 1):
        y = TOP + HEIGHT - scale(10.0**power, 10.0**low, 10.0**high, HEIGHT)
        parts.append(f'<path d="M{left} {y:.1f}h{WIDTH}" class="grid"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" class="end">{label(power)}</text>')
    for power in (5, 6, 7):
        x = left + 10 + scale(10.0**power, 1e5, 1e7, WIDTH - 20)
        y = TOP + HEIGHT + 18
        parts.append(f'<text x="{x:.1f}" y="{y}" class="middle">1e{power} rows</text>')
    for peer, colour in COLOURS.items():
        points = [
            (
                left + 10 + scale(one["rows"], 1e5, 1e7, WIDTH - 20),
                TOP + HEIGHT - scale(one[name], 10.0**low, 10.0**high, HEIGHT),
            )
            for one in records
            if one["peer"] == peer
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        thick = 2.5 if peer.startswith("maqam") else 1.5
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{thick}"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return parts


def legend() -> list[str]:
    """Name the colours in one line."""
    parts, y = [], TOP + HEIGHT + 44
    for number, (peer, colour) in enumerate(COLOURS.items()):
        x = LEFT + number * 112
        parts.append(f'<circle cx="{x}" cy="{y - 4}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 9}" y="{y}">{peer}</text>')
    return parts


def draw(records: list[dict[str, Any]]) -> str:
    """Draw all panels as one SVG."""
    width, height = LEFT + len(PANELS) * (WIDTH + GAP), TOP + HEIGHT + 60
    style = (
        "text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.end{text-anchor:end}"
        ".middle{text-anchor:middle}.grid{stroke:#ddd}"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        f'<style>{style}</style><rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, name in enumerate(PANELS):
        found = [one for one in records if one.get(name, 0) > 0 and "why_not" not in one]
        parts += panel(LEFT + number * (WIDTH + GAP), name, found)
    return "\n".join([*parts, *legend(), "</svg>\n"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--image", type=Path, default=Path("docs/images/plan-peers.svg"))
    options = parser.parse_args()
    records = json.loads(options.results.read_text(encoding="utf-8"))
    options.image.write_text(draw(records), encoding="utf-8")


if __name__ == "__main__":
    main()
