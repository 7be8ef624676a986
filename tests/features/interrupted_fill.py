"""Fills a store with made-up states; a test kills this process or takes away its disk.

Run as a module: `python -m features.interrupted_fill FOLDER [most bytes of a file]`.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np

from maqam.errors import StoreError
from maqam.features import store
from maqam.features.store import StoreWriter

from .states import DIM, INPUTS, pooled_of, states_of

ROWS = np.arange(90)


def main(folder: Path) -> None:
    store.NOTE_SECONDS = 0.0
    writer = StoreWriter(folder, INPUTS, ROWS, DIM, "float32")
    for first in range(writer.num_done, len(ROWS), 3):
        batch = ROWS[first : first + 3]
        writer.append([states_of(int(row)) for row in batch], pooled_of(batch))
        time.sleep(0.005)
        print(first, flush=True)
    writer.finish()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        most = int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        main(Path(sys.argv[1]))
    except StoreError as error:
        print(error, error.hint, sep="\n", file=sys.stderr)
        sys.exit(1)
