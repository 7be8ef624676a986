"""Which task every row in the LLM asks, as the layers that are routed by it see it.

A layer is handed numbers alone. What runs the LLM says whose they are, for as long as it runs.

Tensor letters: R rows in the LLM, T tokens, N tokens of all rows, S chosen positions, E choices.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from torch import Tensor

from maqam.errors import ModelError


@dataclass(eq=False)
class Rows:
    """The rows that run through the LLM side by side.

    Attributes:
        tasks: Task of each row.
        lengths: [R] real tokens of each, right-padded; None where routers are not watched.
        owners: [S] row of each position that the last layer is computed at; None where it is
            computed at all.
        balance: [R] of each layer with a router: how unevenly each row uses the experts.
        entropy: [R] of each such layer: how undecided the router is, 1 for evenly.
    """

    tasks: Sequence[str]
    lengths: Tensor | None = None
    owners: Tensor | None = None
    balance: list[Tensor] = field(default_factory=list)
    entropy: list[Tensor] = field(default_factory=list)
    _gates: dict[object, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.present = tuple(dict.fromkeys(self.tasks))

    def row_of(self, inputs: Tensor) -> Tensor:
        """Return which row each token of a layer's inputs belongs to.

        Args:
            inputs: [..., R, T, D], or [N, D] or [S, D]; R may be a multiple of the rows, each then
                repeated as often in its place.

        Returns:
            [R, 1] or [N] indexes.
        """
        if inputs.dim() > 2:
            return _repeated(len(self.tasks), inputs.shape[-3], inputs.device)[:, None]
        if self.owners is not None and len(self.owners) == len(inputs):
            return self.owners.to(inputs.device)
        return _repeated(len(self.tasks), len(inputs), inputs.device)

    def gates(self, inputs: Tensor) -> Tensor:
        """Return [R, 1, E] or [N, E]: 1 where a token's row asks the task, of those present."""
        key = (inputs.dim() > 2, inputs.shape[-3:-1], inputs.device)
        if key not in self._gates:
            codes = torch.tensor([self.present.index(task) for task in self.tasks])
            choices = torch.eye(len(self.present))[codes].to(inputs.device)  # [rows, E]
            self._gates[key] = choices[self.row_of(inputs)]
        return self._gates[key]

    def by_row(self, values: Tensor) -> Tensor:
        """Return the [R, E] averages of what is known of tokens, over the real tokens of each row.

        Args:
            values: [R, T, E], or [S, E] where `owners` tells whose they are; R is the rows.
        """
        if values.dim() == 2:
            owners = self.row_of(values)
            number = torch.bincount(owners, minlength=len(self.tasks)).clamp(min=1)
            summed = values.new_zeros(len(self.tasks), values.shape[-1])
            return summed.index_add(0, owners, values) / number[:, None]
        lengths = torch.as_tensor(self.lengths, device=values.device)
        is_real = torch.arange(values.shape[1], device=values.device) < lengths[:, None]
        return (values * is_real[..., None]).sum(dim=1) / lengths[:, None]


_ROWS: ContextVar[Rows | None] = ContextVar("rows", default=None)


@contextmanager
def routed(rows: Rows) -> Iterator[Rows]:
    """Tell routed layers whose tokens run through the LLM, while the block runs."""
    token = _ROWS.set(rows)
    try:
        yield rows
    finally:
        _ROWS.reset(token)


def rows_here() -> Rows | None:
    """Return whose tokens run through the LLM; None where nobody said it."""
    return _ROWS.get()


def check_tasks(tasks: Sequence[str], known: Sequence[str]) -> None:
    """Refuse rows of tasks that have no adapter.

    Args:
        tasks: Task of each row.
        known: Tasks with an adapter.

    Raises:
        ModelError: If there are such rows; they are counted by task.
    """
    absent = {task: list(tasks).count(task) for task in sorted({*tasks} - {*known})}
    if absent:
        counted = ", ".join(f"{number} of task {task}" for task, number in absent.items())
        raise ModelError(
            f"{sum(absent.values())} rows have no adapter ({counted}): there are adapters of "
            f"{', '.join(known)}",
            where="adapter",
            hint="train on these tasks, too, or score the others: maqam eval RUN "
            + " ".join(f"--task {task}" for task in known),
        )


def _repeated(num_rows: int, size: int, device: torch.device) -> Tensor:
    """Return the row of each of `size` places that the rows share evenly, in their order."""
    return torch.arange(size, device=device) * num_rows // size
