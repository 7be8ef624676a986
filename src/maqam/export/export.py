"""A plan's order as a folder that another trainer starts from.

The folder holds the rows in order, a sidecar that says what they are, and the ready launch command.
It is written whole or not at all. What a trainer could not keep is refused here, with the reason.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow.compute as pc

from maqam.data.manifest import Manifest
from maqam.errors import ConfigError, ScheduleError
from maqam.export import hf_datasets, jsonl, llamafactory, ms_swift
from maqam.export.clips import Clips
from maqam.export.layout import file_order
from maqam.export.parts import META_NAME, ROWS_STEM, ExportSettings, Launch, Target
from maqam.export.rows import RowsFile, chat_row, rows_schema
from maqam.export.tags import Tags, tagged_ids, tags_of
from maqam.files import whole_folder, writing
from maqam.models.families import FAMILIES
from maqam.progress import Progress
from maqam.schedule import Plan
from maqam.settings_file import nearest

__all__ = ["TARGETS", "ExportSettings", "export_plan", "not_kept", "read_meta"]

FORMAT_VERSION = 1
TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "ms-swift": ms_swift.TARGET,
        "llamafactory": llamafactory.TARGET,
        "hf-datasets": hf_datasets.TARGET,
        "jsonl": jsonl.TARGET,
    }
)

# the most of the families that these trainers train
_AUDIO_TOKENS_PER_SECOND = FAMILIES["qwen2_5_omni"].front_end.tokens_per_second
_TEMPLATE_TOKENS = 256  # of a prompt template with its default system message
_STRETCHES = 100  # rows of the table of tasks in the sidecar, at most


def export_plan(
    plan: Plan,
    manifest: Manifest,
    folder: Path,
    *,
    target: str,
    settings: ExportSettings,
    progress: Progress | None = None,
) -> Path:
    """Write a plan's rows, in its order, for another trainer.

    Args:
        plan: The rows of every step.
        manifest: The manifest the plan was dealt from.
        folder: Where the export goes; it must not exist yet unless `settings.overwrite`.
        target: "ms-swift", "llamafactory", "hf-datasets" or "jsonl".
        settings: How the other trainer will run.
        progress: Called with the steps written and their number.

    Returns:
        The folder, absolute.

    Raises:
        ConfigError: If the target is unknown, cannot weigh rows, or the folder is taken.
        ScheduleError: If the manifest is not the plan's, or the target cannot keep the plan.
        ManifestError: If a row's messages are not turns of user and assistant, or its texts hold
            what the target would take as a tag.
        AudioError: If audio is missing or damaged.
    """
    if target not in TARGETS:
        hint = nearest(target, TARGETS, is_listed=True)
        raise ConfigError(f"no export target {target!r}", where="--to", hint=hint)
    final = folder.expanduser().resolve()
    _check_folder(final, overwrite=settings.overwrite)
    export = _prepared(plan, manifest, TARGETS[target], settings)
    with writing(final, error=ConfigError), whole_folder(final) as draft:
        clips = Clips(manifest.folder, final, draft)
        _write_rows(export, clips, progress)
        _write_launch(export, clips, target)
    return final


def read_meta(folder: Path) -> dict[str, Any]:
    """Read what the sidecar of an export says of its rows."""
    meta: dict[str, Any] = json.loads((folder / META_NAME).read_text(encoding="utf-8"))
    return meta


def not_kept(plan: Plan) -> list[str]:
    """Tell what a plan asks of the optimiser that no other trainer does, a sentence each.

    The rows and their order are kept all the same.
    """
    found = []
    for step, switch in sorted(plan.switches.items()):
        asked = [] if switch.dip == "none" else [f"a learning rate that dips ({switch.dip})"]
        asked += [] if switch.beta2 is None else [f"a beta2 of {switch.beta2:g}"]
        if asked:
            found.append(f"the switch at step {step} asks for {' and '.join(asked)}")
    return found


@dataclass
class _Export:
    """A plan on its way to a folder.

    Attributes:
        order: (num_dealt,) int64 manifest rows in the order of the file.
        rows_name: File they go to.
        accumulation: Micro-batches of a step on each process; absent where the target has none.
        tags: What the target takes as a tag in a text.
        tagged_ids: Rows that hold one, which are written with a space in it.
        digest: Of the ids written so far.
        max_tokens: No row written so far has more tokens.
    """

    plan: Plan
    manifest: Manifest
    target: Target
    settings: ExportSettings
    order: np.ndarray
    rows_name: str
    accumulation: int | None
    is_weighted: bool
    tags: Tags
    tagged_ids: list[str]
    digest: Any = field(default_factory=hashlib.sha256)
    max_tokens: int = 0


def _prepared(plan: Plan, manifest: Manifest, target: Target, settings: ExportSettings) -> _Export:
    """Find the order of the file, or say why the target cannot keep the plan."""
    _check_manifest(plan, manifest)
    rows = np.asarray(plan.rows)
    is_weighted = _is_weighted(manifest, rows, target, settings)
    has_audio = pc.list_value_length(manifest.table.column("audios")).to_numpy() > 0
    accumulation = None
    if target.sharding is None:
        order = _audio_first(rows, has_audio, int(plan.offsets[1]))
    else:
        accumulation = _accumulation(plan, target, settings)
        order = _for_micro_batches(plan, manifest, has_audio, target, settings)
    heard = np.flatnonzero(has_audio[order])
    text_rows = int(heard[0]) if len(heard) else 0
    if target.text_rows is not None and text_rows > target.text_rows:
        raise ScheduleError(
            f"the first {text_rows} rows have no audio, and {target.title} reads at most "
            f"{target.text_rows} such rows before the first with audio",
            where="plan",
            hint="start with a task that has audio, or export to another target",
        )
    is_parquet = target.is_parquet or (target.sharding is not None and text_rows > 0)
    name = f"{ROWS_STEM}.{'parquet' if is_parquet else 'jsonl'}"
    tags = tags_of(target, settings.model)
    return _Export(
        plan=plan,
        manifest=manifest,
        target=target,
        settings=settings,
        order=order,
        rows_name=name,
        accumulation=accumulation,
        is_weighted=is_weighted,
        tags=tags,
        tagged_ids=tagged_ids(manifest, rows, tags, target, settings),
    )


def _check_manifest(plan: Plan, manifest: Manifest) -> None:
    hint = "give the manifest that the plan was dealt from"
    if len(plan.rows) and plan.rows.max() >= manifest.num_utterances:
        raise ScheduleError(
            f"the plan names row {plan.rows.max()} and the manifest has {manifest.num_utterances}",
            where=str(manifest.path),
            hint=hint,
        )
    tasks = plan.shares.get("task")
    if tasks is not None:
        codes, names = manifest.codes("task", np.asarray(plan.rows))
        found = dict(zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True))
        dealt = dict(zip(tasks.names, tasks.counts.sum(axis=0).tolist(), strict=True))
        if found != {name: count for name, count in dealt.items() if count}:
            raise ScheduleError(
                f"the plan holds {dealt} and its rows are {found} here",
                where=str(manifest.path),
                hint=hint,
            )


def _is_weighted(
    manifest: Manifest, rows: np.ndarray, target: Target, settings: ExportSettings
) -> bool:
    unknown = sorted(set(settings.loss_weights) - set(manifest.tasks))
    if unknown:
        raise ConfigError(
            f"no task {unknown[0]!r}",
            where="loss_weights",
            hint=f"tasks: {', '.join(manifest.tasks)}",
        )
    present = manifest.codes("task", rows)[1]
    weights = {task: settings.weight(task) for task in present if settings.weight(task) != 1}
    if weights and not target.takes_weights:
        raise ConfigError(
            f"{target.title} has no loss weight of a row, and the weights are {weights}",
            where="loss_weights",
            hint="export without them, or to ms-swift",
        )
    return bool(weights)


def _accumulation(plan: Plan, target: Target, settings: ExportSettings) -> int:
    sizes = np.unique(plan.batch_sizes)
    if plan.unit != "rows" or len(sizes) > 1:
        held = f"{plan.batch_size} {plan.unit}" if plan.unit != "rows" else "different numbers"
        raise ScheduleError(
            f"its steps hold {held}, from {sizes.min()} to {sizes.max()} rows, and {target.title} "
            "gives every step one number of rows",
            where="plan",
            hint="compile the plan in rows, or export to jsonl, which names each row's step",
        )
    window = settings.world_size * settings.micro_batch_size
    accumulation, left = divmod(int(sizes[0]), window)
    if left or not accumulation:
        raise ScheduleError(
            f"a step of {sizes[0]} rows is no whole number of windows of {window} "
            f"({settings.world_size} processes x {settings.micro_batch_size})",
            where="plan",
            hint="choose world_size and micro_batch_size whose product divides the step",
        )
    return accumulation


def _audio_first(rows: np.ndarray, has_audio: np.ndarray, first_step: int) -> np.ndarray:
    """Move the first row with audio of the first step to its front; all else stays."""
    heard = np.flatnonzero(has_audio[rows[:first_step]])
    if not len(heard):
        return rows
    return np.concatenate([rows[heard[:1]], np.delete(rows, heard[0])])


def _for_micro_batches(
    plan: Plan,
    manifest: Manifest,
    has_audio: np.ndarray,
    target: Target,
    settings: ExportSettings,
) -> np.ndarray:
    seconds = manifest.column("seconds")
    characters = _characters(manifest)
    window = settings.world_size * settings.micro_batch_size
    order = np.empty(len(plan.rows), dtype=np.int64)
    for step in range(plan.num_steps):
        rows = plan.batch(step)
        heard = has_audio[rows]
        positions = file_order(
            np.where(heard, seconds[rows], characters[rows]),
            heard,
            world_size=settings.world_size,
            num_micro_batches=len(rows) // window,
            sharding=target.sharding or "block",
        )
        order[plan.offsets[step] : plan.offsets[step + 1]] = rows[positions]
    return order


def _characters(manifest: Manifest) -> np.ndarray:
    """Count the characters of every row's messages, (num_utterances,) float64."""
    counts: list[np.ndarray] = [np.zeros(0)]
    for messages in manifest.table.column("messages").chunks:
        lengths = pc.utf8_length(pc.struct_field(messages.flatten(), "content")).to_numpy()
        owners = pc.list_parent_indices(messages).to_numpy()
        counts.append(np.bincount(owners, weights=lengths, minlength=len(messages)))
    return np.concatenate(counts)


