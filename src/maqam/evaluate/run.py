"""From a trained backbone to hypotheses and scores on disk."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from maqam.data.manifest import Manifest
from maqam.errors import RunError
from maqam.evaluate.decode import Answer, Progress, answer_rows
from maqam.models.backbone import AudioStates, Backbone
from maqam.score.scoring import score_hypotheses
from maqam.score.settings import ScoreSettings
from maqam.tasks import TASKS
from maqam.text.labels import parse_label

HYPOTHESES = "hypotheses.parquet"
SCORES = "scores.json"

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "task", "label", "dialect", "speaker", "source")),
        *((name, pa.string()) for name in ("reference", "hypothesis", "predicted_label")),
        ("label_scores", pa.list_(pa.float64())),
        ("answered_label", pa.string()),
        ("num_tokens", pa.int64()),
        ("stopped", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How rows are decoded and scored.

    Attributes:
        settings: Limits of decoding and rules of scoring.
        audio_states: Aligner outputs of rows.
        seed: Seed of the bootstrap.
    """

    settings: ScoreSettings
    audio_states: AudioStates
    seed: int = 0


def evaluate_rows(
    backbone: Backbone,
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
    if not len(rows):
        raise RunError(
            "no utterance to score", where=str(manifest.path), hint="check the name of the split"
        )
    answers = answer_rows(
        backbone,
        manifest,
        rows,
        settings=evaluation.settings,
        audio_states=evaluation.audio_states,
        progress=progress,
    )
    plain = manifest.rows(rows)
    table = pa.Table.from_pylist(
        [_hypothesis(row, answer) for row, answer in zip(plain, answers, strict=True)],
        schema=SCHEMA,
    )
    scores = score_hypotheses(
        table.to_pydict(),
        settings=evaluation.settings,
        seed=evaluation.seed,
        split=str(plain[0]["split"]),
        synthetic=any(row["synthetic"] for row in plain),
    )
    text = json.dumps(scores, ensure_ascii=False, indent=1)
    _write(folder / HYPOTHESES, lambda partial: pq.write_table(table, partial))
    _write(folder / SCORES, lambda partial: partial.write_text(text, encoding="utf-8"))
    return scores


def read_hypotheses(folder: Path) -> dict[str, list[Any]]:
    """Read the columns of hypotheses.parquet.

    Raises:
        RunError: If the run was not evaluated, or the file is damaged.
    """
    path = folder / HYPOTHESES
    if not path.is_file():
        raise RunError(
            "there are no hypotheses", where=str(folder), hint="run maqam eval RUN first"
        )
    try:
        columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"not readable as hypotheses: {str(error).splitlines()[0]}",
            where=str(path),
            hint="run maqam eval RUN again",
        ) from error
    absent = sorted(set(SCHEMA.names) - set(columns))
    if absent:
        raise RunError(
            f"columns are missing: {', '.join(absent)}",
            where=str(path),
            hint="run maqam eval RUN again",
        )
    return columns


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written under a temporary name, then rename it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            hint="make room on the disk, then run maqam eval RUN again",
        ) from error


def _hypothesis(row: dict[str, Any], answer: Answer) -> dict[str, Any]:
    labels = TASKS[row["task"]].labels
    best = labels[int(np.argmax(answer.label_scores))] if labels else None
    return {
        **{name: row[name] for name in ("id", "task", "label", "dialect", "speaker", "source")},
        "reference": row["target"],
        "hypothesis": answer.text,
        "predicted_label": best,
        "label_scores": list(answer.label_scores),
        "answered_label": parse_label(answer.text, labels) if labels else None,
        "num_tokens": answer.num_tokens,
        "stopped": answer.stopped,
    }
