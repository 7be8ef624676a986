"""The run's own description, `run.json`, and whether a run that goes on is still the same."""

import hashlib
import platform
import warnings
from collections.abc import Collection, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from maqam.data.manifest import Manifest
from maqam.errors import MaqamWarning, RunError
from maqam.models.protocol import AudioLLM
from maqam.run_layout import RunLayout
from maqam.schedule.plan import PlanLike, StepRows, rows_checksum
from maqam.train.settings import FREE, TrainSettings
from maqam.version import own_commit

_PACKAGES = ("maqam", "torch", "transformers", "peft", "numpy")


def check_same_run(run_folder: Path, values: Mapping[str, Any], free: Collection[str] = ()) -> None:
    """Compare what decides a run with what the run was begun with.

    Args:
        run_folder: Folder of the run.
        values: The seed, and the tables "fingerprints", "train" and "objective", as they are
            now.
        free: Keys that may have changed, beside the settings that change no gradient.

    Raises:
        RunError: If any of them changed; the message names them.
    """
    run = RunLayout(run_folder)
    old = run.read_record().get("identity", {}) if run.record.exists() else {}
    changed = []
    for name, now in values.items():
        then = old.get(name, now)
        if isinstance(now, Mapping) and isinstance(then, Mapping):
            keys = sorted({*now, *then} - FREE - set(free))
            changed += [f"{name}.{key}" for key in keys if now.get(key) != then.get(key)]
        elif then != now:
            changed.append(name)
    if changed:
        raise RunError(
            f"the run was begun with another {', '.join(changed)}",
            where=str(run_folder),
            hint="resume with the recipe and data it was begun with, or train it anew",
        )


def split_of(settings: TrainSettings, world_size: int) -> dict[str, Any]:
    """Return what decides how a step is split, and no gradient."""
    return {
        "processes": world_size,
        "micro_batches": settings.micro_batches,
        "micro_tokens": settings.micro_tokens,
    }


def warn_of_dropout(run_folder: Path, settings: TrainSettings, split: Mapping[str, Any]) -> None:
    """Say what changes where a run with dropout goes on in other parts."""
    before = RunLayout(run_folder).read_record().get("split", split)
    changed = [
        f"{name} {before[name]} to {split[name]}" for name in split if before[name] != split[name]
    ]
    if changed and settings.lora_dropout:
        warnings.warn(
            f"dropout is drawn anew in every micro-batch: with {', '.join(changed)} the run drops "
            "other units than it would have, everything else stays equal",
            MaqamWarning,
            stacklevel=3,
        )


def is_extension(run_folder: Path, settings: TrainSettings) -> bool:
    """Tell whether settings ask for more steps than a run was begun with, by extensions."""
    run = RunLayout(run_folder)
    record = run.read_record() if run.record.exists() else {}
    before = record.get("identity", {}).get("train", {}).get("extensions", [])
    now = list(settings.extensions)
    return len(now) > len(before) and now[: len(before)] == before


def check_extension(run_folder: Path, plan: StepRows) -> None:
    """Refuse to extend a run that is not finished, or by a plan that is not its own made longer.

    Args:
        run_folder: Folder of the run.
        plan: The longer plan.

    Raises:
        RunError: If the run is not finished, or trained on other rows than the plan deals.
    """
    run = RunLayout(run_folder)
    if run.read_record().get("state") != "finished":
        raise RunError(
            "only a finished run can be extended",
            where=str(run_folder),
            hint="finish it first: maqam train RECIPE --resume",
        )
    for record in run.read_steps():
        step = record["step"]
        if record["rows_checksum"] != rows_checksum(plan.batch(step - 1)):
            raise RunError(
                f"step {step} trained on other rows than the longer plan deals",
                where=str(run_folder),
                hint="train a new run with more steps",
            )


def versions() -> dict[str, str]:
    """Return the versions of what computes a run, and the commit of Maqam where it is known."""
    found = {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
    commit = own_commit()
    return found if commit is None else found | {"maqam commit": commit}


def about_training(
    name: str, manifest: Manifest, plan: PlanLike, settings: TrainSettings
) -> dict[str, str | dict[str, int]]:
    """Return what there is to say of a training, by what it is.

    Args:
        name: Of the run.
        manifest: The utterances.
        plan: The rows it trained on.
        settings: Its steps and rates.
    """
    rows = np.unique(plan.rows)
    hours = float(np.asarray(manifest.column("seconds"), dtype=np.float64)[rows].sum() / 3600)
    synthetic = int(np.asarray(manifest.column("synthetic"), dtype=bool)[rows].sum())
    return {
        "run": f"{name}, phase {settings.phase}",
        "schedule": str(plan.schedule["kind"]),
        "plan": f"{plan.fingerprint}, {plan.num_steps} steps of {plan.batch_size} utterances",
        "learning rate": f"{settings.learning_rate:g}",
        "utterances": f"{len(rows):,}, {hours:,.2f} h of audio",
        "synthetic speech": f"{synthetic:,} utterances",
        "tasks": _counts(manifest, "task", rows),
        "corpora": _counts(manifest, "source", rows),
    }


def _counts(manifest: Manifest, column: str, rows: np.ndarray) -> dict[str, int]:
    codes, names = manifest.codes(column, rows)
    counts = np.bincount(codes, minlength=len(names)).tolist()
    return {name: count for name, count in zip(names, counts, strict=True) if count}


def adapter_fingerprint(folder: str) -> str:
    """Return a hash of a saved adapter's weights.

    Raises:
        RunError: If there is no adapter in the folder.
    """
    files = sorted(Path(folder).rglob("*.safetensors"))
    if not files:
        raise RunError(
            "there is no adapter to begin from",
            where=f"train.adapter_from: {folder}",
            hint="give the adapter folder of a finished run",
        )
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def weights_fingerprint(backbone: AudioLLM) -> str:
    """Return a hash of all parameters of a backbone."""
    digest = hashlib.blake2b(digest_size=16)
    for name, parameter in backbone.model.named_parameters():
        digest.update(name.encode())
        raw = parameter.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(memoryview(raw.numpy()))
    return digest.hexdigest()
