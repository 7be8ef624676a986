"""Ctrl-C during training ends a run after the step it falls in."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Whether the user asked a run to end.

    Attributes:
        noticed: Whether Ctrl-C came.
    """

    def __init__(self) -> None:
        self.noticed = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C as the wish to stop after this step; a second one stops at once.

        Raises:
            KeyboardInterrupt: At the end of the block, if the run was interrupted.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def note(number: int, frame: FrameType | None) -> None:
            self.noticed = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if self.noticed:
            raise KeyboardInterrupt
