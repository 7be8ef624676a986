"""One measure of conflict: gradients of fixed utterances, their products, groups compared."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maqam.data.manifest import Manifest
from maqam.diagnose.conflict import conflict_of
from maqam.diagnose.gradients import Grams, PartsOfBatchError, UtteranceGradients
from maqam.diagnose.moments import scales_of
from maqam.diagnose.record import ADAM, EUCLIDEAN, FORMAT_VERSION
from maqam.diagnose.rows import FixedRows
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.schedule.plan import rows_checksum
from maqam.train.batches import ROWS_AT_ONCE, FixedSteps, PlanBatches
from maqam.train.log_mels import LogMels
from maqam.train.objective import TrainingModel
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective

_HEADS = re.compile(r"\bq_proj\b(?!.*lora_(A|router))")


class ConflictMeasure:
    """Measures the conflict between groups of fixed utterances.

    Args:
        backbone: The model.
        learner: The model and its loss, what trains requiring gradients.
        manifest: Where the rows are.
        fixed: The utterances and their groups.
        sources: Aligner outputs of rows, None where the encoder trains, and what it hears there.
        seed: Seed of the intervals.
    """

    def __init__(
        self,
        backbone: AudioLLM,
        learner: TrainingModel,
        manifest: Manifest,
        fixed: FixedRows,
        sources: tuple[AudioStates | None, LogMels | None],
        seed: int = 0,
    ) -> None:
        self.fixed = fixed
        self.gradients = UtteranceGradients(learner)
        self._seed = seed
        self._num_heads = int(getattr(backbone.llm.config, "num_attention_heads", 1))
        prepared = prepare_rows(backbone.dialogue, manifest, fixed.rows)
        plan = FixedSteps([fixed.rows])
        self._batches = PlanBatches(backbone, plan, prepared, Objective(), *sources)
        self._at_once = ROWS_AT_ONCE

    def __call__(self, step: int, moments: Mapping[str, Tensor] | None = None) -> dict[str, Any]:
        """Measure the model as it is.

        Args:
            step: Steps it has taken.
            moments: Second moments of the optimiser by name of a layer, for its metric.

        Returns:
            A line of `conflict.jsonl`.
        """
        gradients, losses, order = self._sampled()
        metrics = {EUCLIDEAN: Grams()}
        if moments is not None:
            metrics[ADAM] = Grams(scales_of(moments))
        back = np.argsort(order)
        return {
            "format_version": FORMAT_VERSION,
            "step": step,
            "rows": len(self.fixed.rows),
            "rows_checksum": rows_checksum(self.fixed.rows),
            "parameters": self.gradients.num_seen,
            "parameters_unseen": self.gradients.num_unseen,
            "losses": self._by_group(losses[back]),
            "groups_of_one": {kind: [*names] for kind, names in self.fixed.left_out.items()},
            "metrics": {
                name: self._compared(grams, gradients, back) for name, grams in metrics.items()
            },
        }

    @torch.no_grad()
    def losses(self) -> dict[str, dict[str, float]]:
        """Return the mean loss of a target token of every group, by kind; no gradient is taken."""
        parts = [(one.rows, self.gradients.losses_of(one)) for one in self._batches.whole(0)]
        back = np.argsort(np.concatenate([rows for rows, _ in parts]))
        return self._by_group(np.concatenate([losses for _, losses in parts])[back])

    def _by_group(self, losses: np.ndarray) -> dict[str, dict[str, float]]:
        return {
            kind: {name: round(float(losses[one].mean()), 6) for name, one in own.items()}
            for kind, own in self.fixed.groups.items()
        }

    def _sampled(self) -> tuple[list[dict[str, Tensor]], np.ndarray, np.ndarray]:
        """Return the gradients of all rows by micro-batch, and losses and rows in that order."""
        found, losses, order = [], [], []
        try:
            for one in self._batches.whole(0, self._at_once):
                found.append(self.gradients(one))
                losses.append(self.gradients.losses.numpy())
                order.append(one.rows)
        except PartsOfBatchError:
            self._at_once = 1
            return self._sampled()
        return found, np.concatenate(losses), np.concatenate(order)

    def _compared(
        self, grams: Grams, gradients: list[dict[str, Tensor]], back: np.ndarray
    ) -> dict[str, Any]:
        """Return the conflict of all groups in one metric, and that of tasks by place."""
        products = {name: one.numpy()[np.ix_(back, back)] for name, one in grams(gradients).items()}
        total = np.sum([*products.values()], axis=0)
        tasks = self.fixed.groups["task"]
        return {
            "groups": {
                kind: conflict_of(total, groups, seed=self._seed).as_table()
                for kind, groups in self.fixed.groups.items()
                if groups
            },
            "layers": self._by_place(_summed(products, layer_of), tasks),
            "kinds": self._by_place(_summed(products, kind_of), tasks),
            "heads": self._by_place(self._heads(grams, gradients, back), tasks, num_resamples=0),
        }

    def _heads(
        self, grams: Grams, gradients: list[dict[str, Tensor]], back: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Return the products of every head's rows of the query projections, by layer and head."""
        found: dict[str, np.ndarray] = {}
        for name, one in self.gradients.parameters.items():
            if not _HEADS.search(name) or one.shape[0] % self._num_heads:
                continue
            for head, gram in enumerate(grams.heads(gradients, name, self._num_heads)):
                place = f"{layer_of(name)}.{head}"
                found[place] = found.get(place, 0.0) + gram.numpy()[np.ix_(back, back)]
        return found

    def _by_place(
        self, grams: Mapping[str, np.ndarray], tasks: Mapping[str, np.ndarray], **how: int
    ) -> dict[str, Any]:
        kept = (
            ("names", "norms", "cosines") if how else ("names", "norms", "cosines", "lows", "highs")
        )
        found = {}
        for place, gram in grams.items():
            table = conflict_of(gram, tasks, seed=self._seed, **how).as_table()
            found[place] = {name: table[name] for name in kept}
        return found


def layer_of(name: str) -> str:
    """Return the number of the layer that a module stands in, "other" outside of layers.

    Examples:
        >>> layer_of("model.llm.layers.12.mlp.up_proj.lora_A.default"), layer_of("lm_head")
        ('12', 'other')
    """
    found = re.search(r"\blayers\.(\d+)\.", name)
    return found[1] if found else "other"


def kind_of(name: str) -> str:
    """Return the kind of linear layer that a module is, or belongs to as an adapter.

    Examples:
        >>> kind_of("model.layers.3.self_attn.q_proj.lora_A.default"), kind_of("lm_head")
        ('q_proj', 'lm_head')
    """
    inner = re.split(r"\blayers\.\d+\.", name)[-1].removesuffix(".weight").split(".")
    return next((part for part in inner if part.endswith(("_proj", "_head"))), inner[-1])


def _summed(
    products: Mapping[str, np.ndarray], place_of: Callable[[str], str]
) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, gram in products.items():
        place = place_of(name)
        found[place] = found[place] + gram if place in found else gram
    return found
