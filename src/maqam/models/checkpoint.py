"""What a checkpoint's small files say: its family, its front end, its dialogues.

No weights are read and no torch is loaded, so that a plan in tokens costs a tokenizer only.
"""

import json
import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from maqam import extras
from maqam.data.audio import SAMPLE_RATE
from maqam.data.limits import Limits
from maqam.errors import ModelError, first_line
from maqam.models.common.tekken import read_tekken
from maqam.models.composed.record import as_composed
from maqam.models.dialogue import DialogueEncoder
from maqam.models.families import FAMILIES, family_of
from maqam.models.family import Family
from maqam.models.front_end import FrontEnd, OwnExtractor
from maqam.models.settings import AUTO, POCKET, ModelSettings
from maqam.models.units.family import is_units, units_family

POCKET_FAMILY = FAMILIES["qwen2_5_omni"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint by its small files.

    Attributes:
        source: Local folder or hub id.
        family: What it is one of.
        front_end: What its encoder reads.
        max_tokens: The LLM's context.
    """

    source: str
    family: Family
    front_end: FrontEnd
    max_tokens: int


def pocket_path() -> Path:
    """Return the folder of the pocket checkpoint that ships with the package."""
    return Path(str(resources.files("maqam.models") / "pocket_weights"))


def open_checkpoint(settings: ModelSettings) -> Checkpoint:
    """Find out what a checkpoint is.

    Args:
        settings: Which checkpoint.

    Raises:
        ModelError: If there is no such checkpoint, or it is of another family.
    """
    source = _source(settings)
    config = _json(source, "config.json")
    if not isinstance(config.get("model_type"), str):
        raise _broken(source, ValueError("config.json names no model_type"))
    for family in FAMILIES.values():
        if family.whole == config["model_type"]:
            config = {"model_type": family.model_type, **_part(config, family.nested, source)}
    if is_units(config):
        family = units_family(config, source)
    else:
        family = as_composed(family_of(config["model_type"], source), config, source)
    wanted = POCKET_FAMILY.kind if settings.kind == POCKET else settings.kind
    if wanted not in (AUTO, family.kind):
        raise ModelError(
            f"the checkpoint is of {family.title}, not of {FAMILIES[wanted].title}",
            where=source,
            hint=f"set model.kind={family.kind if family.kind in FAMILIES else AUTO}",
        )
    text = _part(config, "text_config", source) or config
    num_bins = _count(_part(config, "audio_config", source), "num_mel_bins", source)
    max_tokens = _count(text, "max_position_embeddings", source)
    return Checkpoint(
        source=source,
        family=family,
        front_end=family.front_end.of_checkpoint(num_bins, _extractor_settings(source, family)),
        max_tokens=max_tokens or family.max_tokens,
    )


def _part(config: Mapping[str, Any], key: str, source: str) -> dict[str, Any]:
    """Return the configuration of a part of a model, empty where there is none."""
    part = config.get(key)
    if part is not None and not isinstance(part, dict):
        raise _broken(source, ValueError(f"{key} of config.json is no object"))
    return part or {}


def _count(config: Mapping[str, Any], key: str, source: str) -> int | None:
    """Return a positive whole number of a configuration, None where there is none."""
    count = config.get(key)
    if count is not None and (not isinstance(count, int) or count < 1):
        raise _broken(source, ValueError(f"{key} of config.json is {count!r}, no positive number"))
    return count


def _extractor_settings(source: str, family: Family) -> Mapping[str, Any]:
    """Read the settings of a family's own feature extractor; none where it has none of its own."""
    if not isinstance(family.front_end.extractor, OwnExtractor):
        return {}
    try:
        checkpoint_file(source, "preprocessor_config.json")
    except OSError:  # transformers 5 writes one file for all parts of a processor
        return _part(_json(source, "processor_config.json"), "feature_extractor", source)
    return _json(source, "preprocessor_config.json")


def _json(source: str, name: str) -> dict[str, Any]:
    """Read a small file of a checkpoint.

    Raises:
        ModelError: If it is not there, or holds no object of JSON.
    """
    try:
        read = json.loads(checkpoint_file(source, name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(source, error) from error
    if not isinstance(read, dict):
        raise _broken(source, ValueError(f"{name} holds no object"))
    return read


def limits_of(checkpoint: Checkpoint) -> Limits:
    """Return what a checkpoint takes of audio; audio alone must fit the context of its LLM."""
    front_end, family = checkpoint.front_end, checkpoint.family
    return _limits(family.title, front_end, checkpoint.max_tokens)


def common_limits() -> Limits:
    """Return the limits of all families together: what is beyond them no family takes."""
    every = [family_limits(one) for one in FAMILIES.values()]
    return Limits(
        "every family of models",
        math.ceil(SAMPLE_RATE * min(one.min_samples / one.sample_rate for one in every)),
        max(one.max_seconds for one in every if one.max_seconds is not None),
    )


def family_limits(family: Family) -> Limits:
    """Return what a family takes of audio, whatever the checkpoint."""
    return _limits(family.title, family.front_end, family.max_tokens)


def _limits(name: str, front_end: FrontEnd, max_tokens: int) -> Limits:
    longest = _longest_seconds(front_end, max_tokens)
    if front_end.max_seconds is not None:
        longest = min(longest, front_end.max_seconds)
    return Limits(name, front_end.min_samples, longest, front_end.sample_rate)


def _longest_seconds(front_end: FrontEnd, max_tokens: int) -> float:
    """Return how long audio may be whose tokens alone fill a context."""

    def exceeds(num_samples: int) -> bool:
        return front_end.num_audio_tokens(front_end.num_frames(num_samples)) > max_tokens

    seconds = max_tokens / front_end.tokens_per_second
    num_samples = int(seconds * front_end.sample_rate)
    if not exceeds(num_samples):
        return seconds
    return bisect_left(range(1, num_samples + 1), True, key=exceeds) / front_end.sample_rate


def load_dialogue(settings: ModelSettings) -> DialogueEncoder:
    """Load what turns dialogues into tokens and counts those of audio, without torch or weights.

    Args:
        settings: Which checkpoint.

    Raises:
        ModelError: If there is no such checkpoint, it is of another family, or its tokenizer
            does not load.
    """
    return dialogue_of(open_checkpoint(settings))


def dialogue_of(checkpoint: Checkpoint) -> DialogueEncoder:
    """Load what turns dialogues into tokens and counts those of audio.

    Raises:
        ModelError: If the tokenizer does not load, or lacks a token of control.
    """
    family = checkpoint.family
    tokenizer = _tokenizer_of(checkpoint.source)
    if family.prepare_tokenizer is not None:
        family.prepare_tokenizer(tokenizer)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return DialogueEncoder(
        tokenizer,
        family.template,
        checkpoint.front_end,
        checkpoint.max_tokens,
        where=checkpoint.source,
    )


def _tokenizer_of(source: str) -> Any:  # noqa: ANN401
    """Read the tokenizer of a checkpoint: tokenizer.json, or Mistral's tekken.json."""
    from_json = extras.load("tokenizers").Tokenizer.from_str
    missing: list[Exception] = []
    for name, read in (("tokenizer.json", from_json), ("tekken.json", read_tekken)):
        try:
            path = checkpoint_file(source, name)
        except (OSError, ValueError) as error:
            missing.append(error)
            continue
        try:
            return read(path.read_text(encoding="utf-8"))
        except Exception as error:
            raise _broken(str(path), error) from error
    raise _broken(source, missing[0])


def checkpoint_file(source: str, name: str) -> Path:
    """Return where a small file of a checkpoint is, fetched from the hub where it is not local.

    Raises:
        OSError: If there is no such file, or the hub cannot be reached.
        ValueError: If the source is neither a folder nor a hub id.
    """
    if Path(source).is_dir():
        path = Path(source) / name
        if not path.is_file():
            raise FileNotFoundError(f"there is no {name}")
        return path
    hub = extras.load("huggingface_hub")
    return Path(hub.hf_hub_download(source, name))


def _source(settings: ModelSettings) -> str:
    if settings.path is not None:
        return settings.path
    if settings.kind in (POCKET, AUTO):
        return str(pocket_path())
    raise ModelError(
        f"model kind {settings.kind!r} needs a path",
        where="model.path",
        hint=f"give a local folder or a hub id, such as {FAMILIES[settings.kind].hub_id}",
    )


def _broken(source: str, error: Exception) -> ModelError:
    return ModelError(
        f"the checkpoint does not load: {first_line(error)}",
        where=source,
        hint="give the folder that holds config.json, tokenizer.json and *.safetensors",
    )
