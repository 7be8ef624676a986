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
        "probes, macro-F1 on new speakers",
        ("run", "of", "aligner", "best layer", "before training", "shuffled"),
        [
            _probe_row(name, what, one["probes"])
            for name, one in runs.items()
            for what in one.get("probes", {}).get("after", {})
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


def _probe_row(name: str, what: str, probes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a probe reads from the aligner outputs and from the best layer."""
    after, before = probes["after"][what]["places"], probes["before"][what]["places"]
    aligner = after["aligner"]
    layers = [place for place in after if place != "aligner"]
    best = max(layers, key=lambda place: float(after[place]["macro_f1"]))
    return (
        name,
        what,
        f"{100 * aligner['macro_f1']:.1f}",
        f"{100 * after[best]['macro_f1']:.1f} ({best})",
        f"{100 * before[best]['macro_f1']:.1f}",
        f"{100 * after[best]['shuffled']:.1f}",
    )


def _print(title: str, header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    if not rows:
        screen.stdout.print(f"{title}: none", markup=False)
        return
    screen.print_table(title, header, rows[:_MOST])
    if len(rows) > _MOST:
        screen.stdout.print(f"and {len(rows) - _MOST} more, in --json", markup=False)
