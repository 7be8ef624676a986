"""The page of the documentation that lists the families, written from their tables."""

from collections.abc import Iterable

from maqam.models.checkpoint import family_limits
from maqam.models.families import FAMILIES
from maqam.models.families.unsupported import UNSUPPORTED
from maqam.models.family import Family
from maqam.models.front_end import LogMel

_COLUMNS = (
    "kind",
    "model",
    "class",
    "for example",
    "encoder reads",
    "tokens a second",
    "longest audio",
    "licence",
)

_HEAD = """# Families of audio LLMs

Maqam trains, decodes and scores the audio LLMs of this table, each by the class of transformers
that the hub's checkpoint names. `model.kind: auto` takes the family that a checkpoint's config.json
says; a name of the first column holds it to that one. This page is written by
`maqam model families --markdown`.

"""

_TESTED = """
What is **tested** of each is the same, in `tests/models/test_families.py` and
`tests/models/test_families_trained.py`, on small random weights in the layout of the hub. No
checkpoint of the hub was loaded. Held to the class and the processor of transformers are: ids of a
dialogue, frames, the number of audio tokens of any length, hidden states and loss, answers, scores
of fixed answers, a row alone and in a batch, audio longer than a window, half precision, gradients
in encoder, aligner and LLM, adapters on the LLM alone, an adapter in stock PEFT, merged weights in
stock transformers, a training that is killed and goes on.

*Tokens a second* are those of long audio. *Longest audio* is what the class or its processor takes,
or what fits the context of the LLM alone where nothing else limits it; `maqam data check --model
KIND` finds the rows that are longer, or too short for an audio token. A *licence* is that which the
authors of the weights stated; their card decides, and must be read where none is given.

"""

_UNSUPPORTED = """## What is no family

"""

_MORE = """
Another family takes a table of at most 30 lines: [Add a family of audio LLMs](extend/family.md). An
encoder and an LLM of one's own become one model by [`maqam model compose`](composed.md).
"""


def families_page() -> str:
    """Return the page, in Markdown."""
    remarks = [f"* **{one.title}.** {one.remark}" for one in FAMILIES.values() if one.remark]
    reasons = [
        (one.title, ", ".join(f"`{name}`" for name in one.model_types), one.reason)
        for one in UNSUPPORTED
    ]
    return "".join(
        [
            _HEAD,
            _table(_COLUMNS, map(_row, FAMILIES.values())),
            _TESTED,
            "\n".join(remarks) + "\n\n",
            _UNSUPPORTED,
            _table(("model", "`model_type`", "why"), reasons),
            _MORE,
        ]
    )


def _row(family: Family) -> tuple[str, ...]:
    limits = family_limits(family)
    return (
        f"`{family.kind}`",
        family.title,
        f"`{family.architecture}`",
        f"`{family.hub_id}`",
        heard_by(family),
        f"{family.front_end.tokens_per_second:.3g}",
        f"{limits.max_seconds:,.0f} s",
        family.licence or "see its card",
    )


def heard_by(family: Family) -> str:
    """Return what the encoder of a family reads, in a few words."""
    front_end = family.front_end
    extractor = front_end.extractor
    if extractor.hop_samples == 1:
        return f"waveform, {front_end.sample_rate // 1000} kHz"
    window = front_end.window_frames
    hears = f", windows of {window / front_end.frames_per_second:g} s" if window else ""
    kind = "log-mels" if isinstance(extractor, LogMel) else "its own mels"
    return f"{kind}, {front_end.frames_per_second:.3g} a second{hears}"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(one)} |\n" for one in lines)
