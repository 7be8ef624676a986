"""The rows: 5 tasks, 17 labels and 500 clusters, each by Zipf's law, independent of each other.

Independent axes are the hardest case: where there are rows enough all 42,500 cells occur. A label
is a minority label if its share of the rows is below half an equal share: eight of the 17.
"""

from pathlib import Path

import numpy as np

from benchmarks.peers.interface import AXES, Rows


def open_rows(folder: Path, num_rows: int) -> Rows:
    """Read the rows, made and kept in the folder if they are not there yet."""
    place = folder / str(num_rows)
    if not (place / "seconds.npy").exists():
        place.mkdir(parents=True, exist_ok=True)
        for name, values in _make(num_rows).items():
            np.save(place / f"{name}.npy", values)
    columns = {axis: np.load(place / f"{axis}.npy") for axis in AXES}
    return Rows(columns, np.load(place / "seconds.npy"), place)


def sources(rows: Rows, *axes: str) -> list[np.ndarray]:
    """Give the rows of every combination of some axes, in the order of the manifest."""
    codes = np.zeros(rows.num_rows, dtype=np.int32)
    for axis in axes:
        codes = codes * AXES[axis] + rows.columns[axis]
    sizes = np.bincount(codes)
    order = np.argsort(codes.astype(np.int16), kind="stable")  # radix sort: 16 bits are faster
    return [part for part in np.split(order, np.cumsum(sizes)[:-1]) if len(part)]


def minority_labels(rows: Rows) -> np.ndarray:
    """Give the labels that hold less than half an equal share of the rows."""
    held = np.bincount(rows.columns["label"], minlength=AXES["label"])
    return np.flatnonzero(held < rows.num_rows / AXES["label"] / 2)


def _make(num_rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    made: dict[str, np.ndarray] = {}
    for axis, size in AXES.items():
        shares = 1 / np.arange(1, size + 1)
        borders = np.cumsum(shares / shares.sum())[:-1].astype(np.float32)
        drawn = rng.random(num_rows, dtype=np.float32)
        made[axis] = np.searchsorted(borders, drawn).astype(np.int32)
    seconds = np.exp(1.5 + 0.6 * rng.standard_normal(num_rows, dtype=np.float32))
    made["seconds"] = np.clip(seconds, 0.5, 30.0)
    return made
