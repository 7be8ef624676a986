"""What a composed checkpoint says of itself in config.json, beside what its class reads there.

A composed model is of a class of transformers, but its LLM keeps its own way to write dialogues.
That way stands under a key of config.json, which every tool that saves the model keeps.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from maqam.errors import ModelError
from maqam.models.family import ChatTemplate, Family
from maqam.models.front_end import FrontEnd, LogMel

KEY = "maqam"
FORMAT_VERSION = 1


def record_of(
    template: ChatTemplate, *, narrows_last_layer: bool, **others: object
) -> dict[str, Any]:
    """Return what goes under `KEY` of config.json.

    Args:
        template: How the LLM writes a dialogue.
        narrows_last_layer: Whether the LLM's last layer can be computed at some positions only.
        others: What else is said.
    """
    return {
        "format_version": FORMAT_VERSION,
        "template": asdict(template),
        "narrows_last_layer": narrows_last_layer,
        **others,
    }


def as_composed(family: Family, config: Mapping[str, Any], where: str) -> Family:
    """Return the family of a checkpoint with what a composed one says of itself.

    Args:
        family: The family whose class holds it.
        config: Its config.json.
        where: The checkpoint, as an error names it.

    Returns:
        The family as it is where the checkpoint was not composed.

    Raises:
        ModelError: If what it says of itself is of another format.
    """
    record = config.get(KEY)
    if record is None:
        return family
    try:
        if record["format_version"] != FORMAT_VERSION:
            raise KeyError(f"format {record['format_version']}")
        template = read_template(record["template"])
        window = 2 * int(config["audio_config"]["max_source_positions"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"the key {KEY} of config.json is not of format {FORMAT_VERSION}",
            where=where,
            hint="compose the model again: maqam model compose",
        ) from error
    return replace(
        family,
        title=f"a composed model in the form of {family.title}",
        template=template,
        front_end=_front_end(family, window),
        narrows_last_layer=bool(record["narrows_last_layer"]),
        prepare_tokenizer=None,
    )


def _front_end(family: Family, window: int) -> FrontEnd:
    """Return a family's front end with the windows of another encoder, as many as audio takes.

    A class without a mask hears the silence that fills a window up, and gives tokens for it.
    """
    is_masked = family.inputs.mask is not None
    extractor = LogMel(tail_frames=3, window_frames=window, is_cut=is_masked)
    whole = replace(family.front_end, extractor=extractor, window_frames=window, max_frames=None)
    return whole if is_masked else replace(whole, count=partial(_stacked, window=window))


def _stacked(num_frames: int, window: int) -> int:
    """Count the stacks of four outputs that whole windows give."""
    return window // 8 * -(-num_frames // window)


def read_template(fields: Mapping[str, Any]) -> ChatTemplate:
    """Return how the LLM writes a dialogue, as the record has it."""
    opening, placeholder, closing = fields["audio"]
    return ChatTemplate(
        turns={role: (before, after) for role, (before, after) in fields["turns"].items()},
        answer=fields["answer"],
        end=fields["end"],
        audio=(opening, placeholder, closing),
        padding=fields["padding"],
        special_tokens=tuple(fields["special_tokens"]),
        start=fields["start"],
    )
