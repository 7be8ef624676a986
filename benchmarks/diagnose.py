"""What a measure of conflict costs, against an ordinary training step of the same model.

    OMP_NUM_THREADS=1 python benchmarks/diagnose.py

The step is the forward and backward pass of a batch with LoRA on the embedded pocket's LLM; the
measure takes the gradients of each utterance of as many, and of 40 fixed ones (5 tasks of 8), and
compares all groups in both metrics. A loop over single utterances, which gives the same numbers,
stands beside it. Round by round in turns; prints medians, ratios and the largest error.
"""

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from maqam.data.manifest import Manifest
from maqam.diagnose.gradients import Grams, UtteranceGradients
from maqam.diagnose.measure import ConflictMeasure
from maqam.diagnose.rows import choose_rows
from maqam.models.adapters import add_adapter
from maqam.models.audio_states import encoded_states
from maqam.models.freezing import train_only
from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings
from maqam.recipe import Recipe
from maqam.runs.session import Session
from maqam.train.batches import FixedSteps, PlanBatches
from maqam.train.objective import MicroBatch, TrainingModel
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective

ROUNDS, BATCH = 5, 24
SIZES = {"asr": 24, "did": 24, "ser": 24, "ssum": 12, "tsum": 12}


def corpus(folder: Path) -> Manifest:
    """Make a small embedded corpus."""
    synth = {"train": SIZES, "dev": {}, "test": {}}
    values = {"output": str(folder), "data": {"synth": synth}}
    return Session(Recipe.model_validate(values)).manifest


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory() as place:
        manifest = corpus(Path(place))
        backbone = load_backbone(ModelSettings())
        add_adapter(backbone, rank=16, alpha=32, seed=0)
        train_only(backbone, ("adapter",))
        for name, one in backbone.model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(one, std=0.02)
        learner = TrainingModel(backbone)
        every = np.arange(manifest.num_utterances)
        known = dict(zip(every.tolist(), encoded_states(backbone, manifest)(every), strict=True))

        def states(rows: list[int]) -> list[torch.Tensor]:
            return [known[int(row)] for row in rows]

        rows = choose_rows(manifest, every, 5, seed=1).rows[:BATCH]
        prepared = prepare_rows(backbone.dialogue, manifest, rows)
        batches = PlanBatches(backbone, FixedSteps([rows]), prepared, Objective(), states)
        step = batches.step(0)
        parts = list(batches.micro_batches(step, np.arange(len(rows)), 4))
        alone = list(batches.micro_batches(step, np.arange(len(rows)), len(rows)))
        sampled = UtteranceGradients(learner)
        fixed = choose_rows(manifest, every, 8, seed=0)
        measure = ConflictMeasure(backbone, learner, manifest, fixed, (states, None))
        moments = {name: torch.rand_like(one) for name, one in sampled.parameters.items()}
        found: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name, work in {
                "a step": lambda: ordinary(learner, parts),
                "the same with a gradient an utterance": lambda: [sampled(one) for one in parts],
                "a loop over single utterances": lambda: [ordinary(learner, [o]) for o in alone],
                "a whole measure of fixed rows": lambda: measure(0, moments),
            }.items():
                began = time.perf_counter()
                work()
                found.setdefault(name, []).append(time.perf_counter() - began)
        print(
            f"batch of {len(rows)}, {len(fixed.rows)} fixed rows, {sampled.num_seen:,} parameters"
        )
        for name, seconds in found.items():
            ratios = [one / base for one, base in zip(seconds, found["a step"], strict=True)]
            middle = statistics.median(ratios)
            span = f"{min(ratios):.2f} to {max(ratios):.2f}"
            print(f"{name:<40} {statistics.median(seconds):.3f} s  {middle:.2f} x  ({span})")
        print(f"largest relative error of a layer's products {error(learner, sampled, parts):.1e}")


def ordinary(learner: TrainingModel, parts: list[MicroBatch]) -> None:
    """Take the gradients of a step."""
    learner.zero_grad()
    for one in parts:
        learner(one)[0].backward()


def error(learner: TrainingModel, sampled: UtteranceGradients, parts: list[MicroBatch]) -> float:
    """Return how far the products are from those of gradients taken one by one."""
    learner.eval()
    ours = Grams()([sampled(one) for one in parts])
    rows: list[dict[str, torch.Tensor]] = []
    for part in parts:
        for place in range(len(part.rows)):
            mask = torch.zeros(len(part.rows))
            mask[place] = 1 / int((part.owners == place).sum())
            loss = learner(replace(part, weights=mask))[0]
            wanted = torch.autograd.grad(loss, [*sampled.parameters.values()])
            pairs = zip(sampled.parameters, wanted, strict=True)
            rows.append({name: one[None] for name, one in pairs})
    theirs = Grams()(rows)
    return max(float((ours[name] - one).norm() / one.norm()) for name, one in theirs.items())


if __name__ == "__main__":
    main()
