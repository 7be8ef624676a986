"""How many tokens one forward pass may hold: given, or measured on the first steps of a run."""

from typing import Protocol

import torch

SAFE_TOKENS = 2048
MEASURED_STEPS = 6
_USED = 0.8  # of the memory that is free: attention grows faster than the tokens do


class Memory(Protocol):
    """The memory of a device, around one forward and backward pass."""

    def begin(self) -> None:
        """Forget what was used before."""
        ...

    def used_bytes(self) -> int:
        """Return the most that was used since `begin`, beyond what was in use then."""
        ...

    def free_bytes(self) -> int:
        """Return what can be used beyond what was in use at `begin`."""
        ...


class CudaMemory:
    """The memory of the current GPU."""

    def __init__(self) -> None:
        self._base = 0

    def begin(self) -> None:
        """Forget what was used before."""
        torch.cuda.reset_peak_memory_stats()
        self._base = torch.cuda.memory_allocated()

    def used_bytes(self) -> int:
        """Return the most that was used since `begin`, beyond what was in use then."""
        return torch.cuda.max_memory_allocated() - self._base

    def free_bytes(self) -> int:
        """Return what can be used beyond what was in use at `begin`."""
        free, _ = torch.cuda.mem_get_info()
        return free + torch.cuda.memory_reserved() - self._base


class TokenBudget:
    """Most tokens of a forward pass, padding counted.

    Where it is not given but memory can be measured, it begins small and grows, at most twofold
    a step, to what the memory left beside weights and optimiser holds by the dearest pass seen.
    The first step is not measured: the optimiser has no state yet. A pass that runs out of memory
    halves it for good.

    Args:
        given: Most tokens; measured, or none, when None.
        memory: What is measured; nothing when None.

    Attributes:
        limit: Most tokens now, None for no limit.
    """

    def __init__(self, given: int | None, memory: Memory | None) -> None:
        self._memory = memory if given is None else None
        self.limit = SAFE_TOKENS if self._memory is not None else given
        self._num_steps = 0
        self._bytes_per_token = 0.0

    def begin_pass(self) -> None:
        """Take note of a forward pass that begins."""
        if self._memory is not None:
            self._memory.begin()

    def end_pass(self, num_tokens: int) -> None:
        """Take note of what a pass of so many tokens used."""
        if self._memory is not None and self._num_steps:
            used = self._memory.used_bytes() / num_tokens
            self._bytes_per_token = max(self._bytes_per_token, used)

    def end_step(self) -> None:
        """Grow as far as what was measured allows."""
        if self._memory is None or self.limit is None:
            return
        self._num_steps += 1
        if self._bytes_per_token:
            room = int(_USED * self._memory.free_bytes() / self._bytes_per_token)
            self.limit = max(self.limit, min(2 * self.limit, room))
        if self._num_steps == MEASURED_STEPS:
            self._memory = None

    def halve(self, num_tokens: int) -> None:
        """Allow half of what a pass held that ran out of memory."""
        self.limit = num_tokens // 2
        self._memory = None