def _write_rows(export: _Export, clips: Clips, progress: Progress | None) -> None:
    schema = rows_schema(export.target.extra_columns, has_scale=export.is_weighted)
    with RowsFile(clips.draft / export.rows_name, schema) as file:
        for step in range(export.plan.num_steps):
            for row in _chat_rows(export, clips, step):
                file.write(row)
            if progress is not None:
                progress(step + 1, export.plan.num_steps)


def _chat_rows(export: _Export, clips: Clips, step: int) -> Iterator[dict[str, Any]]:
    first, last = export.plan.offsets[step : step + 2]
    for row in export.manifest.rows(export.order[first:last]):
        known = {"channel": row["task"], "step": step}
        extra = {name: known[name] for name in export.target.extra_columns}
        audio = clips.path(row) if row["audios"] else None
        scale = export.settings.weight(row["task"]) if export.is_weighted else None
        row["messages"] = export.tags.escaped(row)
        export.digest.update(f"{row['id']}\n".encode())
        # a token of the LLM's text is at least one byte of it
        text = sum(len(message["content"].encode()) for message in row["messages"])
        sound = math.ceil(_AUDIO_TOKENS_PER_SECOND * row["seconds"]) if row["audios"] else 0
        export.max_tokens = max(export.max_tokens, text + sound)
        yield chat_row(row, audio, extra, scale)


