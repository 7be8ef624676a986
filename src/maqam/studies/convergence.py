"""How soon runs learnt each task, from the losses that training logged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maqam.run_layout import RunLayout
from maqam.score.comparison.convergence import final_loss, steps_to_loss, steps_to_share
from maqam.train.observers.steps import Steps, steps_from_records

SHARES = (0.5, 0.9)


def convergence_rows(
    folders: Mapping[str, Mapping[int, Path]], baseline: str
) -> list[dict[str, Any]]:
    """Return how many steps each method took on each task, by seed.

    Args:
        folders: Run folders by method, by seed.
        baseline: Method whose final loss is a target for the others, on the same seed.

    Returns:
        A row a method and task: steps until half and nine tenths of the fall of its training
        loss, and until the baseline's final loss; null where it was never reached, or where the
        run has no record of its steps.

    Raises:
        RunError: If the record of a run's steps is broken.
    """
    steps = {
        method: {seed: _steps(folder) for seed, folder in by_seed.items()}
        for method, by_seed in folders.items()
    }
    tasks = dict.fromkeys(
        task for by_seed in steps.values() for one in by_seed.values() for task in one.loss_by_task
    )
    return [
        {
            "task": task,
            "method": method,
            "num_seeds": len(by_seed),
            "num_steps": [one.num_steps for one in by_seed.values()],
            **{
                f"steps_to_{100 * share:.0f}_percent": [
                    steps_to_share(_losses(one, task), share) for one in by_seed.values()
                ]
                for share in SHARES
            },
            "steps_to_baseline": [
                _steps_to(_losses(one, task), steps[baseline].get(seed), task)
                for seed, one in by_seed.items()
            ],
        }
        for task in tasks
        for method, by_seed in steps.items()
    ]


def _steps(folder: Path) -> Steps:
    return steps_from_records(list(RunLayout(folder).read_steps()))


def _steps_to(losses: np.ndarray, other: Steps | None, task: str) -> int | None:
    target = None if other is None else final_loss(_losses(other, task))
    return None if target is None else steps_to_loss(losses, target)


def _losses(steps: Steps, task: str) -> np.ndarray:
    return steps.loss_by_task.get(task, np.empty(0))
