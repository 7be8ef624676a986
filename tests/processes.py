"""Processes of one group as torchrun makes them, forked from one that has loaded the libraries.

`python -m torch.distributed.run` starts with them, and in each process, anew.
"""

import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.distributed.launcher.api import LaunchConfig, elastic_launch

NUM_PROCESSES = 2
_SECONDS = 300

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.processes", "accelerate", "maqam.train.phases"])


@dataclass(frozen=True, slots=True)
class Done:
    """What a group left: the exit code of what launched it, and what all processes said."""

    code: int | None
    stdout: str
    stderr: str


def together(run: Callable[..., None], *given: Any, folder: Path) -> Done:
    """Run a function of a module on every process of a group.

    Args:
        run: The function.
        given: What it is given.
        folder: Where the processes write what they say.
    """
    folder.mkdir(parents=True, exist_ok=True)
    launcher = _CONTEXT.Process(target=_launch, args=(folder, run, given))
    launcher.start()
    launcher.join(_SECONDS)
    if launcher.is_alive():
        launcher.kill()
    said = [(folder / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
    return Done(launcher.exitcode, *said)


def _launch(folder: Path, run: Callable[..., None], given: tuple[Any, ...]) -> None:
    """Do what torchrun does; when one process fails, the others are ended."""
    os.environ["OMP_NUM_THREADS"] = "1"
    for number, name in ((1, "stdout"), (2, "stderr")):
        with (folder / name).open("a", encoding="utf-8") as file:
            os.dup2(file.fileno(), number)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    config = LaunchConfig(
        1,
        1,
        NUM_PROCESSES,
        rdzv_backend="static",
        max_restarts=0,
        rdzv_endpoint=f"localhost:{port}",
        rdzv_configs={"rank": 0},
        start_method="fork",
        monitor_interval=0.02,
    )
    elastic_launch(config, run)(*given)
    sys.stdout.flush()
