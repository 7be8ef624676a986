"""Several processes of one launch (torchrun): which one this is, and waiting for the first.

One process prepares and prints; the others wait and find everything on disk. When it fails, the
launcher ends the others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import PartialState

from maqam.errors import RunError

_LONGEST_WAIT = timedelta(hours=48)  # preparing a large corpus takes longer than a step may


class Processes:
    """This process among those of its launch; a launch without torchrun has one."""

    def __init__(self) -> None:
        self._state = PartialState(cpu=not torch.cuda.is_available(), timeout=_LONGEST_WAIT)

    @property
    def index(self) -> int:
        """Number of this process, from 0."""
        return int(self._state.process_index)

    @property
    def count(self) -> int:
        """Processes of the launch."""
        return int(self._state.num_processes)

    @property
    def is_first(self) -> bool:
        """Whether this process prepares and prints."""
        return self.index == 0

    def wait(self) -> None:
        """Wait until all processes are here.

        Raises:
            RunError: If another process ended before it came here.
        """
        try:
            self._state.wait_for_everyone()
        except RuntimeError as error:
            raise RunError(
                "another process of the launch has ended",
                where=f"process {self.index}",
                hint="see what it said",
            ) from error

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """Run a block on the first process, then on the others, which find what it made."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()
