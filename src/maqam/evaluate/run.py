"""From a trained backbone to hypotheses and scores on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maqam.data.manifest import Manifest
from maqam.errors import RunError
from maqam.evaluate.decode import Answer, answer_rows
from maqam.evaluate.hypotheses import Origin, known_of, read_hypotheses, score, write_hypotheses
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.progress import Progress
from maqam.run_layout import EvaluationLayout
from maqam.score.settings import ScoreSettings
from maqam.tasks import Task
from maqam.text.labels import parse_label


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How rows are decoded and scored.

    Attributes:
        settings: Limits of decoding and rules of scoring.
        audio_states: Aligner outputs of rows.
        seed: Seed of the bootstrap.
        left_out: Rows of the split that the model does not take, by task and reason.
        keeps_others: Whether answers to other tasks that are in the folder stay there.
    """

    settings: ScoreSettings
    audio_states: AudioStates
    seed: int = 0
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    keeps_others: bool = False


def evaluate_rows(
    backbone: AudioLLM,
    manifest: Manifest,
    rows: np.ndarray,
    folder: Path,
    evaluation: Evaluation,
    *,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Decode rows, score them, and write both.

    Args:
        backbone: The model, its adapter in place.
        manifest: Where the rows are.
        rows: (num_rows,) row indexes, all of one split.
        folder: Gets hypotheses.parquet and scores.json.
        evaluation: How they are decoded and scored.
        progress: Called with the rows done and their total.

    Returns:
        What scores.json holds.

    Raises:
        RunError: If there is no row to score, or the results cannot be written.
    """
    check_rows(manifest, rows)
    answers = answer_rows(
        backbone,
        manifest,
        rows,
        settings=evaluation.settings,
        audio_states=evaluation.audio_states,
        progress=progress,
    )
    plain = manifest.rows(rows)
    found = [
        _hypothesis(row, answer, manifest.tasks[row["task"]])
        for row, answer in zip(plain, answers, strict=True)
    ]
    if evaluation.keeps_others:
        found = [*_of_other_tasks(folder, found), *found]
    is_synthetic = any(row["synthetic"] for row in plain)
    origin = Origin(str(plain[0]["split"]), is_synthetic, evaluation.left_out)
    table = write_hypotheses(folder, found, origin)
    return score(
        table,
        origin,
        EvaluationLayout(folder).scores,
        tasks=manifest.tasks,
        settings=evaluation.settings,
        seed=evaluation.seed,
    )


def check_rows(manifest: Manifest, rows: np.ndarray) -> None:
    """Refuse to score where there is nothing to score.

    Args:
        manifest: Where the rows are.
        rows: (num_rows,) row indexes of the split that is to be scored.

    Raises:
        RunError: If there is none.
    """
    if not len(rows):
        raise RunError(
            "no utterance to score",
            where=str(manifest.path),
            hint=f"name one of its splits, {', '.join(manifest.codes('split')[1])}, or hold rows "
            "out by maqam data split and train on that manifest",
        )


def _of_other_tasks(folder: Path, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the answers of a folder to other tasks than those just answered."""
    if not EvaluationLayout(folder).hypotheses.is_file():
        return []
    answered = {row["task"] for row in found}
    columns = read_hypotheses(folder)
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    return [row for row in rows if row["task"] not in answered]


def _hypothesis(row: dict[str, Any], answer: Answer, task: Task) -> dict[str, Any]:
    labels = task.labels
    best = labels[int(np.argmax(answer.label_scores))] if labels else None
    return {
        **known_of(row, task),
        "hypothesis": answer.text,
        "predicted_label": best,
        "label_scores": list(answer.label_scores),
        "label_tokens": list(answer.label_tokens),
        "answered_label": parse_label(answer.text, labels) if labels else None,
        "num_tokens": answer.num_tokens,
        "stopped": answer.stopped,
    }
