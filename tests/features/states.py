"""Made-up aligner outputs, and stores filled with them."""

from pathlib import Path

import numpy as np

from maqam.features.store import FeatureStore, StoreWriter

DIM = 4
INPUTS = {"weights": "w", "preprocessing": "p", "audio": "a", "dtype": "float32"}


def states_of(row: int) -> np.ndarray:
    """Return made-up aligner outputs of a row: as many frames as its number's last digit."""
    frames = np.arange(row % 10, dtype=np.float32)
    return np.repeat(row + frames[:, None] / 8, DIM, axis=1)


def pooled_of(rows: np.ndarray) -> np.ndarray:
    """Return their means over frames."""
    states = [states_of(int(row)) for row in rows]
    return np.stack([one.mean(axis=0) if len(one) else np.zeros(DIM) for one in states])


def fill(
    folder: Path, rows: np.ndarray, *, inputs: dict[str, str] = INPUTS, dtype: str = "float32"
) -> FeatureStore:
    """Fill a store with made-up states, two rows at a time."""
    writer = StoreWriter(folder, inputs, rows, DIM, dtype)
    for first in range(writer.num_done, len(rows), 2):
        batch = rows[first : first + 2]
        writer.append([states_of(int(row)) for row in batch], pooled_of(batch))
    return writer.finish()
