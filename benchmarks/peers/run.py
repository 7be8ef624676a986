"""Maqam's plans against the samplers others train with, on the same rows.

    sh benchmarks/peers/setup.sh /tmp/peers
    PYTHONPATH=src OMP_NUM_THREADS=1 /tmp/peers/bin/python -m benchmarks.peers.run

Every measurement is a process of its own (`measure`), rounds are interleaved, and what was
found is merged into a JSON file, so that sizes and peers can be measured one at a time:
`--rows 100000 --peer lhotse`. `--table` measures nothing. A measurement that fails or
takes longer than `--timeout` is recorded with its reason.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers.measure import MODULES
from benchmarks.peers.table import print_tables

RESULTS = Path("docs/results/plan-peers.json")
Record = dict[str, Any]


def measure(what: str, peer: str, num_rows: int, options: argparse.Namespace) -> Record:
    """Run one measurement in a fresh process; a reason where it gives no result."""
    command = [sys.executable, "-m", "benchmarks.peers.measure", what, peer, str(num_rows)]
    command += ["--folder", str(options.folder), "--steps", str(options.steps)]
    command += ["--batch-size", str(options.batch_size)]
    limit = 10 * options.timeout if what == "prepare" else options.timeout
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"why_not": f"{what}: over {limit:g} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return {"why_not": f"{what}: {last}"}
    found: Record = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def middle(values: list[Any]) -> Any:  # noqa: ANN401 - a number, or a truth that must hold always
    return all(values) if isinstance(values[0], bool) else statistics.median(values)


def measure_all(whats: list[str], peer: str, num_rows: int, options: argparse.Namespace) -> Record:
    """Run measurements one after another, up to the first that gives no result."""
    found: Record = {}
    for what in whats:
        if "why_not" not in found:
            found |= measure(what, peer, num_rows, options)
    return found


def measure_peers(num_rows: int, options: argparse.Namespace) -> list[Record]:
    """Prepare, count the balance once, then time in rounds; a peer that failed once is left out."""
    records: dict[str, Record] = {}
    for peer in options.peer:
        found = measure_all(["prepare", "balance"], peer, num_rows, options)
        records[peer] = {"peer": peer, "rows": num_rows, "rounds": options.rounds} | found
        print(f"{num_rows:,} rows, {peer}: {found.get('why_not', 'counted')}", file=sys.stderr)
    taken: dict[str, list[Record]] = {peer: [] for peer in records}
    for _ in range(options.rounds):
        for peer in [peer for peer in records if "why_not" not in records[peer]]:
            found = measure_all(["speed", "resume-10", "resume-90"], peer, num_rows, options)
            taken[peer].append(found)
            if "why_not" in found:
                records[peer]["why_not"] = found["why_not"]
    return [
        record if "why_not" in record else record | summary(taken[peer])
        for peer, record in records.items()
    ]


def summary(rounds: list[Record]) -> Record:
    """Give the median of every figure, and the range of seconds."""
    found: Record = {}
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        found[name] = middle(values)
        if name in ("first_seconds", "total_seconds"):
            found[f"{name}_range"] = [min(values), max(values)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    parser.add_argument("--peer", nargs="+", choices=MODULES, default=list(MODULES))
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=180.0, help="seconds of one process")
    default = Path(tempfile.gettempdir()) / "maqam-peers"
    parser.add_argument("--folder", type=Path, default=default, help="where rows are kept")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print what was measured before")
    options = parser.parse_args()
    records: list[Record] = []
    if options.results.exists():
        records = json.loads(options.results.read_text(encoding="utf-8"))
    for num_rows in [] if options.table else options.rows:
        found = measure_peers(num_rows, options)
        load = {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
        measured = {(one["peer"], one["rows"]) for one in found}
        records = [one for one in records if (one["peer"], one["rows"]) not in measured]
        records += [one | load for one in found]
        order = list(MODULES)
        records.sort(key=lambda one: (one["rows"], order.index(one["peer"])))
        options.results.parent.mkdir(parents=True, exist_ok=True)
        options.results.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    print_tables(records)


if __name__ == "__main__":
    main()
