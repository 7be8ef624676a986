"""The card that lies in the corpus' folder and says plainly that all of it is synthetic."""

from collections import Counter
from collections.abc import Mapping, Sequence

from maqam.synth.acoustics import SAMPLE_RATE
from maqam.synth.plan import PlannedUtterance
from maqam.synth.settings import SPLITS, SynthSettings
from maqam.tasks import default_tasks

_HEAD = """# Maqam's synthetic Arabic corpus

**All speech and all text here are synthetic.** No person was recorded. The sentences come from a
grammar over a lexicon, the voices are variants of the rule-based synthesizer eSpeak NG, dialects
and emotions are imitated by rules, noise and rooms are computed. Scores on this corpus show
whether a training method works, never how well a model understands people. Do not publish them as
results on Arabic speech.
"""


def card(
    utterances: Sequence[PlannedUtterance], lengths: Mapping[str, int], settings: SynthSettings
) -> str:
    """Write the card.

    Args:
        utterances: All rows.
        lengths: Samples of every audio file by id.
        settings: What the corpus was made with.

    Returns:
        Markdown.
    """
    hours = sum(lengths.values()) / SAMPLE_RATE / 3600
    lines = [
        _HEAD,
        f"{len(utterances)} utterances, {hours:.2f} hours of audio, seed {settings.seed}.",
        "",
        "| task | " + " | ".join(SPLITS) + " |",
        "|---|" + "---:|" * len(SPLITS),
    ]
    counts = Counter((one.task, one.split) for one in utterances)
    lines += [
        f"| {task} | " + " | ".join(str(counts[task, split]) for split in SPLITS) + " |"
        for task in default_tasks()
    ]
    for title, value in (("did", "dialects"), ("ser", "emotions")):
        labels = Counter((one.target, one.split) for one in utterances if one.task == title)
        lines += [
            "",
            f"| {value} of {title} | " + " | ".join(SPLITS) + " |",
            "|---|---:|---:|---:|",
        ]
        lines += [
            f"| {label} | " + " | ".join(str(labels[label, split]) for split in SPLITS) + " |"
            for label in default_tasks()[title].labels
        ]
    lines += [
        "",
        "Made by `maqam data synth`; the rules are described in docs/synthetic-corpus.md.",
        "",
    ]
    return "\n".join(lines)
