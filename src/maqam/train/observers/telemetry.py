"""What a run writes while it trains: one JSON line a step."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from maqam.files import RESUME, lines_of, whole_file, writing
from maqam.run_layout import RunLayout
from maqam.train.objective import TrainingModel
from maqam.train.observers.observer import Observer, Training

_WHAT = "the record of the steps"


class Telemetry(Observer):
    """The growing record of a run's steps.

    Args:
        run_folder: Folder of the run.
    """

    def __init__(self, run_folder: Path) -> None:
        self._path = RunLayout(run_folder).steps
        self._file: TextIO | None = None

    def on_begin(self, training: Training) -> None:
        """Open the record, on the first process."""
        if training.is_first:
            self.open(training.first_step)

    def open(self, last_step: int = 0) -> None:
        """Open the record.

        Args:
            last_step: Step of the checkpoint the run goes on from, 0 for a new run; lines past
                it are removed, since their steps will be taken again.

        Raises:
            RunError: If the record cannot be written, or its lines cannot be read again.
        """
        with writing(self._path, _WHAT, hint=RESUME):
            _cut(self._path, last_step)
            self._file = self._path.open("a", encoding="utf-8")

    def on_step(self, record: Mapping[str, Any], learner: TrainingModel | None = None) -> None:
        """Append the record of one step.

        Raises:
            RunError: If it cannot be written, for want of space mostly.
        """
        if self._file is None:
            return
        with writing(self._path, _WHAT, hint=RESUME):
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()

    def on_end(self, error: BaseException | None) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def read_steps(run_folder: Path, last_step: int) -> list[dict[str, Any]]:
    """Read the records of the steps up to one, in order; none where there is no record yet."""
    path = RunLayout(run_folder).steps
    if not path.exists():
        return []
    return [json.loads(line) for line in _kept(path, last_step)]


def _cut(path: Path, last_step: int) -> None:
    """Remove the lines past a step, a half-written one among them."""
    if not path.exists():
        return
    kept = _kept(path, last_step)
    with whole_file(path) as draft:
        draft.write_text("".join(kept), encoding="utf-8")


def _kept(path: Path, last_step: int) -> list[str]:
    """Return the lines up to a step, as far as they are whole."""
    kept = []
    for line in lines_of(path):
        try:
            step = json.loads(line)["step"]
        except (ValueError, KeyError):
            break
        if step > last_step:
            break
        kept.append(line)
    return kept
