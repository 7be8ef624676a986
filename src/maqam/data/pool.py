"""From a manifest to the pool that schedules deal from."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from maqam.data.manifest import Manifest
from maqam.schedule import Pool

AXES = ("task", "label", "dialect")


def pool_from_manifest(
    manifest: Manifest, rows: np.ndarray, *, clusters: np.ndarray | None = None
) -> Pool:
    """Make the pool of some rows of a manifest.

    Args:
        manifest: Where the utterances are described.
        rows: (num_rows,) their row indexes; a plan holds these numbers.
        clusters: (num_rows,) cluster of each; absent when the schedule needs none.

    Returns:
        A pool with the axes task, label and dialect, "-" where a row has none, and cluster.

    Raises:
        ScheduleError: If there are no rows.
    """
    columns, names = {}, {}
    for axis in AXES:
        columns[axis], texts = manifest.codes(axis, rows)
        names[axis] = tuple(texts)
    if clusters is not None:
        columns["cluster"] = np.asarray(clusters)
    ids = manifest.table.column("id").take(pa.array(rows, pa.int64())).to_pylist()
    pool = Pool.from_columns(columns, ids=ids, rows=rows)
    return replace(pool, names={**pool.names, **names})
