"""Whose progress bars are on the screen: ours, where the command line draws any."""

from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging


@contextmanager
def no_foreign_bars() -> Iterator[None]:
    """Keep transformers' progress bars off the screen while the block runs."""
    was_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_shown:
            logging.enable_progress_bar()
