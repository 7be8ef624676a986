"""Columns of hypotheses made by hand: the part of hypotheses.parquet that scoring reads."""

from typing import Any

from maqam.tasks import default_tasks

TASKS = default_tasks()


def make_columns(
    task: str,
    pairs: list[tuple[str, str]],
    *,
    speakers: list[str | None] | None = None,
    dialects: list[str | None] | None = None,
    answered: list[str | None] | None = None,
) -> dict[str, list[Any]]:
    """Return the columns of (reference, hypothesis) pairs of one task.

    For a label task the hypothesis is the label that scored best (0, the others -1); `answered` is
    the one that was read out of the generated answer, the same unless given.
    """
    hypotheses = [hypothesis for _, hypothesis in pairs]
    labels = TASKS[task].labels
    scores = [[0.0 if label == best else -1.0 for label in labels] for best in hypotheses]
    return {
        "id": [f"{task}-{index}" for index in range(len(pairs))],
        "task": [task] * len(pairs),
        "dialect": dialects or [None] * len(pairs),
        "speaker": speakers or [None] * len(pairs),
        "reference": [reference for reference, _ in pairs],
        "hypothesis": hypotheses,
        "predicted_label": list(hypotheses),
        "label_scores": scores,
        "answered_label": list(hypotheses) if answered is None else answered,
    }


def joined(*tables: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Put tables below each other."""
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}
