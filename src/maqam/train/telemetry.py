"""What a run writes while it trains: one JSON line a step, and TensorBoard's files beside it."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from maqam.errors import RunError


class Telemetry:
    """The growing record of a run's steps.

    Args:
        run_folder: Folder of the run.
        last_step: Step of the checkpoint the run goes on from, 0 for a new run; lines past it
            are removed, since their steps will be taken again.

    Raises:
        RunError: If the record cannot be written, or its lines cannot be read again.
    """

    def __init__(self, run_folder: Path, last_step: int = 0) -> None:
        self._path = run_folder / "train.jsonl"
        try:
            _cut(self._path, last_step)
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise self._fault(error) from error
        self._board = _board(run_folder / "tensorboard", last_step)

    def __enter__(self) -> Self:
        """Give the record itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()

    def write(self, record: Mapping[str, Any]) -> None:
        """Append the record of one step.

        Raises:
            RunError: If it cannot be written, for want of space mostly.
        """
        try:
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise self._fault(error) from error
        if self._board is not None:
            for name, value in _scalars(record):
                self._board.add_scalar(name, value, record["step"])

    def _fault(self, error: OSError) -> RunError:
        return RunError(
            f"the record of the steps cannot be written: {error.strerror or error}",
            where=str(self._path),
            hint="make room on the disk and resume the run",
        )


def read_steps(run_folder: Path, last_step: int) -> list[dict[str, Any]]:
    """Read the records of the steps up to one, in order; none where there is no record yet."""
    path = run_folder / "train.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in _kept(path, last_step)]


def _cut(path: Path, last_step: int) -> None:
    """Remove the lines past a step, a half-written one among them."""
    if not path.exists():
        return
    kept = _kept(path, last_step)
    partial = path.with_name(path.name + ".partial")
    partial.write_text("".join(kept), encoding="utf-8")
    partial.replace(path)


def _kept(path: Path, last_step: int) -> list[str]:
    """Give the lines up to a step, as far as they are whole."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            step = json.loads(line)["step"]
        except (ValueError, KeyError):
            break
        if step > last_step:
            break
        kept.append(line)
    return kept


def _board(folder: Path, last_step: int) -> Any:  # noqa: ANN401  tensorboard is optional
    """Give a TensorBoard writer, None where TensorBoard is not installed."""
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter  # type: ignore[attr-defined,unused-ignore]

    return SummaryWriter(str(folder), purge_step=last_step + 1)


def _scalars(record: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Give TensorBoard's names and values of a step."""
    per_second = record["utterances"] / max(record["seconds"], 1e-9)
    found = [(f"train/{name}", record[name]) for name in ("loss", "grad_norm", "lr")]
    if "ctc_loss" in record:
        found.append(("train/ctc_loss", record["ctc_loss"]))
    found.append(("train/utterances_per_second", per_second))
    return found + [(f"loss_by_task/{task}", loss) for task, loss in record["loss_by_task"].items()]
