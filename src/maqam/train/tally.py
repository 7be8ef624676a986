"""What a step adds up over its micro-batches and processes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from maqam.schedule.plan import rows_checksum
from maqam.train.objective import MicroBatch


@dataclass(slots=True)
class Tally:
    """The sums of one step.

    Attributes:
        losses: [num_tasks] float64 losses of all target tokens of each task.
        ctc_loss: [] float64, before its weight.
        input_tokens: Tokens without padding.
        rows_checksum: Tells which rows went through the model.
        forward_passes: Micro-batches.
        interrupts: Processes on which the user asked for the end.
    """

    losses: Tensor
    ctc_loss: Tensor
    input_tokens: int = 0
    rows_checksum: int = 0
    forward_passes: int = 0
    interrupts: int = 0

    @classmethod
    def zeros(cls, num_tasks: int, device: torch.device) -> Self:
        """Begin a step."""
        losses = torch.zeros(num_tasks + 1, dtype=torch.float64, device=device)
        return cls(losses[:-1], losses[-1])

    def add(
        self, micro_batch: MicroBatch, tasks: np.ndarray, by_utterance: Tensor, ctc_loss: Tensor
    ) -> None:
        """Add a micro-batch.

        Args:
            micro_batch: What went through the model.
            tasks: (B,) position of each utterance's task among the losses.
            by_utterance: [B] loss of all target tokens of each.
            ctc_loss: Its part of the CTC loss.
        """
        codes = torch.from_numpy(tasks).to(self.losses.device)
        self.losses.index_add_(0, codes, by_utterance.to(self.losses.dtype))
        self.ctc_loss += ctc_loss
        self.input_tokens += int(micro_batch.batch.lengths.sum())
        self.rows_checksum += rows_checksum(micro_batch.rows)
        self.forward_passes += 1

    def over_processes(self, reduce: Callable[[Tensor], Tensor]) -> "Tally":
        """Return the sums of all processes.

        Args:
            reduce: Sums a tensor over processes.
        """
        counts = [self.input_tokens, self.rows_checksum, self.forward_passes, self.interrupts]
        told = torch.tensor(counts, dtype=torch.float64, device=self.losses.device)
        flat = reduce(torch.cat([self.losses, self.ctc_loss[None], told]))
        num_tasks = len(self.losses)
        summed = [int(one) for one in flat[num_tasks + 1 :].tolist()]
        return Tally(flat[:num_tasks], flat[num_tasks], *summed)
