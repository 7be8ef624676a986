"""The paired bootstrap of a WER difference by speaker: Maqam against a plain Python loop.

Both draw the same number of resamples of the same speakers; their intervals must agree.

    OMP_NUM_THREADS=1 python benchmarks/bootstrap.py [--resamples 10000] [--repeats 3]
"""

import argparse
import random
import statistics
import time

import numpy as np

from maqam.score.bootstrap import Interval, percentiles
from maqam.score.comparison.paired import bootstrap_differences
from maqam.score.scoring import ratio

SPEAKERS = (50, 500, 2000)


def speakers(num_speakers: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors and words of each speaker for two checkpoints, the second a little better."""
    rng = np.random.default_rng(0)
    words = rng.integers(50, 500, num_speakers)
    errors = [rng.binomial(words, rng.beta(4, 12, num_speakers) * part) for part in (1.0, 0.95)]
    one, other = (np.stack([each, words], axis=1).astype(np.float64) for each in errors)
    return one, other


def plain_loop(first: np.ndarray, second: np.ndarray, num_resamples: int) -> Interval:
    """The textbook: draw speakers, add up, divide, sort."""
    rng = random.Random(0)
    rows = [
        (int(one[0]), int(other[0]), int(one[1])) for one, other in zip(first, second, strict=True)
    ]
    differences = []
    for _ in range(num_resamples):
        ones = others = words = 0
        for one, other, count in rng.choices(rows, k=len(rows)):
            ones += one
            others += other
            words += count
        differences.append(others / words - ones / words)
    return percentiles(np.array(differences))


def vectorised(first: np.ndarray, second: np.ndarray, num_resamples: int) -> Interval:
    drawn = bootstrap_differences(
        first, second, ratio, num_resamples=num_resamples, rng=np.random.default_rng(0)
    )
    return percentiles(drawn)


def agree(one: Interval, other: Interval) -> bool:
    ends = [(each.low or 0.0, each.high or 0.0) for each in (one, other)]
    width = ends[0][1] - ends[0][0]
    return all(abs(a - b) < 0.05 * width for a, b in zip(*ends, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    print("speakers | loop s | maqam s | loop / maqam, median (range)")
    for num_speakers in SPEAKERS:
        first, second = speakers(num_speakers)
        times: dict[str, list[float]] = {"loop": [], "maqam": []}
        found = {}
        for _ in range(given.repeats):
            for name, work in (("loop", plain_loop), ("maqam", vectorised)):
                begin = time.perf_counter()
                found[name] = work(first, second, given.resamples)
                times[name].append(time.perf_counter() - begin)
        if not agree(found["loop"], found["maqam"]):
            raise SystemExit(f"error: the intervals differ: {found}")
        ratios = [peer / own for peer, own in zip(times["loop"], times["maqam"], strict=True)]
        print(
            f"{num_speakers} | {statistics.median(times['loop']):.2f} | "
            f"{statistics.median(times['maqam']):.3f} | "
            f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
        )


if __name__ == "__main__":
    main()
