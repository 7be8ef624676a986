"""What is measured of a run's model: conflict at what is left of it, and probes of its layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maqam.diagnose.checkpoints import measure_models, stored_steps
from maqam.diagnose.measure import ConflictMeasure
from maqam.diagnose.probing.probes import ProbeSplit, probe_places, probe_rows
from maqam.diagnose.probing.states import layer_states
from maqam.diagnose.record import with_measures
from maqam.diagnose.rows import choose_rows
from maqam.diagnose.signatures import memorised_labels
from maqam.models.audio_states import encoded_states
from maqam.models.freezing import train_only
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.run_layout import RunLayout
from maqam.runs.session import Session
from maqam.runs.stages import diagnosed_rows
from maqam.schedule.plan import rows_checksum
from maqam.train.objective import TrainingModel

Measures = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Measuring:
    """What is measured of a model.

    Attributes:
        rows_from: Split of the fixed rows; that of each recipe when None.
        probes: Whether to probe the layers for dialect, emotion and speaker.
        split: Split that probes are scored on.
    """

    rows_from: str | None = None
    probes: bool = True
    split: str = "test"


def measured(
    files: RunLayout,
    asked: Measuring,
    session: Session,
    measures: Measures,
    notes: list[str],
) -> tuple[Measures, dict[str, Any]]:
    """Measure the model of a run and its checkpoints; say in the notes what is not measured.

    Args:
        files: The run.
        asked: What is measured.
        session: Data and model of its recipe.
        measures: Lines of `conflict.jsonl` that are there.
        notes: Gets what the user should know.

    Returns:
        The lines by step, and what else a diagnosis holds: "memorised", "probes".

    Raises:
        RunError: If there are no rows to measure on, or a checkpoint is damaged.
        ModelError: If the model or its adapter does not load.
    """
    if session.recipe.train.phase != "tune":
        notes.append("conflict and probes are of what phase tune trains: not measured")
        return measures, {}
    if files.read_record().get("state") != "finished":
        return measures, {}
    fixed = diagnosed_rows(session, asked.rows_from)
    trained = choose_rows(
        session.manifest, session.train_rows, session.recipe.diagnose.rows, seed=0
    )
    kept = [one for one in measures if one["rows_checksum"] == rows_checksum(fixed.rows)]
    if len(kept) < len(measures):
        notes.append(
            f"{len(measures) - len(kept)} measures of other rows than diagnose.rows and "
            "diagnose.split give are left out"
        )
    probed = _probed(session, asked, notes)
    spoken = [rows for one in probed.values() for rows in (one.train, one.test)]
    rows = np.unique(np.concatenate([fixed.rows, trained.rows, *spoken]))
    stored = session.audio_states(rows)
    with session.hearing(rows):
        before = _probes(session, session.backbone, stored, probed, "before training")
        backbone = session.trained(files)
        train_only(backbone, session.recipe.train.trainable_parts)
        after = _probes(session, backbone, stored, probed, session.recipe.name)
        states = stored or encoded_states(backbone, session.manifest)
        learner = TrainingModel(backbone)
        measure, own = (
            ConflictMeasure(backbone, learner, session.manifest, one, (states, None))
            for one in (fixed, trained)
        )
        labels = own.losses()["label"]
        lines = with_measures(kept, _new(files, session, learner, measure, kept))
    held_out = lines[-1]["losses"]["label"]
    extra: dict[str, Any] = {"memorised": memorised_labels(labels, held_out, _shares(session))}
    if probed:
        extra["probes"] = {"before": before, "after": after}
    return lines, extra


def _new(
    files: RunLayout,
    session: Session,
    learner: TrainingModel,
    measure: ConflictMeasure,
    kept: Sequence[Mapping[str, Any]],
) -> Measures:
    """Measure the steps of a run that were not measured before."""
    num_steps = sum(1 for _ in files.read_steps())
    known = [one["step"] for one in kept]
    total = len({*stored_steps(files), num_steps} - set(known))
    new: Measures = []
    with session.bars(f"conflict of {session.recipe.name}") as progress:
        for one in measure_models(files, learner, measure, num_steps, known):
            new.append(one)
            progress(len(new), total)
    return new


def _probed(session: Session, asked: Measuring, notes: list[str]) -> dict[str, ProbeSplit]:
    """Deal the rows of probes; say which speakers leave test rows out, and where there are none."""
    if not asked.probes:
        return {}
    test = session.fitting(session.manifest.select(split=asked.split))
    found = probe_rows(session.manifest, session.train_rows, test)
    if not found:
        notes.append("nothing is probed: no label, dialect or speaker has enough rows with audio")
    notes += [
        f"probe of {name}: {one.left_out} rows of {asked.split} are of speakers or labels of the "
        "training, or of none there, and left out"
        for name, one in found.items()
        if one.left_out
    ]
    return found


def _probes(
    session: Session,
    backbone: AudioLLM,
    stored: AudioStates | None,
    probed: Mapping[str, ProbeSplit],
    name: str,
) -> dict[str, Any]:
    if not probed:
        return {}
    rows = np.unique(
        np.concatenate([part for one in probed.values() for part in (one.train, one.test)])
    )
    states = stored or encoded_states(backbone, session.manifest)
    with session.bars(f"probe {name}") as progress:
        found = layer_states(backbone, session.manifest, rows, states, progress)
    return probe_places(found, rows, probed)


def _shares(session: Session) -> dict[str, float]:
    """Return the share of each label of its task's training rows, by "task: label"."""
    rows = session.train_rows
    tasks = session.manifest.column("task")[rows]
    labels = session.manifest.column("label")[rows]
    found = {}
    for task in np.unique(tasks).tolist():
        own = labels[tasks == task]
        for label in {one for one in own.tolist() if one is not None}:
            found[f"{task}: {label}"] = float(np.mean(own == label))
    return found
