"""A training step of routed adapters against one of plain LoRA with as many parameters.

Every kind of `train.adapter` is trained on the same micro-batches of mixed tasks: forward and
backward pass of all of them, then AdamW. Ranks are matched to the parameters of plain LoRA of
`--rank`; audio is encoded beforehand, as the feature store does.

    python benchmarks/adapters.py [--rank 16] [--rounds 7]

Prints milliseconds a step of each kind, kind by kind in turns, and their ratio to plain LoRA's of
the same round.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

from maqam.data.manifest import read_manifest
from maqam.data.pool import pool_from_manifest
from maqam.models.adapters import new_adapter, remove_adapter
from maqam.models.audio_states import encoded_states
from maqam.models.freezing import train_only
from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings
from maqam.models.tuning.settings import Experts, Lora, NewAdapter, TaskAdapters
from maqam.schedule import PlanStepSampler, Uniform, make_plan
from maqam.synth.corpus import make_corpus
from maqam.synth.settings import SynthSettings
from maqam.train.batches import PlanBatches
from maqam.train.objective import MicroBatch, TrainingModel
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective

SEED = 0
COUNTS = dict.fromkeys(("asr", "did", "ser", "ssum", "tsum"), 24)
FEW = dict.fromkeys(COUNTS, 10)
KINDS = (
    Lora(),
    TaskAdapters("task", match_parameters=True),
    TaskAdapters("shared+task", match_parameters=True),
    TaskAdapters("hydra", match_parameters=True),
    Experts(match_parameters=True),
)


def seconds_of_steps(learner: TrainingModel, steps: list[list[MicroBatch]]) -> list[float]:
    """Return the time of each step; the first one, which warms up, is left out."""
    trained = [one for one in learner.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4)
    taken = []
    for micro_batches in steps:
        begun = time.perf_counter()
        for micro_batch in micro_batches:
            learner(micro_batch)[0].backward()
        optimiser.step()
        optimiser.zero_grad()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begun)
    return taken[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="folder of a checkpoint; the shipped pocket if absent")
    parser.add_argument("--rank", type=int, default=16, help="of plain LoRA")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4, help="of each round, the first uncounted")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--micro-batches", type=int, default=2)
    options = parser.parse_args()
    backbone = load_backbone(ModelSettings(path=options.model))
    with tempfile.TemporaryDirectory() as folder:
        manifest = read_manifest(
            make_corpus(Path(folder), SynthSettings(train=COUNTS, dev=FEW, test=FEW))
        )
        pool = pool_from_manifest(manifest, manifest.select(split="train"))
        plan = make_plan(
            Uniform(), pool, steps=options.steps, batch_size=options.batch_size, seed=SEED
        )
        rows = sorted(set(plan.rows.tolist()))
        heard = encoded_states(backbone, manifest)
        states = {row: heard([row])[0] for row in rows}
        batches = PlanBatches(
            backbone,
            plan,
            prepare_rows(backbone.dialogue, manifest, plan.rows),
            Objective(),
            lambda asked: [states[int(row)] for row in asked],
        )
        sampler = PlanStepSampler(
            plan, num_micro_batches=options.micro_batches, lengths=batches.prepared.lengths
        )
        steps = [batches[sampler.part(step)].micro_batches for step in range(options.steps)]
    tasks = batches.prepared.task_names
    times: dict[str, list[float]] = {kind.kind: [] for kind in KINDS}
    for _ in range(options.rounds):
        for kind in KINDS:
            new = NewAdapter(kind, options.rank, 2 * options.rank, 0.0, SEED, tasks)
            adapter = new_adapter(backbone, new)
            train_only(backbone, ("adapter",))
            if not times[kind.kind] and adapter.matched:
                print(f"{kind.kind}: {adapter.matched}")
            learner = TrainingModel(backbone).train()
            learner.balance = getattr(kind, "balance", 0.0)
            taken = seconds_of_steps(learner, steps)
            times[kind.kind].append(1000 * statistics.median(taken))
            remove_adapter(backbone)
    print(
        f"{torch.get_num_threads()} threads, {backbone.device}, {len(tasks)} tasks, steps of "
        f"{options.batch_size} utterances in {options.micro_batches} micro-batches, rank "
        f"{options.rank}, {options.rounds} rounds"
    )
    for name, values in times.items():
        ratios = [one / plain for one, plain in zip(values, times["lora"], strict=True)]
        print(
            f"{name:<12} {statistics.median(values):8.1f} ms "
            f"({min(values):.1f} to {max(values):.1f})   x {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f}; goal 1.15)"
        )


if __name__ == "__main__":
    main()
