"""What a run trained, written for other tools: merged weights, or the adapter by their names."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from maqam.deploy.card import model_card
from maqam.deploy.checkpoint import Base
from maqam.deploy.merging import merges
from maqam.deploy.rewriting import Change
from maqam.errors import ModelError, RunError
from maqam.files import whole_folder, write_json, write_text, writing
from maqam.models.adapters.serving import peft_folders
from maqam.models.common.places import refuse_occupied
from maqam.models.settings import ModelSettings
from maqam.models.weights.adapter_files import (
    CARD,
    CONFIG,
    WEIGHTS,
    base_name,
    names_at,
    read_adapter,
)
from maqam.models.weights.card import adapter_card
from maqam.models.weights.served import served_config
from maqam.models.weights.shards import weight_files
from maqam.recipe import Recipe
from maqam.run_layout import RunLayout
from maqam.runs.folders import recipe_from_here

Audience = Literal["hf", "vllm", "peft"]


@dataclass(frozen=True, slots=True)
class ExportChoice:
    """What of a run is exported, and for whom.

    Attributes:
        to: "hf" is a checkpoint as the run began with one; "vllm" one whose class vLLM registers;
            "peft" the adapter by the names of each tool.
        task: Of adapters by task, whose.
        average: Whether the mean of the adapters of all tasks is exported.
        overwrite: Whether what is there is replaced.
    """

    to: Audience = "hf"
    task: str | None = None
    average: bool = False
    overwrite: bool = False


def export_run(run: Path, output: Path, choice: ExportChoice) -> list[str]:
    """Write what a finished run trained for other tools.

    Args:
        run: Folder of the run.
        output: Where it goes.
        choice: What, and for whom.

    Returns:
        What the user should know, a sentence each.

    Raises:
        RunError: If the run is not finished, or the output is there already or cannot be written.
        ModelError: If adapter and checkpoint do not fit, or there is no such form.
    """
    recipe, files = recipe_from_here(run), RunLayout(run)
    record = files.read_record()
    if record.get("state") != "finished":
        raise RunError(
            "the run is not finished", where=str(run), hint="maqam train RECIPE --resume"
        )
    refuse_occupied(output, overwrite=choice.overwrite, sources=(run,))
    base = Base.open(recipe.model)
    with writing(output), whole_folder(output) as staged:
        if choice.to == "peft":
            return _write_forms(base, _adapters(run, choice), staged, record)
        notes = _write_weights(base, recipe, run, choice, staged)
        card = model_card(base.checkpoint, record, files)
        write_text(staged / CARD, card)
    return notes


def _write_weights(
    base: Base, recipe: Recipe, run: Path, choice: ExportChoice, folder: Path
) -> list[str]:
    """Write the checkpoint that the run began with, what it trained in it."""
    changes: Mapping[str, Change]
    trained = RunLayout(run).weights
    if trained.is_dir():
        base, changes = _with_weights(base, trained, recipe)
    else:
        changes = merges(
            _adapters(run, choice), names_at(base.folder, base.checkpoint.family), base.files
        )
    config, prefix = dict(base.config), ""
    if choice.to == "vllm":
        config, prefix = served_config(config, base.checkpoint.family)
    base.write(folder, changes, config, prefix)
    return base.write_companions(folder)


def _with_weights(base: Base, trained: Path, recipe: Recipe) -> tuple[Base, dict[str, Change]]:
    """Return the checkpoint to write, and its changes, for a run that trained whole parts.

    The trained checkpoint itself, unless the run began with a larger model that holds it.
    """
    family, own = base.checkpoint.family, weight_files(trained)
    holder = family.holder
    if not family.nested or family.nested not in base.config:
        settings = ModelSettings(recipe.model.kind, str(trained), recipe.model.dtype)
        opened = Base.open(settings)
        return Base(opened.checkpoint, trained, opened.config, own), {}
    changes: dict[str, Change] = {}
    for name, file in own.items():
        held = holder + name.removeprefix(holder)
        if held not in base.files:
            raise ModelError(
                f"the checkpoint has no tensor {held!r}",
                where=str(base.folder),
                hint="export with the model that the run was trained on",
            )
        changes[held] = _Replaced(name, file)
    return base, changes


@dataclass(frozen=True, slots=True)
class _Replaced:
    """A tensor that is that of another file."""

    name: str
    file: Path

    def __call__(self, weight: Tensor) -> Tensor:
        with safe_open(self.file, framework="pt") as opened:
            replaced: Tensor = opened.get_tensor(self.name)
            return replaced


def _adapters(run: Path, choice: ExportChoice) -> list[Path]:
    """Return the PEFT folders that are exported: the run's, or those of its tasks."""
    folder = RunLayout(run).adapter
    if RunLayout(run).weights.is_dir():
        raise RunError(
            "the run trained whole parts of the model, no adapter",
            where=str(run),
            hint="export its weights: --to hf",
        )
    by_task = peft_folders(folder)
    if None in by_task:
        if choice.task or choice.average:
            raise RunError(
                "the run trained one adapter for all tasks",
                where=str(folder),
                hint="leave out --task and --average",
            )
        return [folder]
    if choice.average:
        return list(dict.fromkeys(by_task.values()))
    if choice.task not in by_task:
        problem = f"no adapter of task {choice.task!r}" if choice.task else "one adapter a task"
        raise RunError(
            problem,
            where=str(folder),
            hint=f"choose one with --task ({', '.join(map(str, by_task))}), or --average",
        )
    return [by_task[choice.task]]


def _write_forms(
    base: Base, folders: Sequence[Path], output: Path, record: Mapping[str, Any]
) -> list[str]:
    """Write an adapter once for each set of names that tools know its layers by."""
    if len(folders) > 1:
        raise RunError(
            "a mean of adapters is no adapter", where="--average", hint="export it with --to hf"
        )
    names, (folder,) = names_at(base.folder, base.checkpoint.family), folders
    merges(folders, names, base.files)  # refuses what does not fit
    _, tensors = read_adapter(folder, hint="give the folder of a finished run")
    own = names.in_memory(tensors)
    family = base.checkpoint.family
    forms = names.forms()
    for form in forms:
        place = output / form if len(forms) > 1 else output
        place.mkdir(exist_ok=True)
        save_file(names.in_files(own, form), place / WEIGHTS, metadata={"format": "pt"})
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        source = base_name(base.checkpoint.source, place)
        known = {"base_model_name_or_path": source, "target_modules": names.pattern()}
        write_json(place / CONFIG, {**config, **known})
        architecture = family.architecture if form == "model" else "AutoModel"
        card = adapter_card(architecture, source, "", dict(record.get("about") or {}))
        write_text(place / CARD, card)
    if len(forms) == 1:
        return []
    return [
        "model/ goes on the class that was trained, in any version of transformers; whole/ on the "
        "larger model of transformers before 5.21, in ms-swift and vLLM; whole-renamed/ on the "
        "larger model of transformers from 5.21 on"
    ]
