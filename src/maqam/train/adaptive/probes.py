"""Fixed utterances of every task on which a model is probed while it trains.

Losses on the batches of a run follow its mixture and fall when rows repeat; those on fixed rows
that are never trained on tell what was learnt.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from maqam.data.manifest import Manifest
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.train.batches import FixedSteps, PlanBatches
from maqam.train.log_mels import LogMels
from maqam.train.objective import TrainingModel, without_dropout
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective


class Probes:
    """Losses and gradients of a model on fixed rows.

    Args:
        backbone: The model.
        learner: The model and its loss, as the trainer has it.
        manifest: Where the rows are.
        rows: Manifest rows of every task by name.
        audio_states: Aligner outputs of rows; None where the encoder trains.
        log_mels: What the encoder hears where it trains, None elsewhere.
    """

    def __init__(
        self,
        backbone: AudioLLM,
        learner: TrainingModel,
        manifest: Manifest,
        rows: Mapping[str, np.ndarray],
        audio_states: AudioStates | None,
        log_mels: LogMels | None = None,
    ) -> None:
        self.tasks = tuple(sorted(rows))
        self._learner = learner
        plan = FixedSteps([np.sort(rows[task]) for task in self.tasks])
        prepared = prepare_rows(backbone.dialogue, manifest, plan.rows)
        self._batches = PlanBatches(backbone, plan, prepared, Objective(), audio_states, log_mels)

    @torch.no_grad()
    def losses(self) -> dict[str, float]:
        """Return the mean loss of a target token of every task."""
        with without_dropout(self._learner):
            return {
                task: sum(float(loss) for loss in self._losses(place))
                for place, task in enumerate(self.tasks)
            }

    def gradient_products(self) -> dict[str, dict[str, float]]:
        """Return the dot product of every two tasks' gradients, by their names.

        A gradient is that of the mean loss of a target token, over all parameters that train.
        """
        trained = [one for one in self._learner.parameters() if one.requires_grad]
        gradients = []
        with without_dropout(self._learner):
            for place in range(len(self.tasks)):
                total = torch.zeros(sum(one.numel() for one in trained))
                for loss in self._losses(place):
                    found = torch.autograd.grad(
                        loss, trained, allow_unused=True, materialize_grads=True
                    )
                    total += torch.cat([one.flatten().float().cpu() for one in found])
                gradients.append(total)
        products = torch.stack(gradients) @ torch.stack(gradients).T
        return {
            one: {other: float(products[row, column]) for column, other in enumerate(self.tasks)}
            for row, one in enumerate(self.tasks)
        }

    def _losses(self, place: int) -> Iterator[torch.Tensor]:
        """Return the losses of a task's micro-batches, which sum to its mean loss."""
        for micro_batch in self._batches.whole(place):
            yield self._learner(micro_batch)[0]


def choose_probes(
    manifest: Manifest, split: str, tasks: Sequence[str], size: int
) -> dict[str, np.ndarray]:
    """Choose the probes of each task: `size` rows spread evenly over those of a split.

    Args:
        manifest: Where the rows are.
        split: A split that is not trained on.
        tasks: Tasks to probe.
        size: Rows of a task, fewer where the split has fewer.
    """
    found = {}
    for task in tasks:
        rows = manifest.select(split=split, task=task)
        if len(rows):
            found[task] = rows[np.unique(np.linspace(0, len(rows) - 1, size).astype(np.int64))]
    return found
