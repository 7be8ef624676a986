"""From the rows of a plan to the micro-batches of every step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from maqam.errors import ScheduleError
from maqam.models.protocol import AudioLLM, AudioStates, collate
from maqam.schedule.plan import Plan, StepRows
from maqam.schedule.ranks import micro_batches
from maqam.seeding import generator
from maqam.train.augment import Augmentation, augment
from maqam.train.ctc import Transcripts
from maqam.train.log_mels import LogMels
from maqam.train.objective import MicroBatch, supervise, utterance_weights
from maqam.train.rows import PreparedRows, check_width
from maqam.train.settings import Objective
from maqam.train.token_budget import TokenBudget


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
    """The micro-batches one process sees of a plan, step after step.

    Which utterance goes to which process and micro-batch follows from the batch's lengths alone.

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
        num_micro_batches: Fewest forward passes of a step on each process.
        rank: This process.
        world_size: Number of processes.
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
    num_micro_batches: int = 1
    rank: int = 0
    world_size: int = 1

    def share_with(self, rank: int, world_size: int) -> None:
        """Become the part of one of several processes.

        Raises:
            ScheduleError: If a step of a finished plan has fewer utterances than processes.
        """
        self.rank, self.world_size = rank, world_size
        sizes = self.plan.batch_sizes if isinstance(self.plan, Plan) else np.array([world_size])
        if int(sizes.min()) < world_size:
            raise ScheduleError(
                f"{int(sizes.min())} utterances for {world_size} processes",
                where=f"step {int(sizes.argmin()) + 1}",
                hint="start fewer processes, or take larger batches",
            )

    def __len__(self) -> int:
        """Return the steps of the whole plan."""
        return self.plan.num_steps

    def __getitem__(self, index: tuple[int, int | None]) -> LoadedStep:
        """Return this process' part of a step.

        Args:
            index: Steps before it, and the most tokens of a micro-batch, None for no limit.
        """
        number, max_tokens = index
        return self.load(self.step(number), max_tokens)

    def load(self, step: Step, max_tokens: int | None = None) -> LoadedStep:
        """Read the audio of this process' part of a step and put its micro-batches together."""
        parts = self.split(step, max_tokens)
        loaded = [self._micro_batch(step, part) for part in parts]
        return LoadedStep(step, loaded, max_tokens)

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

    def split(self, step: Step, max_tokens: int | None = None) -> list[np.ndarray]:
        """Return which utterances of a step each micro-batch of this process holds."""
        lengths = self.prepared.num_tokens[step.positions]
        number = min(self.num_micro_batches, max(len(lengths) // self.world_size, 1))
        return micro_batches(lengths, number, self.world_size, max_tokens)[self.rank]

    def tasks(self, step: Step) -> np.ndarray:
        """Return the task of each utterance of a step."""
        return np.asarray(self.prepared.task_names)[self.prepared.tasks[step.positions]]

    def micro_batches(self, step: Step, chosen: np.ndarray) -> Iterator[MicroBatch]:
        """Return some utterances of a step, of all processes, with the weights they have in it.

        Args:
            step: The step.
            chosen: (num_utterances,) booleans, or positions in the step.
        """
        places = np.arange(len(step.rows))[chosen]
        lengths = self.prepared.num_tokens[step.positions[places]]
        number = min(self.num_micro_batches * self.world_size, len(places))
        for part in micro_batches(lengths, number)[0]:
            yield self._micro_batch(step, places[part])

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


class StepsLeft(Sampler[tuple[int, int | None]]):
    """The steps of a plan from a cursor on, with the tokens a micro-batch may hold by then.

    Args:
        first_step: Steps done before.
        num_steps: Steps of the whole plan.
        budget: What says how many tokens a micro-batch may hold.
    """

    def __init__(self, first_step: int, num_steps: int, budget: TokenBudget) -> None:
        self._first_step, self._num_steps, self._budget = first_step, num_steps, budget

    def __iter__(self) -> Iterator[tuple[int, int | None]]:
        """Yield the steps that are left, each when it is read."""
        for step in range(self._first_step, self._num_steps):
            yield step, self._budget.limit

    def __len__(self) -> int:
        """Return the steps of the whole plan, which the trainer counts its epoch by."""
        return self._num_steps
