"""Seconds of `maqam plan` from cold: a process of its own, corpus there, features not.

Times `maqam plan recipes/sm.yaml` (uniform) and `recipes/ads.yaml` (by clusters of aligner outputs)
on a small synthetic corpus, in this checkout and, paired with it, in another one.

    python benchmarks/plan_cold.py [--other CHECKOUT] [--repeats 3]
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OWN = Path(__file__).parents[1]
RECIPES = ("sm", "ads")
CORPUS = "data.synth.train={asr: 300, did: 100, ser: 80, ssum: 40, tsum: 40}"
COMMAND = "import sys; from maqam.cli.main import main; sys.exit(main(sys.argv[1:]))"


def call(checkout: Path, *words: str) -> None:
    """Run a command of one checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", COMMAND, *words]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def seconds(checkout: Path, name: str, output: Path) -> float:
    """Time one plan; what an earlier one left is removed."""
    shutil.rmtree(output / "features", ignore_errors=True)
    shutil.rmtree(output / "plan", ignore_errors=True)
    recipe = str(checkout / "recipes" / f"{name}.yaml")
    begun = time.perf_counter()
    call(checkout, "plan", recipe, f"output={output}", CORPUS, "-o", str(output / "plan"))
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", type=Path, help="a checkout to compare with")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    checkouts = [OWN, *([given.other] if given.other else [])]
    with tempfile.TemporaryDirectory() as folder:
        for name in RECIPES:
            medians = []
            for index, checkout in enumerate(checkouts):
                output = Path(folder) / f"{index}"
                seconds(checkout, name, output)  # makes the corpus, and warms the disk
                times = [seconds(checkout, name, output) for _ in range(given.repeats)]
                medians.append(statistics.median(times))
                spread = f"{min(times):.2f} to {max(times):.2f}"
                print(f"{name:4} {checkout.name:12} median {medians[-1]:.2f} s ({spread})")
            if len(medians) > 1:
                print(f"{name:4} other / this: {medians[1] / medians[0]:.1f}")


if __name__ == "__main__":
    main()
