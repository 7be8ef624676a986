"""What a report says about data that training and test share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maqam.errors import RunError
from maqam.files import read_table
from maqam.report.records import StudyRecord
from maqam.run_layout import StudyLayout

NOT_CHECKED = "whether training and test data overlap was not checked (maqam data overlap)."
_HINT = "write it anew: maqam data overlap TRAIN TEST --json"


@dataclass(frozen=True, slots=True)
class OverlapFinding:
    """What a report says of overlap.

    Attributes:
        text: The sentence.
        is_clear: Whether somebody looked and training and test share no audio and no sentence.
    """

    text: str
    is_clear: bool


def own_overlap(folders: Sequence[Path]) -> Path | None:
    """Return the overlap file that a study wrote into its folder, None where there is none."""
    found = StudyLayout(folders[0]).overlap if len(folders) == 1 else None
    return found if found is not None and found.is_file() else None


def overlap_finding(study: StudyRecord, path: Path | None) -> OverlapFinding:
    """Return the verdict of an overlap file, or say that nobody looked.

    Args:
        study: The runs.
        path: What `maqam data overlap --json` printed.

    Raises:
        RunError: If the file is broken, or compares other training data than that of the runs.
    """
    if path is None:
        return OverlapFinding(NOT_CHECKED, is_clear=False)
    content = read_table(path, _HINT)
    try:
        verdict, train, test = content["verdict"], content["train"], content["test"]
        fingerprint, compared = str(train["fingerprint"]), _compared(train, test)
        is_clear = content["num_leaking"] == 0
    except (KeyError, TypeError) as error:
        raise RunError(
            f"a field is missing or of the wrong kind: {error}", where=str(path), hint=_HINT
        ) from error
    prints = [run.facts.get("fingerprints", {}).get("manifest") for run in study.runs]
    if any(own is not None and own != fingerprint for own in prints):
        raise RunError(
            "its training manifest is not that of the runs",
            where=str(path),
            hint="give maqam data overlap the manifest of their recipes",
        )
    return OverlapFinding(f"{verdict} (compared: {compared}).", is_clear)


def _compared(train: Mapping[str, Any], test: Mapping[str, Any]) -> str:
    if train["manifest"] == test["manifest"] and train["split"] and test["split"]:
        return f"splits {train['split']} and {test['split']} of {train['manifest']}"
    return f"{_named(train)} with {_named(test)}"


def _named(side: Mapping[str, Any]) -> str:
    split = side["split"]
    return str(side["manifest"]) + (f", split {split}" if split else "")
