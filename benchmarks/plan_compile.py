"""Plan compilation: every schedule kind, against torch's samplers drawing as many indexes.

The pool is synthetic: tasks and clusters follow Zipf's law, labels do not depend on them, so that
5 tasks x 17 labels x 500 clusters make 42,500 cells where there are utterances enough. A compile
starts from a pool that was never read: grouping, fingerprint and reports of shares are in its time.
The peers are `WeightedRandomSampler` with task-balanced weights, made from the task column in its
time, and `RandomSampler`, both in batches by `BatchSampler`; they know neither labels nor clusters.
Neither balances a batch, which makes them the floor, not an equal.

    python benchmarks/plan_compile.py [--rows 100000 1000000]

Each run is a forked process of its own, warmed up on a small pool; rounds are interleaved. Memory
is the peak of that process above what it held with pool and libraries loaded. Prints medians; CPU
seconds beside those of the clock tell what other work on the machine adds to them.
"""

import argparse
import dataclasses
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import BatchSampler, RandomSampler, WeightedRandomSampler

from maqam.schedule import Ads, Alpha, Pool, Schedule, Stratified, Then, Tpc, Uniform, make_plan

TASKS = ("asr", "did", "ser", "ssum", "tsum")
NUM_LABELS = 17
GOAL_ROWS, GOAL_SECONDS, GOAL_MB = 10_000_000, 5.0, 1000.0
PEERS = ("WeightedRandomSampler", "RandomSampler")
SCHEDULES: dict[str, Schedule] = {
    "uniform": Uniform(),
    "alpha": Alpha(),
    "stratified": Stratified(),
    "tpc": Tpc(),
    "ads": Ads(),
    "then": Then(Tpc(), Ads()),
}

Method = Callable[[Pool, int, int, int], object]


def make_pool(num_rows: int, num_clusters: int) -> Pool:
    rng = np.random.default_rng(0)
    sizes = {"task": len(TASKS), "label": NUM_LABELS, "cluster": num_clusters}
    columns = {}
    for axis, size in sizes.items():
        shares = np.ones(size) if axis == "label" else 1 / np.arange(1, size + 1)
        borders = np.cumsum(shares / shares.sum())[:-1]
        drawn = rng.random(num_rows, dtype=np.float32)
        columns[axis] = np.searchsorted(borders.astype(np.float32), drawn).astype(np.int32)
    numbers = {axis: tuple(map(str, range(size))) for axis, size in sizes.items()}
    rows = np.arange(num_rows)
    return Pool(columns, numbers | {"task": TASKS}, rows.astype(np.uint64), rows)


def ours(schedule: Schedule) -> Method:
    def compile_plan(pool: Pool, steps: int, batch_size: int, seed: int) -> object:
        unread = dataclasses.replace(pool)  # forgets the fingerprint
        return make_plan(schedule, unread, steps=steps, batch_size=batch_size, seed=seed)

    return compile_plan


def weighted_sampler(pool: Pool, steps: int, batch_size: int, seed: int) -> object:
    weights = (1 / np.bincount(pool.columns["task"], minlength=len(TASKS)))[pool.columns["task"]]
    generator = torch.Generator().manual_seed(seed)
    sampler = WeightedRandomSampler(
        torch.from_numpy(weights), steps * batch_size, generator=generator
    )
    return list(BatchSampler(sampler, batch_size, drop_last=True))


def random_sampler(pool: Pool, steps: int, batch_size: int, seed: int) -> object:
    sampler = RandomSampler(
        range(pool.num_utterances),
        num_samples=steps * batch_size,
        generator=torch.Generator().manual_seed(seed),
    )
    return list(BatchSampler(sampler, batch_size, drop_last=True))


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def measure(
    method: Method, pool: Pool, small: Pool, shape: tuple[int, int], seed: int
) -> tuple[float, float, float]:
    """Run a method once in a process of its own.

    A forked process begins with the pool and with a peak of its own, which `getrusage` then gives
    to the page; a thread that samples would miss what lasts shorter than its turn.

    Returns:
        Seconds of the clock, MB above the pool, and CPU seconds.
    """

    def run(sender: Connection) -> None:
        method(small, 2, shape[1], seed)
        before = resident_bytes()
        begun, begun_cpu = time.perf_counter(), time.process_time()
        made = method(pool, *shape, seed)
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - begun_cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        del made
        sender.send((seconds, (peak - before) / 1e6, cpu_seconds))

    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=run, args=(sender,))
    process.start()
    sender.close()
    found: tuple[float, float, float] = receiver.recv()
    process.join()
    return found


def describe(num_rows: int, found: dict[str, list[tuple[float, float, float]]]) -> None:
    seconds = {name: np.array([one[0] for one in runs]) for name, runs in found.items()}
    for name, runs in found.items():
        cpu_seconds = statistics.median(one[2] for one in runs)
        memory = statistics.median(one[1] for one in runs)
        ratios = [float(np.median(seconds[peer] / seconds[name])) for peer in PEERS]
        verdict = ""
        if num_rows == GOAL_ROWS and name in SCHEDULES:
            meets = np.median(seconds[name]) < GOAL_SECONDS and memory < GOAL_MB
            verdict = "  met" if meets else "  MISSED"
        print(
            f"{num_rows:>10,} {name:23}{np.median(seconds[name]):9.2f}{cpu_seconds:7.2f}"
            f"{memory:6.0f}{ratios[0]:14.2f}{ratios[1]:14.2f}{verdict}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, GOAL_ROWS])
    parser.add_argument("--kinds", nargs="+", choices=SCHEDULES, default=list(SCHEDULES))
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--clusters", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    methods: dict[str, Method] = {kind: ours(SCHEDULES[kind]) for kind in options.kinds}
    methods |= dict(zip(PEERS, (weighted_sampler, random_sampler), strict=True))
    small = make_pool(1000, num_clusters=2)
    shape = options.steps, options.batch_size
    print(
        f"{shape[0]} steps of {shape[1]} utterances, {options.clusters} clusters, median of "
        f"{options.rounds}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; goal at "
        f"{GOAL_ROWS:,} rows: {GOAL_SECONDS:g} s, {GOAL_MB:g} MB"
    )
    print(f"{'rows':>10} {'method':23}{'seconds':>9}{'CPU':>7}{'MB':>6}", end="")
    print(f"{'weighted/ours':>14}{'random/ours':>14}")
    for num_rows in options.rows:
        pool = make_pool(num_rows, options.clusters)
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in methods}
        for seed in range(options.rounds):
            for name, method in methods.items():
                found[name].append(measure(method, pool, small, shape, seed))
        describe(num_rows, found)


if __name__ == "__main__":
    main()
