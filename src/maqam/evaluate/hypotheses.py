"""The files of an evaluation: what was decoded, and its scores; rescoring needs no model.

The split and whether the speech is synthetic stand in the metadata of the Parquet file, so the
hypotheses alone give back the whole of scores.json.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.errors import RunError, first_line
from maqam.files import whole_file, write_json, writing
from maqam.run_layout import EvaluationLayout
from maqam.score.scoring import score_hypotheses
from maqam.score.settings import ScoreSettings
from maqam.tasks import Task, Tasks

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "task", "label", "dialect", "speaker", "source")),
        *((name, pa.string()) for name in ("reference", "hypothesis", "predicted_label")),
        *((name, pa.float64()) for name in ("seconds", "snr_db")),
        ("document", pa.string()),
        ("label_scores", pa.list_(pa.float64())),
        ("label_tokens", pa.list_(pa.int64())),
        ("answered_label", pa.string()),
        ("num_tokens", pa.int64()),
        ("stopped", pa.bool_()),
    ]
)
_LATER = ("seconds", "snr_db", "document", "label_tokens")  # unknown in earlier files
_ORIGIN = b"maqam_origin"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a table of hypotheses was decoded from.

    Attributes:
        split: Name of the split.
        synthetic: Whether any of the speech is synthetic.
        left_out: Rows of the split that the model does not take, by task and reason.
    """

    split: str
    synthetic: bool
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def known_of(row: dict[str, Any], task: Task) -> dict[str, Any]:
    """Return what a row of a manifest says of an utterance, in the columns of `SCHEMA`."""
    names = ("id", "task", "label", "dialect", "speaker", "source", "seconds")
    return {
        **{name: row[name] for name in names},
        "snr_db": row.get("snr_db"),
        "document": _document(row, task),
        "reference": row["target"],
    }


def _document(row: dict[str, Any], task: Task) -> str | None:
    """Return what an answer rests on, where it is a text and not the answer itself."""
    if task.labels or task.target == "text":
        return None
    if row.get("text"):
        return str(row["text"])
    return None if row["audios"] else str(row["messages"][-2]["content"])


def write_hypotheses(folder: Path, rows: list[dict[str, Any]], origin: Origin) -> pa.Table:
    """Write hypotheses.parquet, whole or not at all.

    Args:
        folder: Where it goes.
        rows: Values of the columns of `SCHEMA`.
        origin: What they were decoded from.

    Returns:
        Its columns.

    Raises:
        RunError: If it cannot be written.
    """
    metadata = {_ORIGIN: json.dumps(asdict(origin))}
    table = pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata(metadata))
    file = EvaluationLayout(folder).hypotheses
    with writing(file), whole_file(file) as draft:
        pq.write_table(table, draft)
    return table


def read_hypotheses(folder: Path) -> dict[str, list[Any]]:
    """Read the columns of hypotheses.parquet.

    Raises:
        RunError: If the run was not evaluated, or the file is damaged.
    """
    columns: dict[str, list[Any]] = _read(folder).to_pydict()
    return columns


def score(
    table: pa.Table,
    origin: Origin,
    file: Path,
    *,
    tasks: Tasks,
    settings: ScoreSettings,
    seed: int,
) -> dict[str, Any]:
    """Score hypotheses and write the scores.

    Args:
        table: The hypotheses.
        origin: What they were decoded from.
        file: Where the scores go.
        tasks: The tasks that there are.
        settings: Profile and resamples.
        seed: Seed of the bootstrap.

    Returns:
        What the file holds.

    Raises:
        RunError: If it cannot be written.
    """
    scores = score_hypotheses(
        table.to_pydict(),
        tasks=tasks,
        settings=settings,
        seed=seed,
        split=origin.split,
        synthetic=origin.synthetic,
    )
    scores["left_out"] = origin.left_out
    write_json(file, scores)
    return scores


def rescore(
    folder: Path,
    file: Path,
    *,
    tasks: Tasks,
    settings: ScoreSettings,
    seed: int,
    origin: Origin | None = None,
) -> dict[str, Any]:
    """Score the hypotheses of a folder again, without the model that gave them.

    Args:
        folder: Holds hypotheses.parquet.
        file: Where the scores go.
        tasks: The tasks that there are.
        settings: Profile and resamples.
        seed: Seed of the bootstrap.
        origin: What the hypotheses were decoded from, for files that do not say it themselves.

    Returns:
        What the file holds.

    Raises:
        RunError: If there are no hypotheses, or it is unknown where they come from.
    """
    table = _read(folder)
    text = (table.schema.metadata or {}).get(_ORIGIN)
    known = origin if text is None else Origin(**json.loads(text))
    if known is None:
        raise RunError(
            "the hypotheses do not name their split",
            where=str(EvaluationLayout(folder).hypotheses),
            hint="an earlier maqam wrote them: run maqam eval RUN again",
        )
    return score(table, known, file, tasks=tasks, settings=settings, seed=seed)


def _read(folder: Path) -> pa.Table:
    path = EvaluationLayout(folder).hypotheses
    if not path.is_file():
        raise RunError(
            "there are no hypotheses", where=str(folder), hint="run maqam eval RUN first"
        )
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"not readable as hypotheses: {first_line(error)}",
            where=str(path),
            hint="run maqam eval RUN again",
        ) from error
    for name in _LATER:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), SCHEMA.field(name).type))
    absent = sorted(set(SCHEMA.names) - set(table.column_names))
    if absent:
        raise RunError(
            f"columns are missing: {', '.join(absent)}",
            where=str(path),
            hint="run maqam eval RUN again",
        )
    return table
