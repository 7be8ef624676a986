"""The seed null: a difference between schedules, against that of two seeds of one schedule."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from maqam import extras
from maqam.score.comparison.correction import holm

LEVEL = 0.05
DIFFERENT, WITHIN, UNTOLD = "beyond seeds", "within seeds", "one seed: no verdict"

Values = Mapping[str, Mapping[str, Sequence[float]]]  # by measure, by method, one a seed


def seed_null(values: Values) -> list[dict[str, Any]]:
    """Compare every two methods on every measure with what a change of seed does.

    The variance between seeds is pooled over methods, so that a few seeds of each tell it; p-values
    are two-sided (Student's t), and corrected for the number of comparisons (Holm 1979).

    Args:
        values: Numbers of the runs, by measure and method, one a seed.

    Returns:
        A row a measure and pair of methods: both means, difference, the deviation that two seeds
        of one method have, p-value, corrected p-value and verdict.

    Examples:
        >>> rows = seed_null({"spikes": {"ads": [9.0, 8.0], "tpc": [1.0, 0.0]}})
        >>> rows[0]["difference"], rows[0]["verdict"]
        (8.0, 'beyond seeds')
    """
    rows = []
    for measure, by_method in values.items():
        known = {
            method: [float(one) for one in numbers if math.isfinite(one)]
            for method, numbers in by_method.items()
        }
        known = {method: numbers for method, numbers in known.items() if numbers}
        deviation, freedom = _between_seeds([*known.values()])
        for one, other in combinations(known, 2):
            rows.append(_row(measure, (one, other), known, deviation, freedom))
    tested = [row for row in rows if row["p_value"] is not None]
    for row, corrected in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
        row["p_corrected"] = corrected
        row["verdict"] = DIFFERENT if corrected < LEVEL else WITHIN
    return rows


def values_of(found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """Return the numbers that are held against the seed null, by measure and method."""
    values: dict[str, dict[str, list[float]]] = {}

    def add(measure: str, method: str, number: float | None) -> None:
        if number is not None:
            values.setdefault(measure, {}).setdefault(method, []).append(float(number))

    for one in found:
        method = one["method"]
        add("spikes", method, len(one["volatility"]["spikes"]))
        for series, summary in one["volatility"]["series"].items():
            add(f"roughness of the {series}", method, summary["roughness"])
        for pair, cosine in one["cosines"].items():
            add(f"last cosine of {pair}", method, cosine)
        for line in one["losses"][-1:]:
            for task, loss in line["losses"]["task"].items():
                add(f"last loss of {task} on fixed rows", method, loss)
    return values


def _between_seeds(samples: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Return the deviation of one run from its method's mean, and its degrees of freedom."""
    freedom = sum(len(one) - 1 for one in samples)
    squares = sum(float(np.var(one)) * len(one) for one in samples)
    return (math.sqrt(squares / freedom) if freedom else math.nan), freedom


def _row(
    measure: str,
    pair: tuple[str, str],
    known: Mapping[str, Sequence[float]],
    deviation: float,
    freedom: int,
) -> dict[str, Any]:
    one, other = (known[name] for name in pair)
    difference = float(np.mean(one) - np.mean(other))
    error = deviation * math.sqrt(1 / len(one) + 1 / len(other))
    p_value = None
    if freedom:
        if error:
            p_value = float(2 * extras.load("scipy.stats").t.sf(abs(difference) / error, freedom))
        else:
            p_value = 1.0 if not difference else 0.0
    return {
        "measure": measure,
        "method": pair[0],
        "other": pair[1],
        "means": [float(np.mean(one)), float(np.mean(other))],
        "seeds": [len(one), len(other)],
        "difference": difference,
        "between_seeds": deviation * math.sqrt(2) if freedom else None,
        "p_value": p_value,
        "p_corrected": None,
        "verdict": UNTOLD,
    }
