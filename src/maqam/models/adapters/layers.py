"""Linear layers with several LoRA adapters, through which tokens are routed.

PEFT routes rows to adapters while decoding only; these layers do it while training, too, all
adapters of a batch in two matrix products: what a token is not routed to is multiplied by 0.

Tensor letters: D inputs, O outputs, Q rank, E adapters that run; `...` is [R, T] or [N].
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from maqam.errors import ModelError
from maqam.models.adapters.rows import check_tasks, rows_here
from maqam.models.tuning.names import SHARED, key_of


@dataclass(frozen=True, slots=True)
class LayerForm:
    """What decides the adapters of one layer.

    Attributes:
        names: Tasks, or names of experts.
        rank: Rank of each.
        scale: Their output is multiplied by it.
        dropout: In front of them, in [0, 1).
    """

    names: Sequence[str]
    rank: int
    scale: float
    dropout: float = 0.0


class RoutedLinear(nn.Module, BaseTunerLayer):  # type: ignore[misc]  # PEFT is untyped to us
    """A linear layer with adapters by task.

    Args:
        base_layer: The layer of the LLM.
        form: Tasks, rank and scale.
        has_shared: Whether one more adapter takes all rows.
        shares_a: Whether all tasks have one matrix A.
    """

    def __init__(
        self,
        base_layer: nn.Linear,
        form: LayerForm,
        *,
        has_shared: bool = False,
        shares_a: bool = False,
    ) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.form = form
        self.has_shared, self.shares_a = has_shared, shares_a
        self.lora_dropout = nn.Dropout(form.dropout) if form.dropout else nn.Identity()
        keys = ([SHARED] if has_shared else []) + [key_of(name) for name in form.names]
        device = base_layer.weight.device
        first = [SHARED] if shares_a else keys
        inputs, outputs = base_layer.in_features, base_layer.out_features
        self.lora_A = nn.ParameterDict({key: _random(form.rank, inputs, device) for key in first})
        self.lora_B = nn.ParameterDict(
            {key: nn.Parameter(torch.zeros(outputs, form.rank, device=device)) for key in keys}
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Add to the layer's outputs what the adapters of each token say."""
        outputs: Tensor = self.base_layer(inputs)
        keys, gates = self.route(inputs)
        first = next(iter(self.lora_A.values()))
        own = self.lora_dropout(inputs.to(first.dtype))
        if self.shares_a:
            inner = F.linear(own, first)[..., None, :]  # [..., 1, Q]
        else:
            matrix = torch.cat([self.lora_A[key] for key in keys])
            inner = F.linear(own, matrix)
            inner = inner.view(*inner.shape[:-1], len(keys), -1)  # [..., E, Q]
        if gates is not None:
            inner = inner * gates[..., None].to(inner.dtype)
        added = F.linear(inner.flatten(-2), torch.cat([self.lora_B[key] for key in keys], dim=1))
        return outputs + (added * self.form.scale).to(outputs.dtype)

    def route(self, inputs: Tensor) -> tuple[list[str], Tensor | None]:
        """Return which adapters run, and how much each counts for each token.

        Returns:
            Their keys, and [..., E] factors; None where all are 1.

        Raises:
            ModelError: If nobody said of which tasks the rows are, or a task has no adapter.
        """
        rows = rows_here()
        if rows is None:
            raise ModelError(
                "adapters by task need to know the task of every row",
                where="adapter",
                hint="run the LLM within maqam.models.adapters.routed(Rows(tasks))",
            )
        check_tasks(rows.tasks, self.form.names)
        keys = [key_of(task) for task in rows.present]
        gates = rows.gates(inputs) if len(keys) > 1 else None
        if not self.has_shared:
            return keys, gates
        return [SHARED, *keys], None if gates is None else F.pad(gates, (1, 0), value=1.0)

    def merge(self) -> None:
        """Refuse: adapters by task are not one.

        Raises:
            ModelError: Always.
        """
        raise ModelError(
            "routed adapters cannot be added to the weights: which of them runs depends on the row",
            where="adapter",
            hint="merge the adapter of one task, or their average",
        )

    def matrices(self, name: str) -> tuple[Tensor, Tensor]:
        """Return the matrices A [Q, D] and B [O, Q] of what a name is routed to, as one LoRA.

        Args:
            name: A task or an expert.

        Returns:
            Of rank 2 Q where all rows go through one more adapter.
        """
        key = key_of(name)
        first = self.lora_A[SHARED if self.shares_a else key]
        if not self.has_shared:
            return first, self.lora_B[key]
        return (
            torch.cat([self.lora_A[SHARED], first]),
            torch.cat([self.lora_B[SHARED], self.lora_B[key]], dim=1),
        )


class ExpertsLinear(RoutedLinear):
    """A linear layer with LoRA experts and a router.

    The router takes the hidden state in float32; the factors of the experts it picks sum to 1, so
    that equal experts are one. With one expert a token that factor is 1 with the gradient of its
    logarithm, or the router would learn nothing from the loss.

    Args:
        base_layer: The layer of the LLM.
        form: Names of experts, rank and scale.
        top_k: Experts a token goes through.
    """

    def __init__(self, base_layer: nn.Linear, form: LayerForm, *, top_k: int) -> None:
        super().__init__(base_layer, form)
        self.top_k = top_k
        router = torch.empty(len(form.names), base_layer.in_features)
        nn.init.normal_(router, std=0.02)
        self.lora_router = nn.Parameter(router.to(base_layer.weight.device))

    def route(self, inputs: Tensor) -> tuple[list[str], Tensor | None]:
        """Return the keys of all experts, and [..., E] how much each counts for each token."""
        with torch.autocast(inputs.device.type, enabled=False):
            chances = F.linear(inputs.float(), self.lora_router.float()).softmax(dim=-1)
        best = chances.topk(self.top_k, dim=-1)
        whole = best.values.sum(dim=-1, keepdim=True)
        parts = best.values / (whole.detach() if self.top_k == 1 else whole)
        gates = torch.zeros_like(chances).scatter(-1, best.indices, parts)
        if self.training:
            self._watch(chances, gates)
        return [key_of(name) for name in self.form.names], gates

    def _watch(self, chances: Tensor, gates: Tensor) -> None:
        """Note for each row how unevenly it uses the experts, and how undecided the router is."""
        rows = rows_here()
        if rows is None or rows.lengths is None:
            return
        size = chances.shape[-1]
        used = rows.by_row((gates > 0).float()).detach() / self.top_k  # [R, E], sums to 1
        rows.balance.append(size * (used * rows.by_row(chances)).sum(dim=-1))
        sure = -torch.special.xlogy(chances, chances).sum(dim=-1, keepdim=True).detach()
        rows.entropy.append(rows.by_row(sure)[:, 0] / math.log(size))


def _random(rank: int, inputs: int, device: torch.device) -> nn.Parameter:
    """Draw a matrix A as PEFT does, on the processor, so that it is the same wherever it runs."""
    drawn = torch.empty(rank, inputs)
    nn.init.kaiming_uniform_(drawn, a=math.sqrt(5))
    return nn.Parameter(drawn.to(device))
