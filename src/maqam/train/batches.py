"""From the rows of a plan to micro-batches, with nothing left to decide while training runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from maqam.models.qwen_omni.model import AudioStates, Backbone, collate
from maqam.schedule.plan import StepRows
from maqam.schedule.ranks import micro_batches
from maqam.seeding import generator
from maqam.train.augment import Augmentation, augment
from maqam.train.ctc import Transcripts
from maqam.train.grouping import least_padding
from maqam.train.log_mels import LogMels
from maqam.train.objective import MicroBatch, supervise, utterance_weights
from maqam.train.rows import PreparedRows, check_width
from maqam.train.settings import Objective


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a plan holds, over all processes.

    Attributes:
        rows: (num_utterances,) manifest rows.
        positions: (num_utterances,) their positions among the prepared rows.
        weights: (num_utterances,) factor of each utterance's summed loss.
        num_letters: Letters of the transcripts that CTC spells.
    """

    rows: np.ndarray
    positions: np.ndarray
    weights: np.ndarray
    num_letters: int


@dataclass
class PlanBatches(Dataset[dict[str, MicroBatch]]):
    """The micro-batches one process sees of a plan, in order.

    Item `step * num_micro_batches + index` is one forward pass. Which utterance goes to which
    process and micro-batch follows from the batch's lengths alone.

    Attributes:
        backbone: The model.
        plan: The rows of every step.
        prepared: Those rows, tokenised.
        objective: How utterances weigh.
        audio: Aligner outputs of rows, or log-mels where the encoder trains.
        transcripts: What CTC spells, by prepared position; None without CTC.
        augmentation: How log-mels are varied where the encoder trains.
        seed: The run's seed; what varies a log-mel follows from it, the step and the row.
        num_micro_batches: Forward passes of a step on each process.
        rank: This process.
        world_size: Number of processes.
    """

    backbone: Backbone
    plan: StepRows
    prepared: PreparedRows
    objective: Objective
    audio: AudioStates | LogMels
    transcripts: Transcripts | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0
    num_micro_batches: int = 1
    rank: int = 0
    world_size: int = 1

    def __len__(self) -> int:
        """Give the micro-batches of the whole plan."""
        return self.plan.num_steps * self.num_micro_batches

    def __getitem__(self, index: int) -> dict[str, MicroBatch]:
        """Give one micro-batch, as the trainer hands it to the model."""
        step, part = divmod(index, self.num_micro_batches)
        whole = self.step(step)
        return {"micro_batch": self._micro_batch(step, whole, self.split(whole)[part])}

    def step(self, step: int) -> Step:
        """Give what a step holds, and how its utterances weigh.

        Args:
            step: Steps before it, from 0.
        """
        rows = self.plan.batch(step)
        positions = self.prepared.positions(rows)
        tasks = [self.prepared.task_names[code] for code in self.prepared.tasks[positions]]
        counts = self.prepared.num_target_tokens[positions]
        return Step(
            rows=rows,
            positions=positions,
            weights=utterance_weights(tasks, counts, self.objective),
            num_letters=int(self.transcripts.lengths[positions].sum()) if self.transcripts else 0,
        )

    def split(self, step: Step) -> list[np.ndarray]:
        """Give which utterances of a step each micro-batch of this process holds."""
        lengths = self.prepared.num_tokens[step.positions]
        parts = micro_batches(lengths, self.num_micro_batches, self.world_size)
        mine = np.sort(np.concatenate(parts[self.rank]))
        return [mine[part] for part in least_padding(lengths[mine], self.num_micro_batches)]

    def _micro_batch(self, number: int, step: Step, part: np.ndarray) -> MicroBatch:
        rows, positions = step.rows[part], step.positions[part]
        log_mels, states = self._hear(number, [int(row) for row in rows])
        if log_mels is None:
            widths = [len(one) for one in states]
        else:
            widths = [
                self.backbone.num_audio_tokens(len(one)) if len(one) else 0 for one in log_mels
            ]
        audio_id = self.backbone.dialogue.audio_id
        encoded = [
            self.prepared.encoded(int(position), width, audio_id)
            for position, width in zip(positions, widths, strict=True)
        ]
        for row, one in zip(rows, encoded, strict=True):
            check_width(self.backbone, one, name=f"manifest row {row}")
        batch = collate(encoded, states, self.backbone.dialogue.padding_id)
        supervised, targets, owners = supervise(batch)
        return MicroBatch(
            rows=rows,
            batch=batch,
            supervised=supervised,
            targets=targets,
            owners=owners,
            weights=torch.from_numpy(step.weights[part]).float(),
            log_mels=log_mels,
            ctc=self.transcripts.targets(positions, step.num_letters) if self.transcripts else None,
        )

    def _hear(
        self, number: int, rows: Sequence[int]
    ) -> tuple[list[np.ndarray] | None, list[Tensor]]:
        """Give the log-mels of rows where the encoder trains, their aligner outputs elsewhere."""
        if isinstance(self.audio, LogMels):
            return self._varied(number, rows, self.audio(rows)), []
        return None, [torch.as_tensor(one) for one in self.audio(rows)]

    def _varied(
        self, number: int, rows: Sequence[int], log_mels: list[np.ndarray]
    ) -> list[np.ndarray]:
        if not self.augmentation.is_on:
            return log_mels
        return [
            augment(one, self.augmentation, generator(self.seed, "augment", number, row))
            if len(one)
            else one
            for row, one in zip(rows, log_mels, strict=True)
        ]


class PlanSampler(Sampler[int]):
    """Deals the micro-batches of a plan in order, from a cursor on.

    Args:
        batches: The micro-batches.
        first_step: Steps done before.
    """

    def __init__(self, batches: PlanBatches, first_step: int) -> None:
        self._total = len(batches)
        self._first = first_step * batches.num_micro_batches

    def __iter__(self) -> Iterator[int]:
        """Give the indexes that are left."""
        return iter(range(self._first, self._total))

    def __len__(self) -> int:
        """Give the micro-batches of the whole plan: what the trainer counts its steps by."""
        return self._total
