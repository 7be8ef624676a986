"""What a model of units says of itself in config.json, and the family that makes it."""

from collections.abc import Mapping
from typing import Any

from maqam.errors import ModelError
from maqam.models.composed.record import FORMAT_VERSION, KEY, read_template
from maqam.models.family import Family
from maqam.models.front_end import FrontEnd, LogMel

KIND = "units"


def is_units(config: Mapping[str, Any]) -> bool:
    """Return whether a config.json is that of a model of units."""
    record = config.get(KEY)
    return isinstance(record, Mapping) and record.get("kind") == KIND


def units_family(config: Mapping[str, Any], where: str) -> Family:
    """Return the family of a model of units.

    Its audio tokens are units, runs of one merged, so that their number depends on what is said:
    what its front end counts is the most there can be.

    Args:
        config: Its config.json.
        where: The checkpoint, as an error names it.

    Raises:
        ModelError: If it is of another format.
    """
    try:
        record = config[KEY]
        if record["format_version"] != FORMAT_VERSION:
            raise KeyError(f"format {record['format_version']}")
        tower = record["tower"]
        return Family(
            kind=KIND,
            title="a model of discrete units",
            hub_id="",
            model_type=config["model_type"],
            architecture=config["architectures"][0],
            template=read_template(record["template"]),
            front_end=whisper_front_end(tower),
            parts={
                "encoder": ("unit_tower.",),
                "aligner": (),
                "llm": ("model.", "lm_head."),
            },
            language_model="model",
            narrows_last_layer=bool(record["narrows_last_layer"]),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"the key {KEY} of config.json is not of format {FORMAT_VERSION}",
            where=where,
            hint="make the model again: maqam model units",
        ) from error


def whisper_front_end(tower: Mapping[str, Any]) -> FrontEnd:
    """Return what the encoder of a model of units reads.

    Args:
        tower: What the encoder is built from.
    """
    window = 2 * int(tower["max_source_positions"])
    return FrontEnd(
        positions,
        LogMel(tail_frames=3, window_frames=window, is_cut=True),
        num_bins=int(tower["num_mel_bins"]),
        window_frames=window,
    )


def positions(num_frames: int) -> int:
    """Count the outputs of Whisper's convolutions, the most units that frames give.

    Examples:
        >>> positions(100)
        50
    """
    return (num_frames - 1) // 2 + 1
