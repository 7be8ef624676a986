"""The observer that measures conflict while a run trains, a line of `conflict.jsonl` at a time."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from maqam.data.manifest import Manifest
from maqam.diagnose.measure import ConflictMeasure
from maqam.diagnose.moments import live_moments
from maqam.diagnose.rows import FixedRows
from maqam.errors import RunError
from maqam.files import lines_of, write_records
from maqam.run_layout import RunLayout
from maqam.train.observers.observer import Gradients, Observer, Training

_DAMAGED = "remove the file: maqam diagnose measures the checkpoints that are left"


class ConflictWatch(Observer):
    """Measures the conflict between tasks every so many steps, on the first process.

    Args:
        manifest: Where the rows are.
        fixed: The utterances whose gradients are compared.
        every: Steps between measures; the first is of the untrained adapter.
        run_folder: Folder of the run.
        seed: The run's seed.
    """

    def __init__(
        self, manifest: Manifest, fixed: FixedRows, every: int, run_folder: Path, seed: int
    ) -> None:
        self._manifest, self._fixed, self._every, self._seed = manifest, fixed, every, seed
        self._path = RunLayout(run_folder).conflicts
        self._measure: ConflictMeasure | None = None
        self._known: list[dict[str, Any]] = []

    def on_begin(self, training: Training) -> None:
        """Prepare the rows; forget what was measured after the checkpoint a run goes on from.

        Raises:
            RunError: If what was measured before cannot be read or written.
        """
        if not training.is_first:
            return
        batches = training.batches
        self._measure = ConflictMeasure(
            batches.backbone,
            training.learner,
            self._manifest,
            self._fixed,
            (batches.audio_states, batches.log_mels),
            self._seed,
        )
        first = training.first_step
        self._known = [one for one in read_conflicts(self._path) if one["step"] < first]
        write_records(self._path, self._known)

    def on_gradients(self, gradients: Gradients) -> None:
        """Measure the model before a step, where its turn has come."""
        step = gradients.step.number
        if self._measure is None or step % self._every:
            return
        moments = live_moments(gradients.optimizer, self._measure.gradients.layers)
        self._known.append(self._measure(step, moments))
        write_records(self._path, self._known)


def read_conflicts(path: Path) -> list[dict[str, Any]]:
    """Read the measures of conflict of a run, by step; none where there is no file.

    Raises:
        RunError: If a line is broken or of another format.
    """
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(lines_of(path, errors="replace"), start=1):
        try:
            table = json.loads(line)
            if table["format_version"] != 1:
                raise ValueError(f"format version {table['format_version']!r} is not 1")
            table["step"], table["metrics"]["euclidean"]["groups"]["task"]
        except (ValueError, KeyError, TypeError) as error:
            where = f"{path}:{number}"
            raise RunError(
                "a measure of conflict is damaged", where=where, hint=_DAMAGED
            ) from error
        found.append(table)
    return sorted(found, key=lambda one: int(one["step"]))


def with_measures(
    known: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return measures by step; a new one takes the place of an old one of its step."""
    by_step = {int(one["step"]): dict(one) for one in (*known, *new)}
    return [by_step[step] for step in sorted(by_step)]
