"""The checkpoint that a run began with, as files: what they hold and what they lack."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maqam.deploy.rewriting import Change, prefixed, rewrite
from maqam.errors import ModelError, first_line
from maqam.extras import load
from maqam.files import write_json, write_text
from maqam.models.checkpoint import Checkpoint, open_checkpoint
from maqam.models.common.jinja import jinja_of
from maqam.models.settings import ModelSettings
from maqam.models.weights.shards import INDEX, weight_files

_GENERATION, _TEMPLATE = "generation_config.json", "chat_template.jinja"
_NOT_COPIED = ("README.md", "config.json", INDEX, ".gitattributes")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".gguf")


@dataclass(frozen=True, slots=True)
class Base:
    """A local checkpoint.

    Attributes:
        checkpoint: What it is.
        folder: Where it is.
        config: Its config.json.
        files: The file of every tensor.
    """

    checkpoint: Checkpoint
    folder: Path
    config: Mapping[str, Any]
    files: Mapping[str, Path]

    @classmethod
    def open(cls, settings: ModelSettings) -> "Base":
        """Find the files of a checkpoint, fetched from the hub where they are not local.

        Raises:
            ModelError: If it is of no family, or its weights are not all there.
        """
        checkpoint = open_checkpoint(settings)
        folder = Path(checkpoint.source)
        if not folder.is_dir():
            try:
                folder = Path(load("huggingface_hub").snapshot_download(checkpoint.source))
            except OSError as error:
                raise ModelError(
                    f"the checkpoint cannot be fetched: {first_line(error)}",
                    where=checkpoint.source,
                    hint="fetch it where there is a network, and name its folder",
                ) from error
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return cls(checkpoint, folder, config, weight_files(folder))

    def write(
        self,
        folder: Path,
        changes: Mapping[str, Change],
        config: Mapping[str, Any],
        prefix: str = "",
    ) -> None:
        """Write the checkpoint with some tensors changed, one file of weights after the other.

        Args:
            folder: Where it goes.
            changes: By names of tensors.
            config: Its config.json.
            prefix: What the names of all tensors get in front.
        """
        for file in dict.fromkeys(self.files.values()):
            rewrite(file, folder / file.name, changes, prefix)
        index = self.folder / INDEX
        if index.is_file():
            content = json.loads(index.read_text(encoding="utf-8"))
            named = {prefixed(name, prefix): file for name, file in content["weight_map"].items()}
            write_json(folder / INDEX, {**content, "weight_map": named})
        write_json(folder / "config.json", config)

    def write_companions(self, folder: Path) -> list[str]:
        """Copy what lies beside the weights, and make what is needed to serve them and absent.

        Returns:
            What is absent still, a sentence each.
        """
        family = self.checkpoint.family
        for path in sorted(self.folder.iterdir()):
            is_speaker_table = path.name.startswith("spk_")
            is_weights = path.suffix in _WEIGHTS and not is_speaker_table
            if path.is_file() and not is_weights and path.name not in _NOT_COPIED:
                shutil.copyfile(path, folder / path.name)
        if not _has_template(folder):
            write_text(folder / _TEMPLATE, jinja_of(family.template))
        if not (folder / _GENERATION).is_file():
            write_json(folder / _GENERATION, self._generation())
        names = ("preprocessor_config.json", "processor_config.json")
        if any((folder / name).is_file() for name in names):
            return []
        return [
            f"the checkpoint has no {names[0]}: its processor is made from its feature extractor "
            "by hand"
        ]

    def _generation(self) -> dict[str, Any]:
        text = self.config
        for key in (self.checkpoint.family.nested, "text_config"):
            text = text.get(key or "", text)
        kept = {name: text[name] for name in ("eos_token_id", "pad_token_id") if text.get(name)}
        return {**kept, "do_sample": False}


def _has_template(folder: Path) -> bool:
    if (folder / _TEMPLATE).is_file() or (folder / "chat_template.json").is_file():
        return True
    for name in ("tokenizer_config.json", "processor_config.json"):
        path = folder / name
        if path.is_file() and "chat_template" in path.read_text(encoding="utf-8"):
            return True
    return False
