"""The encoder's chunks in one call of attention, against a call for each chunk.

Prints the median time of a forward and backward pass of the pocket's encoder and aligner, in
bfloat16 on a GPU and in float32 on a processor, with the ratio (range over repetitions). The peer
is transformers' audio tower.

    python benchmarks/encoder_chunks.py [--repeats 11] [--utterances 64]
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from maqam.models.loading import own_device
from maqam.models.pocket import new_pocket
from maqam.models.qwen_omni.chunks import encode_side_by_side


def timed(encode: Callable[[], torch.Tensor], device: torch.device) -> float:
    begin = time.perf_counter()
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        states = encode()
    states.float().square().mean().backward()  # type: ignore[no-untyped-call]
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--utterances", type=int, default=64)
    options = parser.parse_args()
    device = own_device()
    tower = new_pocket(["نعم لا"], 0).model.model.audio_tower.to(device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "processor"
    print(f"{name}, torch {torch.__version__}, {options.utterances} utterances")
    print("seconds of audio | chunk after chunk, ms | side by side, ms | ratio (range)")
    for seconds in (3, 30):
        lengths = np.full(options.utterances, 100 * seconds)
        frames = torch.randn(128, int(lengths.sum()), device=device)

        def apart(frames: torch.Tensor = frames, lengths: np.ndarray = lengths) -> torch.Tensor:
            given = torch.from_numpy(lengths).to(device)
            return tower(frames, feature_lens=given).last_hidden_state

        def together(frames: torch.Tensor = frames, lengths: np.ndarray = lengths) -> torch.Tensor:
            return encode_side_by_side(tower, frames, lengths)

        taken = [
            [timed(encode, device) for encode in (apart, together)]
            for _ in range(options.repeats + 2)
        ][2:]
        first, second = np.array(taken).T * 1000
        ratio = first / second
        print(
            f"{seconds} | {np.median(first):.1f} | {np.median(second):.1f} | "
            f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})"
        )


if __name__ == "__main__":
    main()
