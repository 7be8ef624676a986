"""What a report says about data that training and test share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maqam.errors import RunError
from maqam.report.records import Study, read_table

NOT_CHECKED = "whether training and test data overlap was not checked (maqam data overlap)."
_HINT = "write it anew: maqam data overlap TRAIN TEST --json"


def overlap_sentence(study: Study, path: Path | None) -> str:
    """Give the verdict of an overlap file, or say that nobody looked.

    Args:
        study: The runs.
        path: What `maqam data overlap --json` printed.

    Raises:
        RunError: If the file is broken, or compares other training data than that of the runs.
    """
    if path is None:
        return NOT_CHECKED
    content = read_table(path, _HINT)
    try:
        verdict, train, test = content["verdict"], content["train"], content["test"]
        fingerprint, compared = str(train["fingerprint"]), f"{_named(train)} with {_named(test)}"
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
    return f"{verdict} (compared: {compared})."


def _named(side: Mapping[str, Any]) -> str:
    split = side["split"]
    return str(side["manifest"]) + (f", split {split}" if split else "")
