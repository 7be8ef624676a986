"""One phase of a run from start to end: check, train, write what came out.

A run folder is either running, with whole checkpoints to go on from, or finished.
"""

import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maqam.data.manifest import Manifest
from maqam.errors import MaqamWarning, RunError, ScheduleError
from maqam.models.adapters import merge_adapter, new_adapter, remove_adapter, save_weights
from maqam.models.adapters.kinds import TrainedAdapter
from maqam.models.audio_states import EncodedStates
from maqam.models.freezing import PartParameters, parameter_table, train_only
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.models.tuning.settings import Experts, Lora
from maqam.models.weights.card import About
from maqam.progress import Progress
from maqam.run_layout import RunLayout
from maqam.schedule.plan import PlanLike
from maqam.seeding import derive
from maqam.tasks import transcribed_tasks
from maqam.train.adaptive.controller import AdaptiveTraining, Controller
from maqam.train.batches import PlanBatches
from maqam.train.checkpoints import newest_checkpoint, weights_folder
from maqam.train.ctc import Transcripts, check_transcribed, spell
from maqam.train.log_mels import LogMels
from maqam.train.objective import TrainingModel
from maqam.train.observers.observer import Observer, StepProgress
from maqam.train.observers.telemetry import Telemetry
from maqam.train.observers.trackers import Trackers
from maqam.train.record import (
    about_training,
    adapter_fingerprint,
    check_extension,
    check_same_run,
    is_extension,
    split_of,
    versions,
    warn_of_dropout,
    weights_fingerprint,
)
from maqam.train.rows import PreparedRows, prepare_rows
from maqam.train.settings import Objective, TrainSettings
from maqam.train.trainer import PlanTrainer


@dataclass(frozen=True, slots=True)
class Phase:
    """What decides a training phase, beside the weights it starts from.

    Attributes:
        manifest: The utterances.
        plan: The manifest rows of every step.
        settings: Optimiser, budget and adapters.
        objective: How utterances weigh in the loss.
        seed: The run's seed.
        audio_states: Stored aligner outputs, for phase "tune"; the encoder runs in every step
            where there are none.
        adaptive: The schedule and its probes, where the plan grows while it is followed.
        prepared: The rows of the plan, where they were tokenised before.
        weights: Hash of all weights the phase begins with, where it is known.
        notes: What the user should know of the rows, a sentence each.
    """

    manifest: Manifest
    plan: PlanLike
    settings: TrainSettings
    objective: Objective
    seed: int
    audio_states: AudioStates | None = None
    adaptive: AdaptiveTraining | None = None
    prepared: PreparedRows | None = None
    weights: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """What a phase left behind.

    Attributes:
        output: Folder of the adapter, or of the whole checkpoint where all of the LLM trains.
        parts: Parameters by part and how many of them trained.
        notes: What the user should know, a sentence each.
    """

    output: Path
    parts: list[PartParameters]
    notes: list[str]


def run_phase(
    backbone: AudioLLM,
    phase: Phase,
    run_folder: Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    observers: Sequence[Observer] = (),
) -> PhaseResult:
    """Train a backbone by a plan.

    Args:
        backbone: The model, without adapters. Afterwards it is the trained one: with its
            adapter in place, or with adapters merged after "align".
        phase: What decides the training.
        run_folder: Where the run is written.
        resume: Whether to go on from the last whole checkpoint, if there is one.
        progress: Called with the steps done and their total.
        observers: What else watches the training.

    Raises:
        RunError: If a tracker is not installed, the folder holds a run and `resume` is off, the
            run was begun with other inputs, the loss is no longer a number, or the disk is full.
        ScheduleError: If the plan does not fit the manifest or the settings.
        ModelError: If rows do not fit the model, or what trains is not what should.
        AudioError: If audio is missing or cannot be read.
        KeyboardInterrupt: After Ctrl-C, with a checkpoint of the step it fell in.
    """
    check_plan(phase.plan, phase.manifest, phase.settings)
    _check_adaptive(phase)
    identity = _identity(backbone, phase)
    checkpoint = _beginning(run_folder, phase, identity, resume=resume)
    files = RunLayout(run_folder)
    trackers = Trackers(phase.settings.report_to, run_folder)
    with _random_state_kept(), _taken_off_on_failure(backbone):
        adapter = _make_trainable(backbone, phase)
        parts = parameter_table(backbone)
        trainer, notes = _trainer(backbone, phase, run_folder)
        if adapter is not None and adapter.matched is not None:
            notes.append(f"adapter {phase.settings.adapter.kind}, {adapter.matched}")
        is_first = trainer.is_world_process_zero()
        split = split_of(phase.settings, trainer.args.world_size)
        if checkpoint is not None:
            warn_of_dropout(run_folder, phase.settings, split)
        if is_first:
            description = _description(run_folder, phase, identity, parts)
            files.add_to_record({**description, "split": split})
        watching = [trackers, Telemetry(run_folder), *observers]  # a fault of theirs leaves no run
        if phase.adaptive is not None:
            watching.insert(2, Controller(phase.adaptive, phase.manifest, run_folder))
        if progress is not None:
            watching.append(StepProgress(progress))
        trainer.follow(watching, checkpoint)
    backbone.model.eval()
    output = files.weights if phase.settings.writes_weights else files.adapter
    about = about_training(run_folder.name, phase.manifest, phase.plan, phase.settings)
    _write_output(backbone, adapter, output, about if is_first else None)
    if is_first:
        files.add_to_record({"state": "finished", "notes": notes, "about": about})
    return PhaseResult(output=output, parts=parts, notes=notes)


