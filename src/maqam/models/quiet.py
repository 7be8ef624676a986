"""Whose progress bars and words are on the screen: ours, where the command line has any."""

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


@contextmanager
def no_foreign_words() -> Iterator[None]:
    """Keep what transformers tells of tensors beside an LLM's own off the screen."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)
