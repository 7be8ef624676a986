"""From a manifest to the pool that schedules deal from."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from maqam.data.manifest import Manifest
from maqam.data.schema import CHANNEL, CLASS_COLUMNS, IMPORT_SCHEMA
from maqam.errors import ScheduleError
from maqam.schedule import Pool
from maqam.schedule.pool import WEIGHT

MOST_GROUPS = 1 << 16  # texts of an axis: transcripts group nothing
AXES = ("task", "label", "dialect", "speaker", "source")


def pool_from_manifest(
    manifest: Manifest,
    rows: np.ndarray,
    *,
    clusters: np.ndarray | None = None,
    values: Mapping[str, np.ndarray] | None = None,
    embeddings: np.ndarray | None = None,
) -> Pool:
    """Make the pool of some rows of a manifest.

    Args:
        manifest: Where the utterances are described.
        rows: (num_rows,) their row indexes; a plan holds these numbers.
        clusters: (num_rows,) cluster of each; absent when the schedule needs none.
        values: Measures that the manifest does not hold, such as tokens, (num_rows,) each.
        embeddings: (num_rows, dim) vectors that batches are picked by.

    Returns:
        A pool with the axes task, label, dialect, speaker and source, "-" where a row has none,
        and cluster; with the measure seconds. A column of the manifest's own is an axis if it
        holds text, of at most 65,536 kinds, and a measure if it holds numbers;
        `sampling_weight` says as how many utterances a row counts, 1 where it is null, an
        axis unless all count 1.

    Raises:
        ScheduleError: If there are no rows, or a weight is not above 0.
    """
    made = {*IMPORT_SCHEMA.names, CHANNEL, WEIGHT} - set(CLASS_COLUMNS)
    own = [name for name in manifest.table.column_names if name not in made]
    types = {name: manifest.table.schema.field(name).type for name in own}
    texts = [name for name in own if kinds.is_string(types[name])]
    axes = [name for name in texts if _is_grouped(manifest.table.column(name))]
    measures = [
        name for name in own if kinds.is_integer(types[name]) or kinds.is_floating(types[name])
    ]
    columns, names = {}, {}
    for axis in (*AXES, *axes):
        columns[axis], groups = manifest.codes(axis, rows)
        names[axis] = tuple(groups)
    if clusters is not None:
        columns["cluster"] = np.asarray(clusters)
    taken = pa.array(rows, pa.int64())
    if WEIGHT in manifest.table.column_names:
        weights = _weights(manifest.table.column(WEIGHT).take(taken))
        if (weights != "1").any():
            columns[WEIGHT] = weights
    measured = {
        name: manifest.table.column(name).take(taken).to_numpy() for name in ("seconds", *measures)
    }
    ids = manifest.table.column("id").take(taken).to_pylist()
    pool = Pool.from_columns(columns, ids=ids, rows=rows, values={**measured, **(values or {})})
    levels = {task.name: task.level for task in manifest.tasks.values()}
    names = {**pool.names, **names}
    return replace(pool, names=names, embeddings=embeddings, levels=levels)


def _is_grouped(texts: pa.ChunkedArray) -> bool:
    return len(texts) <= MOST_GROUPS or int(pc.count_distinct(texts).as_py()) <= MOST_GROUPS


def _weights(values: pa.ChunkedArray) -> np.ndarray:
    """Return the weights of rows as texts that say the numbers.

    Raises:
        ScheduleError: If one is no finite number above 0.
    """
    try:
        weights = pc.fill_null(values.cast(pa.float64()), 1.0).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        weights = np.zeros(1)
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ScheduleError(
            f"column {WEIGHT} holds a value that is not a finite number above 0",
            where="manifest",
            hint="give every row a weight such as 1 or 2.5, or leave the column out",
        )
    numbers, codes = np.unique(weights, return_inverse=True)
    texts = np.array([f"{number:.6g}" for number in numbers])
    found: np.ndarray = texts[codes]
    return found