def check_plan(plan: PlanLike, manifest: Manifest, settings: TrainSettings) -> None:
    """Refuse a plan that is not one of this manifest and these settings.

    Raises:
        ScheduleError: If the plan names rows the manifest does not have, or its steps or batch
            size differ from the settings'.
    """
    beyond = int(np.max(plan.rows)) if np.size(plan.rows) else -1
    if beyond >= manifest.num_utterances:
        raise ScheduleError(
            f"the plan holds row {beyond} of a manifest with {manifest.num_utterances} rows",
            where=str(manifest.path),
            hint="the manifest changed: compile the plan again",
        )
    asked = {"num_steps": settings.total_steps, "batch_size": settings.batch_size}
    for name, wanted in asked.items():
        planned = getattr(plan, name)
        if planned != wanted:
            raise ScheduleError(
                f"the plan has {name} {planned}, the settings {wanted}",
                where=f"train.{name}",
                hint="compile the plan again",
            )


def _check_adaptive(phase: Phase) -> None:
    """Refuse what an adaptive schedule cannot be combined with."""
    if phase.adaptive is None:
        return
    if phase.settings.workers:
        raise ScheduleError(
            "an adaptive schedule deals while it trains, so nothing can be prepared ahead",
            where="train.workers",
            hint="set train.workers=0",
        )
    if phase.settings.llm == "off" and phase.adaptive.schedule.needs:
        raise ScheduleError(
            "probes take the next-token loss, which is not there without the LLM",
            where="train.llm",
            hint="set train.llm to lora or full",
        )


def _identity(backbone: AudioLLM, phase: Phase) -> dict[str, Any]:
    """Return what must not change while a run is resumed."""
    begins_with = phase.settings.adapter_from
    adapter = {"adapter_from": adapter_fingerprint(begins_with)} if begins_with else {}
    train = {**asdict(phase.settings), "extensions": list(phase.settings.extensions)}
    if phase.settings.adapter == Lora():
        del train["adapter"]  # as in runs that were begun before there were other kinds
    return {
        "seed": phase.seed,
        "train": train,
        "objective": {**asdict(phase.objective), "weights": dict(phase.objective.weights)},
        "fingerprints": {
            "manifest": phase.manifest.fingerprint,
            "features": getattr(phase.audio_states, "fingerprint", None),
            "plan": phase.plan.fingerprint,
            "weights": phase.weights or weights_fingerprint(backbone),
            **adapter,
        },
    }


def _beginning(
    run_folder: Path, phase: Phase, identity: dict[str, Any], *, resume: bool
) -> tuple[Path, int] | None:
    """Return the checkpoint to go on from, None where the run begins."""
    files = RunLayout(run_folder)
    is_begun = files.steps.exists()
    if not resume:
        if is_begun:
            raise RunError(
                "the folder holds a run already",
                where=str(run_folder),
                hint="resume it, or give the new run another name",
            )
        return None
    if is_begun and is_extension(run_folder, phase.settings):
        check_extension(run_folder, phase.plan)
        check_same_run(run_folder, identity, free={"extensions", "plan"})
    elif is_begun:
        check_same_run(run_folder, identity)
    return newest_checkpoint(files.checkpoints)


def _make_trainable(backbone: AudioLLM, phase: Phase) -> TrainedAdapter | None:
    """Add the adapter where the phase has one, and freeze what does not train."""
    settings = phase.settings
    adapter = None
    if "adapter" in settings.trainable_parts:
        tasks = phase.manifest.column("task")[np.unique(phase.plan.rows)]
        new = settings.new_adapter(sorted(set(tasks.tolist())), derive(phase.seed, "adapter"))
        adapter = new_adapter(backbone, new)
        if settings.adapter_from is not None:
            adapter.begin_from(Path(settings.adapter_from))
    train_only(backbone, settings.trainable_parts)
    return adapter


