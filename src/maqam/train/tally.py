"""What a step adds up over its micro-batches and processes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.distributed as dist
from accelerate import DistributedType
from torch import Tensor, nn

from maqam.errors import RunError
from maqam.schedule.plan import rows_checksum
from maqam.train.objective import MicroBatch, Routers


@dataclass(slots=True)
class Tally:
    """The sums of one step.

    Attributes:
        losses: [num_tasks] float64 losses of all target tokens of each task.
        ctc_loss: [] float64, before its weight.
        balance: [] float64 balancing loss of experts, before its factor.
        entropies: [num_tasks] float64 sums over utterances of how undecided routers were.
        input_tokens: Tokens without padding.
        rows_checksum: Tells which rows went through the model.
        forward_passes: Micro-batches.
        interrupts: Processes on which the user asked for the end.
    """

    losses: Tensor
    ctc_loss: Tensor
    balance: Tensor
    entropies: Tensor
    input_tokens: int = 0
    rows_checksum: int = 0
    forward_passes: int = 0
    interrupts: int = 0

    @classmethod
    def zeros(cls, num_tasks: int, device: torch.device) -> Self:
        """Begin a step."""
        return cls._of(torch.zeros(2 * num_tasks + 2, dtype=torch.float64, device=device))

    @classmethod
    def _of(cls, sums: Tensor, *counts: int) -> Self:
        """Part [2 * num_tasks + 2] sums."""
        num_tasks = len(sums) // 2 - 1
        losses, entropies = sums[:num_tasks], sums[num_tasks : 2 * num_tasks]
        return cls(losses, sums[-2], sums[-1], entropies, *counts)

    def add(
        self,
        micro_batch: MicroBatch,
        tasks: np.ndarray,
        by_utterance: Tensor,
        ctc_loss: Tensor,
        routers: Routers | None = None,
    ) -> None:
        """Add a micro-batch.

        Args:
            micro_batch: What went through the model.
            tasks: (B,) position of each utterance's task among the losses.
            by_utterance: [B] loss of all target tokens of each.
            ctc_loss: Its part of the CTC loss.
            routers: How the routers of experts did in it.
        """
        codes = torch.from_numpy(tasks).to(self.losses.device)
        self.losses.index_add_(0, codes, by_utterance.to(self.losses.dtype))
        self.ctc_loss += ctc_loss
        if routers is not None:
            self.balance += routers.balance
            self.entropies.index_add_(0, codes, routers.entropy.to(self.entropies.dtype))
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
        own = [self.losses, self.entropies, self.ctc_loss[None], self.balance[None]]
        flat = reduce(torch.cat([*own, told]))
        summed = [int(one) for one in flat[-len(counts) :].tolist()]
        return Tally._of(flat[: -len(counts)], *summed)


def sum_gradients(model: nn.Module, failed_tokens: int) -> int:
    """Sum the gradients of a model over processes, unless one of them ran out of memory.

    Each process may have taken any number of forward passes. A parameter that none of them reached
    keeps no gradient, so that the optimiser leaves it alone as it would on one process.

    Args:
        model: This process' copy.
        failed_tokens: Tokens of the pass that ran out of memory here, 0 if none did.

    Returns:
        The most tokens that ran out of memory on any process, 0 if none did.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return failed_tokens
    trained = [one for one in model.parameters() if one.requires_grad]
    reached = [one.grad is not None for one in trained]
    told = torch.tensor([failed_tokens, *reached], device=trained[0].device)
    dist.all_reduce(told, dist.ReduceOp.MAX)
    failed, *reached_anywhere = told.tolist()
    if failed:
        return int(failed)
    for parameter, is_reached in zip(trained, reached_anywhere, strict=True):
        if is_reached:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
    return 0


def check_copies(kind: DistributedType) -> None:
    """Refuse a launch in which processes hold parts of the model: gradients are those of copies.

    Raises:
        RunError: Under FSDP, DeepSpeed and Megatron.
    """
    parts = (DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM)
    if kind in parts:
        raise RunError(
            f"{kind.value} splits the model over processes, and every process trains a copy of it",
            where="accelerate",
            hint="start it with torchrun, or turn that off in accelerate's configuration",
        )
