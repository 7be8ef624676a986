"""What commands show: progress and warnings on stderr, results and tables on stdout."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from rich.console import Console, JustifyMethod
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

from maqam.progress import Progress

_IS_FIRST = os.environ.get("RANK", "0") == "0"  # of the processes of torchrun, one speaks
stdout = Console(highlight=False, soft_wrap=True, quiet=not _IS_FIRST)
stderr = Console(stderr=True, highlight=False, soft_wrap=True, quiet=not _IS_FIRST)
stdout.width = max(stdout.width, 160)  # a terminal wraps long lines: better than folded cells


@contextmanager
def progress_bar(description: str) -> Iterator[Progress]:
    """Yield the function that moves a bar to (done, total); nothing shows before its first call.

    A total of None is one that is not known.
    """
    columns = (
        TextColumn("{task.description:<28}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bars = RichProgress(*columns, console=stderr, refresh_per_second=4)
    bar = bars.add_task(description, total=None)

    heard: list[int] = []

    def report(done: int, total: int | None) -> None:
        if heard:  # and lost on the way
            raise KeyboardInterrupt
        bars.start()
        bars.update(bar, completed=done, total=total)

    try:
        with _noted_interrupts(heard):
            yield report
    finally:
        if bars.live.is_started:
            bars.stop()


@contextmanager
def _noted_interrupts(heard: list[int]) -> Iterator[None]:
    """Note every Ctrl-C, for pyarrow loses one that comes while it looks for pandas."""
    usual = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or usual is not signal.default_int_handler:
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def say(text: str) -> None:
    """Print a line that is progress, not a result."""
    stderr.print(text, markup=False)


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a result as a table: the first column to the left, the others to the right."""
    heading = Text(title, style="table.title") if title else None
    table = Table(
        title=heading, title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for index, name in enumerate(header):
        side: JustifyMethod = "left" if index == 0 else "right"
        table.add_column(Text(name), justify=side, no_wrap=index == 0)
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row))
    stdout.print(table)


def print_json(value: Any) -> None:  # noqa: ANN401  any plain value
    """Print a result for a script to read."""
    if _IS_FIRST:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