def _trainer(backbone: AudioLLM, phase: Phase, run_folder: Path) -> tuple[PlanTrainer, list[str]]:
    """Prepare rows, audio and loss; return the trainer and what the user should know."""
    settings, objective = phase.settings, phase.objective
    prepared = phase.prepared or prepare_rows(backbone.dialogue, phase.manifest, phase.plan.rows)
    encodes = settings.phase == "align"
    audio_states, log_mels = phase.audio_states, None
    if encodes:
        audio_states, log_mels = None, LogMels(backbone, phase.manifest, prepared.rows)
    elif audio_states is None:
        audio_states = EncodedStates(backbone, LogMels(backbone, phase.manifest, prepared.rows))
    spells = encodes and objective.ctc_weight > 0
    transcripts = spell(prepared, transcribed_tasks(phase.manifest.tasks)) if spells else None
    if settings.llm == "off":
        check_transcribed(prepared, transcripts, str(phase.manifest.path))
    torch.manual_seed(derive(phase.seed, "ctc head"))
    learner = TrainingModel(
        backbone,
        letters=transcripts.alphabet if transcripts else None,
        ctc_weight=objective.ctc_weight,
        ctc_head=objective.ctc_head,
        encodes=encodes,
        runs_llm=settings.llm != "off",
    )
    if isinstance(settings.adapter, Experts):
        learner.balance = settings.adapter.balance
    batches = PlanBatches(
        backbone=backbone,
        plan=phase.plan,
        prepared=prepared,
        objective=objective,
        audio_states=audio_states,
        log_mels=log_mels,
        transcripts=transcripts,
        augmentation=settings.augment,
        seed=phase.seed,
    )
    trainer = PlanTrainer(learner, batches, settings, phase.seed, RunLayout(run_folder).checkpoints)
    return trainer, _notes(phase, prepared, transcripts)


def _notes(phase: Phase, prepared: PreparedRows, transcripts: Transcripts | None) -> list[str]:
    """Warn of settings without effect; return what else the user should know."""
    objective = phase.objective
    absent = sorted(set(objective.weights) - set(prepared.task_names))
    if absent:
        warnings.warn(
            f"objective.weights: the plan holds no task {', '.join(absent)}",
            MaqamWarning,
            stacklevel=4,
        )
    if phase.settings.llm == "off" and (objective.normalize != "token" or objective.weights):
        warnings.warn(
            'objective.normalize and weights have no effect with train.llm "off": the CTC loss '
            "averages over letters",
            MaqamWarning,
            stacklevel=4,
        )
    num_own = phase.manifest.num_own_words(prepared.rows)
    notes = list(phase.notes)
    if num_own:
        notes.append(
            f"{num_own} of {len(prepared.rows)} rows are asked in words of their own, not by the "
            "prompt of their task"
        )
    if transcripts is None:
        if objective.ctc_weight:
            warnings.warn(
                'objective.ctc_weight has no effect: CTC needs phase "align" and rows of '
                "transcription",
                MaqamWarning,
                stacklevel=4,
            )
        return notes
    number = transcripts.num_unspellable(prepared.num_audio_tokens)
    if not number:
        return notes
    return [
        *notes,
        f"CTC left out {number} of {len(prepared.rows)} transcripts: too long for their audio",
    ]


def _description(
    run_folder: Path, phase: Phase, identity: dict[str, Any], parts: list[PartParameters]
) -> dict[str, Any]:
    """Return what `run.json` says of a run that begins."""
    synthetic = np.asarray(phase.manifest.column("synthetic"))[np.unique(phase.plan.rows)]
    return {
        "name": run_folder.name,
        "schedule": phase.plan.schedule["kind"],
        "seed": phase.seed,
        "versions": versions(),
        "fingerprints": identity["fingerprints"],
        "synthetic": bool(synthetic.any()),
        "trainable": parts,
        "state": "running",
        "identity": identity,
    }


def _write_output(
    backbone: AudioLLM, adapter: TrainedAdapter | None, output: Path, about: About | None
) -> None:
    """Write the adapter, or the whole checkpoint with its adapter merged; by None write nothing."""
    if output.name == "weights":
        merge_adapter(backbone)
    if about is None:
        return
    with weights_folder(output) as staged:
        if output.name == "weights":
            save_weights(backbone, staged)
        elif adapter is not None:
            adapter.save(staged, about)


@contextmanager
def _taken_off_on_failure(backbone: AudioLLM) -> Iterator[None]:
    """Take the adapter of a run that breaks off from the backbone, so that it can serve again."""
    try:
        yield
    except BaseException:
        remove_adapter(backbone)
        raise


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Restore the global random states of torch, Python and NumPy, which the Trainer reseeds."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
