"""Log-mel of Maqam against transformers' WhisperFeatureExtractor, one thread each.

Prints, for clips of 2 to 30 seconds, the median time of both, their ratio with the range over
repetitions, and the largest difference on the valid frames. WhisperFeatureExtractor is timed as
Qwen2.5-Omni's processor calls it but padded to 30 s only (the processor pads to 300 s).

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/log_mel.py [--repeats 31]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from transformers import WhisperFeatureExtractor

from maqam.models.log_mel import log_mel

SECONDS = (2, 5, 15, 30)
RATE = 16_000


def speech_like(seconds: float) -> np.ndarray:
    """Harmonics of a gliding pitch under a syllable-like envelope, and a little noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * times)) / RATE
    voice = sum(np.sin(phase * harmonic) / harmonic for harmonic in range(1, 25))
    envelope = 0.1 * (1 + np.sin(2 * np.pi * 4 * times))
    noise = 0.003 * np.random.default_rng(0).standard_normal(len(times))
    return np.asarray(envelope * voice + noise, dtype=np.float32)


def seconds_of(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=31)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    peer = WhisperFeatureExtractor(feature_size=128)
    print("clip s | WhisperFeatureExtractor ms | maqam ms | ratio (range) | largest difference")
    for seconds in SECONDS:
        samples = speech_like(seconds)

        def theirs(samples: np.ndarray = samples) -> np.ndarray:
            made = peer(
                samples, sampling_rate=RATE, return_attention_mask=True, return_tensors="np"
            )
            frames = int(made["attention_mask"][0].sum())
            return np.asarray(made["input_features"][0].T[:frames])

        def ours(samples: np.ndarray = samples) -> np.ndarray:
            return log_mel(samples)

        difference = np.abs(theirs() - ours())[: 100 * seconds - 1].max()
        pairs = np.array([(seconds_of(theirs), seconds_of(ours)) for _ in range(repeats)])
        ratios = pairs[:, 0] / pairs[:, 1]
        peer_ms, our_ms = 1000 * np.median(pairs, axis=0)
        print(
            f"{seconds:6d} | {peer_ms:26.1f} | {our_ms:8.2f} | {np.median(ratios):5.1f} "
            f"({ratios.min():.1f} to {ratios.max():.1f}) | {difference:.1e}"
        )


if __name__ == "__main__":
    main()
