"""What both checks share: a corpus, plans, exports, a peer's environment, and the comparison.

A peer runs on 1 and on 4 processes under torchrun, as it would in training, and writes the ids of
every micro-batch that its own code deals; these are held against the plan, step by step.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from maqam.data.manifest import Manifest, read_manifest, write_manifest
from maqam.data.pool import pool_from_manifest
from maqam.export.export import ExportSettings, export_plan
from maqam.schedule import Ads, Plan, Then, Tpc, make_plan
from maqam.tasks import TASKS

TORCH = "torch==2.13.0"
WORLD_SIZES = (1, 4)
MICRO_BATCH_SIZE = 2
BATCH_SIZE = 16
STEPS = 30
NUM_EACH = 100  # utterances of a task
POCKET = Path(__file__).parents[2] / "src" / "maqam" / "models" / "pocket_weights"

SCHEDULES = {
    "tpc": Tpc(),
    "hybrid": Then(Tpc(), Ads(("task", "label")), anneal=0.2, dip="adam"),
    "tpc, text first": Tpc(groups=(("tsum",), ("asr",), ("did", "ser"), ("ssum",))),
}


def make_corpus(folder: Path) -> Manifest:
    """Write short tones and rows of all tasks; every row's question holds its id."""
    rows = []
    for number in range(NUM_EACH * len(TASKS)):
        task = list(TASKS.values())[number % len(TASKS)]
        name = f"utterance-{number}"
        label = task.labels[number % len(task.labels)] if task.labels else None
        if task.has_audio:
            times = np.arange(1600 + 16 * (number % 40)) / 16_000
            soundfile.write(folder / f"{name}.wav", 0.3 * np.sin(2000 * times), 16_000)
        question = ("<audio>" if task.has_audio else "") + f"{name} {task.prompts['ar']}"
        answer = label or "كلام"
        rows.append(
            {
                "id": name,
                "messages": [
                    {"role": "user", "content": question},
                    {"role": "assistant", "content": answer},
                ],
                "audios": [f"{name}.wav"] if task.has_audio else [],
                "task": task.name,
                "label": label,
                "dialect": None,
                "speaker": None,
                "source": "tones",
                "split": "train",
                "start": 0.0,
                "seconds": len(times) / 16_000 if task.has_audio else 0.0,
                "target": answer,
                "synthetic": True,
            }
        )
    return read_manifest(write_manifest(rows, folder))


def environment(folder: Path, requirement: str) -> Path:
    """Make a peer's virtual environment, once, and give its Python."""
    python = folder / "bin" / "python"
    if not (folder / ".installed").exists():
        venv.create(folder, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", TORCH, requirement]
        subprocess.run(command, check=True)
        (folder / ".installed").touch()
    return python


def dealt_by(
    python: Path, script: str, folder: Path, arguments: Sequence[str], *, world_size: int
) -> list[list[list[str]]]:
    """Run a peer's code on an export: the ids of every micro-batch of every process."""
    with tempfile.TemporaryDirectory() as work:
        command = [python, "-m", "torch.distributed.run", f"--nproc_per_node={world_size}"]
        command += ["--master_port=29517", Path(__file__).with_name(script), folder, work]
        settings = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HOME": work}
        settings |= {"MODELSCOPE_CACHE": work, "OMP_NUM_THREADS": "1", "FORCE_TORCHRUN": "1"}
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [*command, *arguments], env={**own, **settings}, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"{script} failed on {world_size} processes:\n{done.stderr[-4000:]}")
        names = [f"{rank}.json" for rank in range(world_size)]
        return [json.loads((Path(work) / name).read_text()) for name in names]


def same_steps(plan: Plan, manifest: Manifest, ranks: list[list[list[str]]]) -> int:
    """Count the steps, from the first on, whose ids over all processes are the plan's."""
    accumulation = BATCH_SIZE // (MICRO_BATCH_SIZE * len(ranks))
    for step in range(plan.num_steps):
        first = step * accumulation
        dealt = [ids for rank in ranks for ids in rank[first : first + accumulation]]
        found = sorted(name for ids in dealt for name in ids)
        if found != sorted(row["id"] for row in manifest.rows(plan.batch(step))):
            return step
    is_over = all(len(rank) == plan.num_steps * accumulation for rank in ranks)
    return plan.num_steps if is_over else plan.num_steps - 1


def check(target: str, script: str, python: Path, version: str, shuffled: Sequence[str]) -> None:
    """Print whether the peer keeps the order of our exports; exit with 1 if it does not.

    Args:
        target: Name of the export target.
        script: File that runs in the peer's environment.
        python: Its Python.
        version: The peer's name and version.
        shuffled: Arguments that undo our order, to see that the comparison can fail.
    """
    print(version)
    has_failed = False
    with tempfile.TemporaryDirectory() as work:
        corpus = Path(work) / "corpus"
        corpus.mkdir()
        manifest = make_corpus(corpus)
        pool = pool_from_manifest(manifest, np.arange(manifest.num_utterances))
        for name, schedule in SCHEDULES.items():
            plan = make_plan(schedule, pool, steps=STEPS, batch_size=BATCH_SIZE, seed=0)
            for world_size in WORLD_SIZES:
                settings = ExportSettings(world_size=world_size, micro_batch_size=MICRO_BATCH_SIZE)
                folder = Path(work) / f"{name}-{world_size}".replace(", ", "-").replace(" ", "-")
                export_plan(plan, manifest, folder, target=target, settings=settings)
                meta = json.loads((folder / "schedule.meta.json").read_text())
                is_first = name == next(iter(SCHEDULES)) and world_size == 1
                for extra in [[], list(shuffled)] if is_first else [[]]:
                    ranks = dealt_by(python, script, folder, extra, world_size=world_size)
                    kept = same_steps(plan, manifest, ranks)
                    is_right = (kept == STEPS) != bool(extra)
                    has_failed |= not is_right
                    what = f"shuffled with {' '.join(extra)}" if extra else "as exported"
                    print(
                        f"  {name}, {meta['rows']}, {world_size} process(es), {what}: "
                        f"{kept} of {STEPS} steps as planned, {'ok' if is_right else 'WRONG'}",
                        flush=True,
                    )
    sys.exit(int(has_failed))
