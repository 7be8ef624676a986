"""Exact gradients of single utterances, for whatever trains in linear layers.

The gradient of a linear layer's weight is the product of its input and of the gradient at its
output, so both are caught and multiplied utterance by utterance: no projection, no loop over
utterances, and no gradient is written to `.grad`. That holds for LoRA's A and B and for whole
matrices. Matrices of adapters that are routed by task or token are not called as layers: with them
utterances go one by one. What is no matrix (a norm), and embeddings, are counted only.

Tensor letters: B utterances, T tokens, S positions, I width of an input, O width of an output.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from maqam.train.objective import MicroBatch, TrainingModel, without_dropout


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a linear layer.

    Attributes:
        name: Name of its weight.
        inputs: [B, T, I], or [S, I] where it ran at supervised positions only.
        outputs: [B, T, O] or [S, O], with the graph that made them.
    """

    name: str
    inputs: Tensor
    outputs: Tensor


class UtteranceGradients:
    """Gradients of the utterances of a micro-batch, one by one.

    Args:
        learner: The model and its loss; what requires gradients is looked at.

    Attributes:
        parameters: The matrices that train and are looked at, by name.
        num_seen: Numbers in them.
        num_unseen: Numbers that train elsewhere.
        losses: [B] mean loss of a target token of each utterance of the last micro-batch.
    """

    def __init__(self, learner: TrainingModel) -> None:
        self._learner = learner
        self.losses = torch.zeros(0)
        owners = Counter(
            id(one) for module in learner.modules() for one in module.parameters(recurse=False)
        )
        self._layers = {
            f"{name}.weight": module
            for name, module in learner.named_modules()
            if isinstance(module, nn.Linear)
            and module.weight.requires_grad
            and owners[id(module.weight)] == 1  # a head that is the embeddings learns as both
        }
        embeddings = {id(one.weight) for one in learner.modules() if isinstance(one, nn.Embedding)}
        trained = {name: one for name, one in learner.named_parameters() if one.requires_grad}
        self._alone = {
            name: one
            for name, one in trained.items()
            if name not in self._layers and one.dim() > 1 and id(one) not in embeddings
        }
        self.parameters = {
            name: one for name, one in trained.items() if name in {*self._layers, *self._alone}
        }
        self.num_seen = sum(one.numel() for one in self.parameters.values())
        self.num_unseen = sum(one.numel() for one in trained.values()) - self.num_seen

    def __call__(self, micro_batch: MicroBatch) -> dict[str, Tensor]:
        """Return the gradients of each utterance's mean loss of a target token.

        Args:
            micro_batch: The utterances.

        Returns:
            [B, O, I] float32 of each matrix by name, on the CPU; 0 for one that did not run.

        Raises:
            PartsOfBatchError: If a matrix is not a layer's, or its layer ran on a part of the
                utterances; one utterance at a time is right then.
        """
        size = len(micro_batch.rows)
        if self._alone and size > 1:
            raise PartsOfBatchError(f"{len(self._alone)} matrices are not those of layers")
        own = _averaged(micro_batch)
        with self._caught() as calls, without_dropout(self._learner):
            loss, by_utterance, _ = self._learner(own)
        self.losses = by_utterance.cpu() * own.weights
        found = torch.autograd.grad(
            loss,
            [*(call.outputs for call in calls), *self._alone.values()],
            allow_unused=True,
            materialize_grads=True,
        )
        totals = {name: torch.zeros(size, *one.shape) for name, one in self.parameters.items()}
        for call, gradient in zip(calls, found, strict=False):
            totals[call.name] += _by_utterance(call.inputs, gradient, own).cpu()
        for name, gradient in zip(self._alone, found[len(calls) :], strict=True):
            totals[name] += gradient.float().cpu()[None]
        return totals

    def losses_of(self, micro_batch: MicroBatch) -> np.ndarray:
        """Return the (B,) mean losses of a target token of utterances."""
        own = _averaged(micro_batch)
        with without_dropout(self._learner):
            by_utterance = self._learner(own)[1]
        return (by_utterance.detach().cpu() * own.weights).numpy()

    @contextmanager
    def _caught(self) -> Iterator[list[Call]]:
        """Yield the list that the calls of the layers are added to while the block runs."""
        calls: list[Call] = []

        def catch(name: str) -> Any:  # noqa: ANN401  a hook, which torch types loosely
            def hook(module: nn.Module, inputs: tuple[Tensor], outputs: Tensor) -> None:
                calls.append(Call(name, inputs[0].detach(), outputs))

            return hook

        handles = [
            module.register_forward_hook(catch(name)) for name, module in self._layers.items()
        ]
        try:
            yield calls
        finally:
            for handle in handles:
                handle.remove()


class PartsOfBatchError(ValueError):
    """Utterances of a micro-batch cannot be told apart in some matrix: they must go one by one."""


def _averaged(micro_batch: MicroBatch) -> MicroBatch:
    """Return a micro-batch whose loss sums the mean losses of a target token."""
    tokens = torch.bincount(micro_batch.owners, minlength=len(micro_batch.rows))
    return replace(micro_batch, weights=1.0 / tokens.clamp(min=1).float())


def _by_utterance(inputs: Tensor, gradient: Tensor, micro_batch: MicroBatch) -> Tensor:
    """Return the products of inputs and gradients at outputs, [B, O, I] float32."""
    ids = micro_batch.batch.input_ids
    size = len(ids)
    inputs, gradient = inputs.float(), gradient.float()
    if size == 1:
        inputs, gradient = inputs.reshape(1, -1, inputs.shape[-1]), gradient.flatten(0, -2)[None]
    elif inputs.shape[:-1] != ids.shape:
        positions = micro_batch.supervised.to(inputs.device)
        if inputs.shape[:-1] != positions.shape:
            raise PartsOfBatchError(f"a layer ran on {tuple(inputs.shape)} of {tuple(ids.shape)}")
        inputs, gradient = (
            one.new_zeros(ids.numel(), one.shape[-1])
            .index_copy(0, positions, one)
            .view(*ids.shape, -1)
            for one in (inputs, gradient)
        )
    return torch.einsum("bto,bti->boi", gradient, inputs)


class Grams:
    """Inner products of the gradients of utterances, layer by layer.

    Args:
        scales: By name of a matrix, what its gradients are multiplied by: the root of what an
            optimiser multiplies them by, for its metric; nothing for the Euclidean one.
    """

    def __init__(self, scales: Mapping[str, Tensor] | None = None) -> None:
        self._scales = scales

    def __call__(self, gradients: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Return the [N, N] float64 inner products of all utterances, by name of the matrix.

        Args:
            gradients: What `UtteranceGradients` returned of each micro-batch.
        """
        return {
            name: self._products([one[name] for one in gradients], name) for name in gradients[0]
        }

    def heads(
        self, gradients: Sequence[Mapping[str, Tensor]], name: str, num_heads: int
    ) -> list[Tensor]:
        """Return the [N, N] inner products of each head's rows of a layer's weight."""
        whole = self._scaled(torch.cat([one[name] for one in gradients]), name)
        return [_product(part) for part in whole.chunk(num_heads, dim=1)]

    def _products(self, parts: Sequence[Tensor], name: str) -> Tensor:
        return _product(self._scaled(torch.cat([*parts]), name))

    def _scaled(self, gradients: Tensor, name: str) -> Tensor:
        return gradients if self._scales is None else gradients * self._scales[name]


def _product(gradients: Tensor) -> Tensor:
    flat = gradients.flatten(1).double()
    return flat @ flat.T
