"""What the exporters share: their settings, and what a target may know and promises."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Sharding = Literal["stride", "block"]
TAG_POLICIES = ("refuse", "escape")

META_NAME = "schedule.meta.json"
ROWS_STEM = "schedule"

DEFAULT_MODEL = "Qwen/Qwen2.5-Omni-7B"


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """How the other trainer will run.

    Attributes:
        model: Hub id or folder of the audio LLM.
        world_size: Processes that share a global batch.
        micro_batch_size: Utterances of one forward pass on one process.
        loss_weights: Factor by task name, above 0; 1 for tasks not named.
        template: LLaMA-Factory's name of the model's prompt; absent, it is told from the model.
        tags: What becomes of rows whose texts hold a tag or a special token: they are refused, or
            written with a space in it.
        overwrite: Whether an export that is already in the folder may be replaced.
    """

    model: str = DEFAULT_MODEL
    world_size: int = 1
    micro_batch_size: int = 1
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    template: str | None = None
    tags: str = "refuse"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.tags not in TAG_POLICIES:
            raise ValueError(f"tags must be {' or '.join(TAG_POLICIES)}, got {self.tags!r}")
        for name in ("world_size", "micro_batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        wrong = {
            task: weight
            for task, weight in self.loss_weights.items()
            if not (weight > 0 and math.isfinite(weight))
        }
        if wrong:
            raise ValueError(f"loss_weights must be above 0, got {wrong}")

    def weight(self, task: str) -> float:
        """Return the factor of a task.

        Examples:
            >>> settings = ExportSettings(loss_weights={"did": 4})
            >>> settings.weight("did"), settings.weight("asr")
            (4.0, 1.0)
        """
        return float(self.loss_weights.get(task, 1.0))


@dataclass(frozen=True, slots=True)
class Launch:
    """What a launch command is made from.

    Attributes:
        folder: Absolute folder that the export will be in.
        rows_name: File of the rows in it.
        settings: How the trainer will run.
        accumulation: Micro-batches of a step on each process.
        num_steps: Optimiser steps.
        max_tokens: No row has more tokens than this, its audio counted.
        seed: Seed of the plan.
        fingerprint: Of the plan.
        is_weighted: Whether a row's loss weight differs from 1.
    """

    folder: Path
    rows_name: str
    settings: ExportSettings
    accumulation: int
    num_steps: int
    max_tokens: int
    seed: int
    fingerprint: str
    is_weighted: bool

    @property
    def output(self) -> Path:
        """Folder for checkpoints, beside the export so that a new export leaves it alone.

        It is the plan's own: LLaMA-Factory resumes from whatever checkpoint it finds there.
        """
        return self.folder.with_name(f"{self.folder.name}-output-{self.fingerprint[:8]}")


@dataclass(frozen=True, slots=True)
class Target:
    """One trainer that a plan can be exported to.

    Attributes:
        title: Its name in sentences.
        sharding: How it spreads a window of rows over processes: every world_size-th row
            ("stride") or whole micro-batches ("block"); absent when the rows stay in the plan's
            order and steps may differ in size.
        is_parquet: Whether rows always go to Parquet, not JSON lines.
        takes_weights: Whether a row may carry a loss weight.
        text_rows: How many rows without audio it can read before the first that has audio, when
            the columns have types; absent for any number.
        extra_columns: Columns beside id, task, messages and audios.
        tags: Words that it takes as tags wherever they stand in a text.
        reads_tokens: Whether it takes special tokens of the model in a text as such.
        files: Gives the launch files by name.
    """

    title: str
    sharding: Sharding | None
    is_parquet: bool
    takes_weights: bool
    text_rows: int | None
    extra_columns: tuple[str, ...]
    tags: tuple[str, ...]
    reads_tokens: bool
    files: Callable[[Launch], Mapping[str, str]]
