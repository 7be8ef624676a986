"""Words a second of every normalizer profile, and WER of Maqam against plain jiwer, on one core.

WER is timed without a profile, so that both do the same work; the errors counted must be equal.

    OMP_NUM_THREADS=1 python benchmarks/error_rate.py [--utterances 20000] [--repeats 5]
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable

import jiwer

from maqam.score.error_rate import edits_by_utterance
from maqam.text.profiles import PROFILES, normalize

WORDS_PER_UTTERANCE = 12
VOCABULARY = 20_000
LETTERS = "ابتثجحخدذرزسشصضطظعغفقكلمنهويىءآأؤإئة"
MARKS = "\u064b\u064e\u0651\u0652،؟."


def corpus(num_utterances: int) -> tuple[list[str], list[str]]:
    """Random references, and hypotheses in which a tenth of the words is replaced."""
    rng = random.Random(0)
    words = ["".join(rng.choices(LETTERS, k=rng.randint(1, 8))) for _ in range(VOCABULARY)]
    words = [word + rng.choice(MARKS) if rng.random() < 0.1 else word for word in words]
    references = [rng.choices(words, k=WORDS_PER_UTTERANCE) for _ in range(num_utterances)]
    heard = [[rng.choice(words) if rng.random() < 0.1 else w for w in one] for one in references]
    return [" ".join(one) for one in references], [" ".join(one) for one in heard]


def seconds_of(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    references, hypotheses = corpus(given.utterances)
    num_words = WORDS_PER_UTTERANCE * len(references)
    print("profile | million words/s, median (range)")
    for profile in PROFILES:

        def normalise(profile: str = profile) -> None:
            for text in references:
                normalize(text, profile)

        rates = [num_words / seconds_of(normalise) / 1e6 for _ in range(given.repeats)]
        median = statistics.median(rates)
        print(f"{profile:20} | {median:.2f} ({min(rates):.2f} to {max(rates):.2f})")

    ours = edits_by_utterance(references, hypotheses, profile="none")
    theirs = jiwer.process_words(references, hypotheses)
    errors = theirs.substitutions + theirs.deletions + theirs.insertions
    if int(ours.errors.sum()) != errors:
        raise SystemExit(f"error: {int(ours.errors.sum())} errors, jiwer counts {errors}")
    pairs = [
        (
            seconds_of(lambda: jiwer.process_words(references, hypotheses)),
            seconds_of(lambda: edits_by_utterance(references, hypotheses, profile="none")),
        )
        for _ in range(given.repeats)
    ]
    ratios = [peer / own for peer, own in pairs]
    print(
        f"WER of {num_words:,} words: jiwer {statistics.median(p for p, _ in pairs):.2f} s, maqam "
        f"{statistics.median(o for _, o in pairs):.2f} s, jiwer / maqam "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"{errors:,} errors in both"
    )


if __name__ == "__main__":
    main()
