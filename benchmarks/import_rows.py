"""Rows a second, CPU time and peak memory of an import of NeMo rows, by rows and processes.

Each import runs in a process of its own; memory is the peak of that process, and of the largest of
its workers. The peer reads the same manifest with `json` and the same headers with `soundfile`,
in a plain loop that keeps nothing: what any import must do, without checks and without a manifest.

    python benchmarks/import_rows.py [--rows 10000 100000 1000000] [--files 10000] [--workers 1 2]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings

SECONDS = 0.5
TEXT = "هذا قول من أقوال كثيرة في مجموعة كبيرة رقمه {}"


def write_source(folder: Path, num_rows: int, num_files: int) -> Path:
    """Write a manifest whose rows go round over the files."""
    source = folder / f"nemo-{num_rows}.jsonl"
    with source.open("w", encoding="utf-8") as stream:
        for row in range(num_rows):
            path = f"clips/{row % num_files // 1000}/{row % num_files}.wav"
            line = {"audio_filepath": path, "duration": SECONDS, "text": TEXT.format(row)}
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    return source


def write_clips(folder: Path, num_files: int) -> None:
    samples = np.zeros(round(SECONDS * 16_000), dtype=np.int16)
    for number in range(num_files):
        file = folder / f"clips/{number // 1000}/{number}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, samples, 16_000)


def peer(source: Path) -> int:
    num_rows = 0
    with source.open(encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line)
            num_rows += soundfile.info(source.parent / row["audio_filepath"]).frames > 0
    return num_rows


def measure(source: Path, workers: int) -> dict[str, float]:
    """Run one import, or the peer for 0 workers, and print what it took: a process of its own."""
    begin = time.perf_counter()
    if workers == 0:
        num_rows = peer(source)
    else:
        with tempfile.TemporaryDirectory() as out:
            settings = ImportSettings(kind="nemo", task="asr")
            report = import_corpus(source, Path(out) / "out", settings, num_workers=workers)
            num_rows = report.num_imported
    seconds = time.perf_counter() - begin
    own = resource.getrusage(resource.RUSAGE_SELF)
    child = resource.getrusage(resource.RUSAGE_CHILDREN)  # its ru_maxrss is of the largest
    return {
        "rows": num_rows,
        "seconds": seconds,
        "main": own.ru_utime + own.ru_stime,
        "workers": child.ru_utime + child.ru_stime,
        "megabytes": own.ru_maxrss / 1024,
        "worker_megabytes": child.ru_maxrss / 1024,
    }


def run(source: Path, workers: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", str(source), str(workers)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(Path(given.measure[0]), int(given.measure[1]))))
        return
    print("rows | processes | rows/s | CPU us a row, main + workers | peak MB, main + each worker")
    with tempfile.TemporaryDirectory() as folder:
        write_clips(Path(folder), given.files)
        for num_rows in given.rows:
            source = write_source(Path(folder), num_rows, given.files)
            for workers in given.workers:
                found = run(source, workers)
                assert found["rows"] == num_rows
                who = f"{workers}" if workers else "peer"
                rate = num_rows / found["seconds"]
                main_us, workers_us = (1e6 * found[name] / num_rows for name in ("main", "workers"))
                memory = f"{found['megabytes']:.0f} + {found['worker_megabytes']:.0f}"
                cpu = f"{main_us:.0f} + {workers_us:.0f}"
                print(f"{num_rows} | {who} | {rate:.0f} | {cpu} | {memory}", flush=True)


if __name__ == "__main__":
    main()
