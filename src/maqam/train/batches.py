"""From the rows of a plan to the micro-batches of every step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from maqam.models.protocol import AudioLLM, AudioStates, collate
from maqam.schedule.plan import StepRows
from maqam.schedule.ranks import micro_batches
from maqam.schedule.sampler import StepPart
from maqam.schedule.switch import Switch
from maqam.seeding import generator
from maqam.train.augment import Augmentation, augment, check_frames
from maqam.train.ctc import Transcripts
from maqam.train.log_mels import LogMels
from maqam.train.objective import MicroBatch, supervise, utterance_weights
from maqam.train.rows import PreparedRows, check_width
from maqam.train.settings import Objective

ROWS_AT_ONCE = 16  # of rows that are looked at without a step being taken


@dataclass(frozen=True, slots=True)
class FixedSteps:
    """Fixed rows in the place of a plan's steps, to look at a model without training it.

    Attributes:
        by_step: Manifest rows of every step.
    """

    by_step: Sequence[np.ndarray]

    @property
    def rows(self) -> np.ndarray:
        """All rows, step after step."""
        return np.concatenate(self.by_step)

    @property
    def num_steps(self) -> int:
        """Steps."""
        return len(self.by_step)

    @property
    def switches(self) -> Mapping[int, Switch]:
        """None: nothing is trained."""
        return {}

    def batch(self, step: int) -> np.ndarray:
        """Return the rows of a step by its place."""
        return self.by_step[step]


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a plan holds, over all processes.

    Attributes:
        number: Steps before it.
        rows: (num_utterances,) manifest rows.
        positions: (num_utterances,) their positions among the prepared rows.
        weights: (num_utterances,) factor of each utterance's summed loss.
        num_letters: Letters of the transcripts that CTC spells.
    """

    number: int
    rows: np.ndarray
    positions: np.ndarray
    weights: np.ndarray
    num_letters: int


@dataclass(frozen=True, slots=True)
class LoadedStep:
    """The micro-batches of a step that one process computes.

    Attributes:
        step: The step.
        micro_batches: One forward pass each.
        max_tokens: Most tokens they were cut by, None for no limit.
    """

    step: Step
    micro_batches: list[MicroBatch]
    max_tokens: int | None = None


@dataclass
class PlanBatches(Dataset[LoadedStep]):
    """The micro-batches of a plan, of the part of a step that a process asks for.

    Attributes:
        backbone: The model.
        plan: The rows of every step.
        prepared: Those rows, tokenised.
        objective: How utterances weigh.
        audio_states: Aligner outputs of rows; None where the encoder trains.
        log_mels: What the encoder hears where it trains, None elsewhere.
        transcripts: What CTC spells, by prepared position; None without CTC.
        augmentation: How log-mels are varied where the encoder trains.
        seed: The run's seed; what varies a log-mel follows from it, the step and the row.

    Raises:
        ConfigError: If frequencies vary of what has none.
    """

    backbone: AudioLLM
    plan: StepRows
    prepared: PreparedRows
    objective: Objective
    audio_states: AudioStates | None
    log_mels: LogMels | None = None
    transcripts: Transcripts | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    def __post_init__(self) -> None:
        check_frames(self.augmentation, self.backbone.dialogue.front_end)

    def __len__(self) -> int:
        """Return the steps of the whole plan."""
        return self.plan.num_steps

    def __getitem__(self, part: StepPart) -> LoadedStep:
        """Read the audio of a process' part of a step and put its micro-batches together."""
        step = self.step(part.step)
        loaded = [self._micro_batch(step, places) for places in part.micro_batches]
        return LoadedStep(step, loaded, part.max_tokens)

    def step(self, step: int) -> Step:
        """Return what a step holds, and how its utterances weigh.

        Args:
            step: Steps before it, from 0.
        """
        rows = self.plan.batch(step)
        positions = self.prepared.positions(rows)
        tasks = [self.prepared.task_names[code] for code in self.prepared.tasks[positions]]
        counts = self.prepared.num_target_tokens[positions]
        return Step(
            number=step,
            rows=rows,
            positions=positions,
            weights=utterance_weights(tasks, counts, self.objective),
            num_letters=int(self.transcripts.lengths[positions].sum()) if self.transcripts else 0,
        )

    def tasks(self, step: Step) -> np.ndarray:
        """Return the task of each utterance of a step."""
        return np.asarray(self.prepared.task_names)[self.prepared.tasks[step.positions]]

    def micro_batches(
        self, step: Step, chosen: np.ndarray, num_micro_batches: int
    ) -> Iterator[MicroBatch]:
        """Return some utterances of a step, of all processes, with the weights they have in it.

        Args:
            step: The step.
            chosen: (num_utterances,) booleans, or positions in the step.
            num_micro_batches: Their number, where as many utterances are chosen.
        """
        places = np.arange(len(step.rows))[chosen]
        lengths = self.prepared.num_tokens[step.positions[places]]
        number = min(num_micro_batches, len(places))
        for part in micro_batches(lengths, number)[0]:
            yield self._micro_batch(step, places[part])

    def whole(self, number: int, most_rows: int = ROWS_AT_ONCE) -> Iterator[MicroBatch]:
        """Yield the micro-batches of a whole step.

        Args:
            number: Steps before it.
            most_rows: Rows of a micro-batch, by which their number is chosen.
        """
        step = self.step(number)
        num_rows = len(step.rows)
        yield from self.micro_batches(step, np.arange(num_rows), -(-num_rows // most_rows))

    def _micro_batch(self, step: Step, part: np.ndarray) -> MicroBatch:
        rows, positions = step.rows[part], step.positions[part]
        log_mels, audio_states = self._audio(step.number, [int(row) for row in rows])
        if log_mels is None:
            widths = [len(one) for one in audio_states]
        else:
            widths = [
                self.backbone.dialogue.num_audio_tokens(len(one)) if len(one) else 0
                for one in log_mels
            ]
        audio_id = self.backbone.dialogue.audio_id
        encoded = [
            self.prepared.encoded(int(position), width, audio_id)
            for position, width in zip(positions, widths, strict=True)
        ]
        for row, one in zip(rows, encoded, strict=True):
            check_width(self.backbone.dialogue, one, name=f"manifest row {row}")
        batch = collate(encoded, audio_states, self.backbone.dialogue.padding_id)
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
            tasks=tuple(self.prepared.task_names[code] for code in self.prepared.tasks[positions]),
        )

    def _audio(
        self, number: int, rows: Sequence[int]
    ) -> tuple[list[np.ndarray] | None, list[Tensor]]:
        """Return the log-mels of rows where the encoder trains, their aligner outputs elsewhere."""
        if self.audio_states is not None:
            return None, [torch.as_tensor(one) for one in self.audio_states(rows)]
        if self.log_mels is None:
            raise ValueError("micro-batches need audio states or log-mels")
        return self._varied(number, rows, self.log_mels(rows)), []

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
