"""The dialogue encoder of a checkpoint, read without its weights and without torch."""

import json
from importlib import resources
from pathlib import Path

from huggingface_hub import hf_hub_download
from tokenizers import Tokenizer

from maqam.errors import ModelError
from maqam.models.qwen_omni.dialogue import DialogueEncoder
from maqam.models.settings import ModelSettings

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
WHAT_IS_NEEDED = "give the folder that holds config.json, tokenizer.json and *.safetensors"


def pocket_path() -> Path:
    """Return the folder of the pocket checkpoint that ships with the package."""
    return Path(str(resources.files("maqam.models") / "pocket_weights"))


def source_of(settings: ModelSettings) -> str:
    """Return the local folder or hub id of a checkpoint.

    Raises:
        ModelError: If the settings name none.
    """
    if settings.path is not None:
        return settings.path
    if settings.kind == "pocket":
        return str(pocket_path())
    raise ModelError(
        f"model kind {settings.kind!r} needs a path",
        where="model.path",
        hint="give a local folder or a hub id, such as Qwen/Qwen2.5-Omni-7B",
    )


def load_dialogue(settings: ModelSettings) -> DialogueEncoder:
    """Load the dialogue encoder of a checkpoint: its tokenizer, and the length of its context.

    Raises:
        ModelError: If there is no such checkpoint, or it is of another architecture.
    """
    source = source_of(settings)
    try:
        config = json.loads(_file(source, CONFIG).read_text(encoding="utf-8"))
        config = config.get("thinker_config", config)
        limit = int(config["text_config"]["max_position_embeddings"])
        text = _file(source, TOKENIZER).read_text(encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(source, error) from error
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:
        raise _unreadable(source, error) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return DialogueEncoder(tokenizer, max_tokens=limit)


def _file(source: str, name: str) -> Path:
    """Return a file of a checkpoint, from its folder or from the hub."""
    if Path(source).is_dir():
        return Path(source) / name
    return Path(hf_hub_download(source, name))


def _unreadable(source: str, error: Exception) -> ModelError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return ModelError(f"the tokenizer does not load: {reason}", where=source, hint=WHAT_IS_NEEDED)
