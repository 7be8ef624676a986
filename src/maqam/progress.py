"""The one shape of progress: a bar is opened for a stage and moved to (done, total)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[int, int | None], None]
"""Called with what is done and the total, None where the total is not known before the end."""

Bars = Callable[[str], AbstractContextManager[Progress]]
"""Opens the progress bar of a stage by its name."""


@contextmanager
def no_bars(description: str) -> Iterator[Progress]:
    """Show no progress: for use as a library and in tests."""
    yield lambda done, total: None
