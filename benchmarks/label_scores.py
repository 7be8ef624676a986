"""Scoring all labels of a task against generating an answer, on a processor.

Prints the median time of 12 tokens for 16 prompts of 3 s of audio, alone and with the scores of 5
or 17 dialects, with the ratio (range over repetitions). The peer is the same model's greedy
decoding, which is what an answer costs where labels are not scored.

    OMP_NUM_THREADS=1 python benchmarks/label_scores.py [--repeats 21]
"""

import argparse
import time

import numpy as np
import torch

from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings
from maqam.tasks import default_tasks
from maqam.taxonomy.tree import label_set

NUM_PROMPTS, NUM_FRAMES, NUM_TOKENS = 16, 300, 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=21)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    backbone = load_backbone(ModelSettings(), device=torch.device("cpu"))
    dialogue = backbone.dialogue
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(NUM_PROMPTS, NUM_FRAMES, dialogue.front_end.num_bins))
    with torch.no_grad():
        states = backbone.encode_audio(list(frames.astype(np.float32)))
    turns = [
        {"role": "user", "content": "<audio>Which dialect of Arabic is spoken?"},
        {"role": "assistant", "content": ""},
    ]
    prompts = [dialogue.encode(turns, len(one), with_target=False) for one in states]
    dialogue.end_id = -1  # no answer ends before its 12 tokens
    sets = {"5 regions": default_tasks()["did"].labels, "17 countries": label_set("adi17")}
    print("labels | generate, ms | with scores, ms | ratio (range) | scores alone, ms | ratio")
    for name, labels in sets.items():
        ids = [[*dialogue.tokenizer.encode(one).ids, dialogue.padding_id] for one in labels]
        seconds = []
        for repeat in range(repeats + 2):
            begin = time.perf_counter()
            backbone.generate(prompts, states, NUM_TOKENS)
            between = time.perf_counter()
            backbone.answer(prompts, states, NUM_TOKENS, ids)
            if repeat >= 2:
                seconds.append((between - begin, time.perf_counter() - between))
        alone, both = 1000 * np.median(seconds, axis=0)
        times = [scored / generated for generated, scored in seconds]
        spread = f"{np.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"
        more = both - alone
        print(f"{name} | {alone:.0f} | {both:.0f} | {spread} | {more:.0f} | {more / alone:.2f}")


if __name__ == "__main__":
    main()
