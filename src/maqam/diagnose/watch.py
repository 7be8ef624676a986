"""The observer that measures conflict while a run trains, a line of `conflict.jsonl` at a time."""

from pathlib import Path
from typing import Any

from maqam.data.manifest import Manifest
from maqam.diagnose.measure import ConflictMeasure
from maqam.diagnose.moments import live_moments
from maqam.diagnose.record import read_conflicts
from maqam.diagnose.rows import FixedRows
from maqam.files import write_records
from maqam.run_layout import RunLayout
from maqam.train.observers.observer import Gradients, Observer, Training


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
        moments = live_moments(gradients.optimizer, self._measure.gradients.parameters)
        self._known.append(self._measure(step, moments))
        write_records(self._path, self._known)
