"""Forward and backward pass of the pocket's encoder and aligner by number format, on a processor.

Prints the median time of 16 utterances in float32, in bfloat16 as autocast does it, and in bfloat16
with attention in float32 as Maqam trains, with the ratio of float32's time to each (range over
repetitions). The peer is PyTorch's autocast.

    OMP_NUM_THREADS=1 python benchmarks/encoder_step.py [--repeats 21]
"""

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext

import numpy as np
import torch

from maqam.models.attention import single_precision_attention
from maqam.models.backbone import Backbone
from maqam.models.qwen_omni import load_backbone
from maqam.models.settings import ModelSettings

NUM_UTTERANCES, NUM_FRAMES = 16, 280


def whole_step(backbone: Backbone, log_mels: list[np.ndarray]) -> float:
    begin = time.perf_counter()
    states = torch.cat(backbone.encode_audio(log_mels)).float()
    states.square().mean().backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - begin


def half() -> AbstractContextManager[object]:
    return torch.autocast("cpu", torch.bfloat16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=21)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    backbone = load_backbone(ModelSettings(), device=torch.device("cpu"))
    backbone.model.float().train()
    rng = np.random.default_rng(0)
    log_mels = [
        rng.normal(size=(NUM_FRAMES, backbone.num_mel_bins)).astype(np.float32)
        for _ in range(NUM_UTTERANCES)
    ]
    ways: dict[str, list[Callable[[], AbstractContextManager[object]]]] = {
        "float32": [nullcontext],
        "bfloat16": [half],
        "bfloat16, attention in float32": [
            half,
            lambda: single_precision_attention(backbone.model),
        ],
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(repeats + 2):
        for way, contexts in ways.items():
            with ExitStack() as stack:
                for context in contexts:
                    stack.enter_context(context())
                taken = whole_step(backbone, log_mels)
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
