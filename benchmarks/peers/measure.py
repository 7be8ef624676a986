"""One measurement in this process, printed as one line of JSON; `run` starts it afresh each time.

Libraries are imported and rows are in memory before the clock starts and before memory is counted.
"""

import argparse
import importlib
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.interface import AXES, Peer, Rows, Work
from benchmarks.peers.rows import minority_labels, open_rows

MODULES = {
    "maqam ads": "maqam_plan",
    "maqam stratified": "maqam_plan",
    "maqam uniform": "maqam_plan",
    "torch": "torch_weighted",
    "datasets map": "hf_interleave",
    "datasets iterable": "hf_interleave",
    "lhotse": "lhotse_mux",
    "streaming": "mosaic_stratified",
}
POSITIONS = (10, 90)


def find_peer(name: str) -> Peer:
    """Import a peer's module, and with it its library alone."""
    module = importlib.import_module(f"benchmarks.peers.{MODULES[name]}")
    if name.startswith("maqam"):
        schedules = importlib.import_module("maqam.schedule")
        kind = name.removeprefix("maqam ").capitalize()
        compiled: Peer = module.Compiled(getattr(schedules, kind)())
        return compiled
    classes = {
        "torch": "Weighted",
        "datasets map": "MapStyle",
        "datasets iterable": "Iterable",
        "lhotse": "Mux",
        "streaming": "StratifiedLabels",
    }
    made: Peer = getattr(module, classes[name])()
    return made


def state_folder(rows: Rows, peer: str, percent: int) -> Path:
    return rows.folder / "states" / f"{peer.replace(' ', '-')}-{percent}"


def prepare(name: str, rows: Rows, work: Work) -> dict[str, Any]:
    find_peer(name).prepare(rows)
    return {}


def speed(name: str, rows: Rows, work: Work) -> dict[str, Any]:
    """Time the first batch and all others; batches are dropped as they come."""
    peer = find_peer(name)
    before = resident_bytes()
    begun, begun_cpu = time.perf_counter(), time.process_time()
    batches = iter(peer.build(rows, work))
    next(batches)
    first, first_cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    num_more = sum(1 for _ in batches)
    total = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if num_more + 1 != work.num_steps:
        raise SystemExit(f"it gave {num_more + 1} batches of {work.num_steps}")
    return {
        "first_seconds": first,
        "first_cpu_seconds": first_cpu,
        "batches_per_second": num_more / (total - first),
        "total_seconds": total,
        "peak_mb": (peak - before) / 1e6,
    }


def balance(name: str, rows: Rows, work: Work) -> dict[str, Any]:
    """Count what the batches hold, and save the state where `resume` will begin."""
    stream = find_peer(name).build(rows, work)
    saved = {work.num_steps * percent // 100: percent for percent in POSITIONS}
    given = np.empty((work.num_steps, work.batch_size), dtype=np.int64)
    for step, batch in enumerate(stream):
        given[step] = batch
        if step + 1 in saved:
            folder = state_folder(rows, name, saved[step + 1])
            folder.mkdir(parents=True, exist_ok=True)
            stream.save(folder)
    for step, percent in saved.items():
        np.save(state_folder(rows, name, percent) / "expected.npy", given[step])
    seen = np.bincount(given.reshape(-1), minlength=rows.num_rows)
    minorities = np.isin(np.arange(AXES["label"]), minority_labels(rows))
    clusters = per_batch(rows.columns["cluster"][given], AXES["cluster"])
    labels = per_batch(rows.columns["label"][given], AXES["label"])
    tasks = per_batch(rows.columns["task"][given], AXES["task"])
    minority = (labels[:, minorities] > 0).sum(axis=1)
    in_order = np.sort(given, axis=1)
    return {
        "clusters_mean": float((clusters > 0).sum(axis=1).mean()),
        "clusters_min": int((clusters > 0).sum(axis=1).min()),
        "minority_labels_mean": float(minority.mean()),
        "minority_labels_min": int(minority.min()),
        "task_rows_min": int(tasks.min()),
        "rows_repeated": int((seen - 1).clip(min=0).sum()),
        "rows_never_seen": int((seen == 0).sum()),
        "repeats_in_a_batch": int((in_order[:, 1:] == in_order[:, :-1]).sum()),
    }


def resume(name: str, rows: Rows, work: Work, percent: int) -> dict[str, Any]:
    """Time the first batch after a checkpoint, and tell whether it is the one that was due."""
    peer = find_peer(name)
    folder = state_folder(rows, name, percent)
    expected = np.load(folder / "expected.npy")
    begun = time.perf_counter()
    batch = next(peer.resume(rows, work, folder))
    seconds = time.perf_counter() - begun
    return {
        f"resume_{percent}_seconds": seconds,
        f"resume_{percent}_exact": bool(np.array_equal(np.asarray(batch), expected)),
    }


def per_batch(codes: np.ndarray, num_codes: int) -> np.ndarray:
    """Count each code in each batch: (num_steps, num_codes)."""
    num_steps = len(codes)
    flat = codes + np.arange(num_steps)[:, None] * num_codes
    return np.bincount(flat.reshape(-1), minlength=num_steps * num_codes).reshape(num_steps, -1)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["prepare", "speed", "balance", "resume-10", "resume-90"])
    parser.add_argument("peer", choices=MODULES)
    parser.add_argument("rows", type=int)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    rows = open_rows(options.folder, options.rows)
    work = Work(options.steps, options.batch_size, seed=0)
    whats: dict[str, Callable[[str, Rows, Work], dict[str, Any]]] = {
        "prepare": prepare,
        "speed": speed,
        "balance": balance,
    }
    if options.what in whats:
        found = whats[options.what](options.peer, rows, work)
    else:
        found = resume(options.peer, rows, work, int(options.what.removeprefix("resume-")))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