def _write_launch(export: _Export, clips: Clips, target: str) -> None:
    launch = Launch(
        folder=clips.folder,
        rows_name=export.rows_name,
        settings=export.settings,
        accumulation=export.accumulation or 1,
        num_steps=export.plan.num_steps,
        max_tokens=64 * math.ceil((export.max_tokens + _TEMPLATE_TOKENS) / 64),
        seed=export.plan.seed,
        fingerprint=export.plan.fingerprint,
        is_weighted=export.is_weighted,
    )
    for name, text in export.target.files(launch).items():
        (clips.draft / name).write_text(text, encoding="utf-8")
        if name.endswith(".sh"):
            (clips.draft / name).chmod(0o755)
    text = json.dumps(_meta(export, clips, target), ensure_ascii=False, indent=1) + "\n"
    (clips.draft / META_NAME).write_text(text, encoding="utf-8")


def _meta(export: _Export, clips: Clips, target: str) -> dict[str, Any]:
    plan, settings = export.plan, export.settings
    is_sharded = export.accumulation is not None
    return {
        "format_version": FORMAT_VERSION,
        "target": target,
        "rows": export.rows_name,
        "schedule": dict(plan.schedule),
        "seed": plan.seed,
        "plan_fingerprint": plan.fingerprint,
        "manifest_fingerprint": export.manifest.fingerprint,
        "synthetic": export.manifest.is_synthetic,
        "num_steps": plan.num_steps,
        "num_rows": len(plan.rows),
        "batch_size": plan.batch_size,
        "unit": plan.unit,
        "world_size": settings.world_size if is_sharded else None,
        "micro_batch_size": settings.micro_batch_size if is_sharded else None,
        "accumulation": export.accumulation,
        "sharding": export.target.sharding,
        "loss_weights": dict(settings.loss_weights) if export.is_weighted else {},
        "stages": plan.stages,
        "switches": [{"step": step, **asdict(one)} for step, one in plan.switches.items()],
        "not_kept": not_kept(plan),
        "notes": plan.notes,
        "tasks": _task_counts(export),
        "cut_clips": {"count": clips.num_cut, "seconds": round(clips.cut_seconds, 3)},
        "escaped": {"count": len(export.tagged_ids), "ids": export.tagged_ids},
        "ids_sha256": export.digest.hexdigest(),
    }


def _task_counts(export: _Export) -> dict[str, Any]:
    """Count the rows of each task over at most 100 stretches of steps, a compact task share."""
    codes, names = export.manifest.codes("task", export.order)
    edges = np.linspace(0, export.plan.num_steps, _STRETCHES + 1).round().astype(np.int64)
    edges = np.unique(edges)
    ends = export.plan.offsets[edges]
    counts = [
        np.bincount(codes[first:last], minlength=len(names)).tolist()
        for first, last in pairwise(ends)
    ]
    return {"names": names, "first_steps": edges[:-1].tolist(), "counts": counts}


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not overwrite:
        raise ConfigError(
            "the folder exists",
            where=str(folder),
            hint="choose another, or write over it with --force",
        )
    if not (folder / META_NAME).is_file():
        raise ConfigError(
            f"the folder has no {META_NAME}, so it is no export and stays as it is",
            where=str(folder),
            hint="choose another folder",
        )
