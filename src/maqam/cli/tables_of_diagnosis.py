"""What a diagnosis found, as tables on the screen."""

from collections.abc import Mapping
from typing import Any

from maqam.cli import screen

_MOST = 12  # lines of a table; the file has all


def print_diagnosis(found: Mapping[str, Any]) -> None:
    """Print the signatures, episodes, spikes and the seed null."""
    runs: Mapping[str, Mapping[str, Any]] = found["runs"]
    for name, one in runs.items():
        for note in one["notes"]:
            screen.say(f"{name}: {note}")
    signs = [
        (name, sign["rule"], sign["sentence"])
        for name, one in runs.items()
        for sign in one["signatures"]
    ]
    _print("signatures", ("run", "rule", "evidence"), signs)
    _print(
        "conflict",
        ("run", "groups", "metric", "from", "steps", "lowest cosine"),
        [
            (
                name,
                f"{e['first']} / {e['second']}",
                e["metric"],
                e["onset"],
                e["length"],
                f"{e['depth']:.2f}",
            )
            for name, one in runs.items()
            for e in one["episodes"]
        ],
    )
    _print(
        "spikes",
        ("run", "of", "step", "times the usual", "steps", "recovered after"),
        [
            (
                name,
                s["series"],
                s["onset"],
                f"{s['size']:.1f}",
                s["duration"],
                "never" if s["recovery"] is None else s["recovery"],
            )
            for name, one in runs.items()
            for s in one["volatility"]["spikes"]
        ],
    )
    _print(
        "schedules against seeds",
        ("measure", "schedules", "means", "p, corrected", "verdict"),
        [
            (
                row["measure"],
                f"{row['method']} / {row['other']}",
                " / ".join(f"{mean:.3g}" for mean in row["means"]),
                "-" if row["p_corrected"] is None else f"{row['p_corrected']:.2g}",
                row["verdict"],
            )
            for row in sorted(
                found["seed_null"],
                key=lambda row: 2.0 if row["p_corrected"] is None else row["p_corrected"],
            )
        ],
    )


def _print(title: str, header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    if not rows:
        screen.stdout.print(f"{title}: none", markup=False)
        return
    screen.print_table(title, header, rows[:_MOST])
    if len(rows) > _MOST:
        screen.stdout.print(f"and {len(rows) - _MOST} more, in --json", markup=False)
