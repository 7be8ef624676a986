"""The run's own description, `run.json`, and whether a run that goes on is still the same."""

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from maqam.errors import RunError
from maqam.models.protocol import AudioLLM
from maqam.run_layout import RunLayout
from maqam.train.settings import FREE
from maqam.version import own_commit

_PACKAGES = ("maqam", "torch", "transformers", "peft", "numpy")


def check_same_run(run_folder: Path, values: Mapping[str, Any]) -> None:
    """Compare what decides a run with what the run was begun with.

    Args:
        run_folder: Folder of the run.
        values: The seed, and the tables "fingerprints", "train" and "objective", as they are
            now.

    Raises:
        RunError: If any of them changed; the message names them.
    """
    run = RunLayout(run_folder)
    old = run.read_record().get("identity", {}) if run.record.exists() else {}
    changed = []
    for name, now in values.items():
        then = old.get(name, now)
        if isinstance(now, Mapping) and isinstance(then, Mapping):
            keys = sorted({*now, *then} - FREE)
            changed += [f"{name}.{key}" for key in keys if now.get(key) != then.get(key)]
        elif then != now:
            changed.append(name)
    if changed:
        raise RunError(
            f"the run was begun with another {', '.join(changed)}",
            where=str(run_folder),
            hint="resume with the recipe and data it was begun with, or train it anew",
        )


def versions() -> dict[str, str]:
    """Return the versions of what computes a run, and the commit of Maqam where it is known."""
    found = {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}
    commit = own_commit()
    return found if commit is None else found | {"maqam commit": commit}


def adapter_fingerprint(folder: str) -> str:
    """Return a hash of a saved adapter's weights.

    Raises:
        RunError: If there is no adapter in the folder.
    """
    try:
        content = (Path(folder) / "adapter_model.safetensors").read_bytes()
    except OSError as error:
        raise RunError(
            "there is no adapter to begin from",
            where=f"train.adapter_from: {folder}",
            hint="give the adapter folder of a finished run",
        ) from error
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def weights_fingerprint(backbone: AudioLLM) -> str:
    """Return a hash of all parameters of a backbone."""
    digest = hashlib.blake2b(digest_size=16)
    for name, parameter in backbone.model.named_parameters():
        digest.update(name.encode())
        raw = parameter.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(memoryview(raw.numpy()))
    return digest.hexdigest()
