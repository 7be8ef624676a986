"""Whether the training and the test split of a study share audio, sentences or speakers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from maqam.data.manifest import Manifest
from maqam.errors import RunError
from maqam.files import read_table, write_json
from maqam.inspection.overlap import FORMAT_VERSION, find_overlap, overlap_record, side
from maqam.progress import Bars


def check_overlap(
    manifest: Manifest,
    splits: tuple[str, str],
    path: Path,
    bars: Bars,
    say: Callable[[str], None],
) -> None:
    """Write what `maqam data overlap --json` prints of two splits; a file of the same data is kept.

    Args:
        manifest: The utterances.
        splits: The training and the test split.
        path: File of the result.
        bars: Opens a progress bar for a stage.
        say: Takes the verdict where the splits share audio or sentences.

    Raises:
        ManifestError: If a split has no utterance.
        AudioError: If a clip cannot be read.
    """
    found = _kept(path, manifest, splits)
    if found is None:
        sides = side(manifest, splits[0]), side(manifest, splits[1])
        with bars("compare training and test audio") as progress:
            found = overlap_record(*sides, find_overlap(*sides, progress=progress))
        write_json(path, found)
    if found["num_leaking"]:
        say(str(found["verdict"]))


def _kept(path: Path, manifest: Manifest, splits: tuple[str, str]) -> Mapping[str, Any] | None:
    """Return what an earlier call found on the same data, None where there is no such thing."""
    try:
        found = read_table(path, "", FORMAT_VERSION)
        compared = [(found[one]["fingerprint"], found[one]["split"]) for one in ("train", "test")]
        _, _ = found["verdict"], found["num_leaking"]
    except (RunError, KeyError, TypeError):
        return None
    wanted = [(manifest.fingerprint, split) for split in splits]
    return found if compared == wanted else None
