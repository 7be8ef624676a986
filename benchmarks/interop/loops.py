"""Do Lightning and Accelerate train on a plan through `PlanBatchSampler`, as docs/library.md says?

    pip install lightning accelerate
    PYTHONPATH=src python benchmarks/interop/loops.py

Each loop runs on 1 and on 2 processes under torchrun and keeps the rows that its training steps
get; these are held against the plan, step by step.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from maqam.schedule import Ads, Plan, PlanBatchSampler, Pool, make_plan

STEPS, NUM_MICRO_BATCHES = 10, 2


def loop_plan() -> Plan:
    columns = {"task": ["asr"] * 80 + ["did"] * 20, "label": [str(i % 4) for i in range(100)]}
    schedule = Ads(axes=("task", "label"))
    return make_plan(schedule, Pool.from_columns(columns), steps=STEPS, batch_size=16, seed=0)


def loader_of(rank: int, world_size: int) -> DataLoader:
    sampler = PlanBatchSampler(
        loop_plan(), rank=rank, world_size=world_size, num_micro_batches=NUM_MICRO_BATCHES
    )
    return DataLoader(list(range(100)), batch_sampler=sampler)


def run_lightning() -> tuple[int, list[list[int]]]:
    import lightning

    seen: list[list[int]] = []

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def train_dataloader(self) -> DataLoader:
            return loader_of(self.trainer.global_rank, self.trainer.world_size)

        def training_step(self, batch: torch.Tensor, index: int) -> torch.Tensor:
            seen.append(batch.tolist())
            return (self.weight * batch.float()).mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), 1e-3)

    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=int(os.environ["WORLD_SIZE"]),
        strategy="ddp",
        accumulate_grad_batches=NUM_MICRO_BATCHES,
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(Module())
    return trainer.global_rank, seen


def run_accelerate() -> tuple[int, list[list[int]]]:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=NUM_MICRO_BATCHES)
    state = accelerator.state
    model = torch.nn.Linear(1, 1)
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), 1e-3))
    seen = []
    for batch in loader_of(state.process_index, state.num_processes):
        with accelerator.accumulate(model):
            seen.append(batch.tolist())
            accelerator.backward(model(batch[:, None].float()).mean())
            optimizer.step()
            optimizer.zero_grad()
    return state.process_index, seen


LOOPS = {"lightning": run_lightning, "accelerate": run_accelerate}


def same_steps(ranks: list[list[list[int]]]) -> int:
    plan = loop_plan()
    kept = 0
    for step in range(STEPS):
        places = range(step * NUM_MICRO_BATCHES, (step + 1) * NUM_MICRO_BATCHES)
        seen = sorted(row for mine in ranks for place in places for row in mine[place])
        kept += seen == plan.batch(step).tolist()
    is_over = all(len(mine) == STEPS * NUM_MICRO_BATCHES for mine in ranks)
    return kept if is_over else -1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loop", choices=LOOPS, help="run one in this process, under torchrun")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    if given.loop:
        rank, seen = LOOPS[given.loop]()
        (given.output / f"{rank}.json").write_text(json.dumps(seen))
        return
    has_failed = False
    for loop in LOOPS:
        for world_size in (1, 2):
            with tempfile.TemporaryDirectory() as work:
                command = [sys.executable, "-m", "torch.distributed.run", "--master_port=29519"]
                command += [f"--nproc_per_node={world_size}", __file__, "--loop", loop]
                subprocess.run([*command, "--output", work], check=True, capture_output=True)
                names = [f"{rank}.json" for rank in range(world_size)]
                ranks = [json.loads((Path(work) / name).read_text()) for name in names]
            kept = same_steps(ranks)
            has_failed |= kept != STEPS
            print(
                f"{loop} {version(loop)}, {world_size} process(es): "
                f"{kept} of {STEPS} steps as planned",
                flush=True,
            )
    sys.exit(int(has_failed))


if __name__ == "__main__":
    main()
