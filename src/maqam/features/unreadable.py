"""One error for all audio that cannot be read, where the first of it would end a stage."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from maqam.data.audio import Clip, in_windows
from maqam.data.containers import MISSING
from maqam.data.manifest import Manifest
from maqam.errors import AudioError
from maqam.files import write_records
from maqam.progress import Bars

_MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row whose audio cannot be read.

    Attributes:
        row: Its row in the manifest.
        id: Its id.
        kind: Such as "missing audio".
        text: The file, and what is wrong with it.
    """

    row: int
    id: str
    kind: str
    text: str


@contextmanager
def all_unreadable(manifest: Manifest, rows: np.ndarray, file: Path, bars: Bars) -> Iterator[None]:
    """Turn the first audio that cannot be read inside the block into one error for all of it.

    Args:
        manifest: Where the audio is named.
        rows: Manifest rows that are read inside, repetitions allowed.
        file: Gets a JSON line for each row that cannot be read; none is there where all can.
        bars: Opens a progress bar for the search.

    Raises:
        AudioError: If audio cannot be read; the block's own error if a second look reads all.
    """
    try:
        yield
    except AudioError as error:
        clips = manifest.clips(np.unique(rows))
        with bars("look for all audio that cannot be read") as progress:
            faults: dict[int, AudioError] = {}
            with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
                heard = zip(clips, in_windows(_fault, clips.values(), threads), strict=True)
                for done, (row, fault) in enumerate(heard, start=1):
                    if fault is not None:
                        faults[row] = fault
                    progress(done, len(clips))
        if not faults:
            raise
        ids = manifest.column("id")
        found = [UnreadableRow(row, ids[row], one.kind, str(one)) for row, one in faults.items()]
        write_records(file, map(asdict, found))
        raise _told(found, len(clips), manifest, file) from error
    file.unlink(missing_ok=True)  # of audio as it was before


def _fault(clip: Clip) -> AudioError | None:
    try:
        clip.read()
    except AudioError as error:
        return error
    return None


def _told(found: list[UnreadableRow], num_clips: int, manifest: Manifest, file: Path) -> AudioError:
    kinds = Counter(one.kind for one in found)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    first = "; ".join(f"{one.id!r}, {one.text}" for one in found[:_MOST_TOLD])
    more = f"; and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    ways = (
        f"{file} lists them all; data.where leaves rows out (id != {found[0].id!r}), and "
        "maqam data check --fix -o FOLDER writes a manifest of the others"
    )
    if kinds[MISSING] == num_clips:
        ways = f"no file is there: maqam data import --media-dir names the folder; {ways}"
    return AudioError(
        f"the audio of {len(found)} of {num_clips} rows cannot be read ({counts}): {first}{more}",
        where=str(manifest.path),
        hint=ways,
    )
