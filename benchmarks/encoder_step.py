"""Forward and backward pass of the pocket's encoder and aligner by number format, on a processor.

Prints the median time of 16 utterances in float32, in bfloat16 as autocast does it, and in bfloat16
with attention in float32 as Maqam trains, with the ratio of float32's time to each (range over
repetitions). The peer is PyTorch's autocast.

    OMP_NUM_THREADS=1 python benchmarks/encoder_step.py [--repeats 21]
"""

import argparse
import time
from contextlib import nullcontext

import numpy as np
import torch

from maqam.models.common.attention import single_precision_attention
from maqam.models.loading import load_backbone
from maqam.models.protocol import AudioLLM
from maqam.models.settings import ModelSettings

NUM_UTTERANCES, NUM_FRAMES = 16, 280


def whole_step(backbone: AudioLLM, log_mels: list[np.ndarray], *, halves: bool) -> float:
    begin = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=halves):
        states = torch.cat(backbone.encode_audio(log_mels))
    states.float().square().mean().backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=21)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    backbone = load_backbone(ModelSettings(), device=torch.device("cpu"))
    backbone.model.float().train()
    rng = np.random.default_rng(0)
    log_mels = [
        rng.normal(size=(NUM_FRAMES, backbone.dialogue.front_end.num_bins)).astype(np.float32)
        for _ in range(NUM_UTTERANCES)
    ]
    ways = {
        "float32": (False, False),
        "bfloat16": (True, False),
        "bfloat16, attention in float32": (True, True),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(repeats + 2):
        for way, (halves, attends_whole) in ways.items():
            attention = single_precision_attention(backbone.model)
            with attention if attends_whole else nullcontext():
                taken = whole_step(backbone, log_mels, halves=halves)
            backbone.model.zero_grad()
            if repeat >= 2:
                seconds[way].append(taken)
    print("number format | ms | float32's time / its time (range)")
    for way, taken_by in seconds.items():
        ratios = np.array(seconds["float32"]) / np.array(taken_by)
        print(
            f"{way} | {1000 * np.median(taken_by):.0f} | "
            f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
        )


if __name__ == "__main__":
    main()
