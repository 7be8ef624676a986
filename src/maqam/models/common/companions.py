"""What lies beside the weights of a checkpoint, so that stock libraries can serve it."""

import shutil
from pathlib import Path

from transformers import Qwen2TokenizerFast

from maqam.models.checkpoint import checkpoint_file
from maqam.models.dialogue import DialogueEncoder

COMPANIONS = (
    "tokenizer.json",
    "tekken.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "chat_template.json",
    "chat_template.jinja",
)


def save_companions(dialogue: DialogueEncoder, source: str | None, folder: Path) -> None:
    """Write tokenizer, processor and chat template beside weights.

    Args:
        dialogue: Of a model that was made here; its tokenizer is written.
        source: Folder or hub id of the checkpoint a model began with, whose files are copied;
            None for a model that was made here.
        folder: Where they go.
    """
    if source is None:
        Qwen2TokenizerFast(
            tokenizer_object=dialogue.tokenizer,
            pad_token=dialogue.template.padding,
            eos_token=dialogue.template.end,
        ).save_pretrained(folder)
        return
    for name in COMPANIONS:
        try:
            path = checkpoint_file(source, name)
        except OSError:  # no family has all of them
            continue
        shutil.copyfile(path, folder / name)
