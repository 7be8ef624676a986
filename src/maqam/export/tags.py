"""Words in texts that another trainer would not read as letters: media tags and special tokens.

No trainer of ours has a documented way to quote them. So rows that hold one are refused, all of
them counted, or written with a space behind its first character where the user asks for that.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maqam.data.manifest import Manifest
from maqam.data.prompts import audio_turn
from maqam.data.schema import AUDIO_TAG
from maqam.errors import ConfigError, ManifestError, first_few
from maqam.export.parts import ExportSettings, Target

_TOKENS = r"<\|[^|<>\s]{1,64}\|>|</?(?:tool_call|tool_response|think)>"
_CHUNK = 4096
Row = Mapping[str, Any]


class Tags:
    """What a trainer takes as a tag or a token wherever it stands.

    Args:
        words: Tags and tokens by their names.
        tokens: Whether whatever looks like a special token is one.
    """

    def __init__(self, words: Sequence[str], *, tokens: bool = False) -> None:
        longest_first = sorted(words, key=len, reverse=True)
        patterns = [*map(re.escape, longest_first), *([_TOKENS] if tokens else [])]
        self._pattern = re.compile("|".join(patterns))

    def words(self, row: Row) -> list[str]:
        """Return what would be taken as a tag in the texts of a row, each word once.

        Examples:
            >>> row = {"audios": [], "messages": [{"role": "user", "content": "<image> is a tag"}]}
            >>> Tags(["<image>"]).words(row)
            ['<image>']
        """
        texts = (text for _, before, _, after in _texts(row) for text in (before, after))
        return list(dict.fromkeys(word for text in texts for word in self._pattern.findall(text)))

    def escaped(self, row: Row) -> list[dict[str, Any]]:
        """Return the messages of a row with a space in each word that would be taken as a tag.

        Examples:
            >>> asked = {"role": "user", "content": "<audio>What is <audio>?"}
            >>> row = {"audios": ["a.wav"], "messages": [asked]}
            >>> Tags(["<audio>"]).escaped(row)[0]["content"]
            '<audio>What is < audio>?'
        """
        return [
            {**turn, "content": f"{self._spaced(before)}{tag}{self._spaced(after)}"}
            for turn, before, tag, after in _texts(row)
        ]

    def _spaced(self, text: str) -> str:
        return self._pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def tags_of(target: Target, model: str) -> Tags:
    """Return what a trainer takes as a tag, and the special tokens of the model that it trains.

    Args:
        target: The trainer.
        model: Hub id or folder of the model; a folder's tokenizer says what its tokens are.

    Raises:
        ConfigError: If the tokenizer in a folder cannot be read.
    """
    if not target.reads_tokens:
        return Tags(target.tags)
    file = Path(model) / "tokenizer.json"
    try:
        added = json.loads(file.read_text(encoding="utf-8"))["added_tokens"]
        known = [token["content"] for token in added if len(token["content"]) > 1]
    except FileNotFoundError:
        known = []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"the tokenizer of the model is not readable: {type(error).__name__}: {error}",
            where=str(file),
            hint="give a whole checkpoint, or its hub id",
        ) from error
    return Tags([*target.tags, *known], tokens=True)


def tagged_ids(
    manifest: Manifest, rows: np.ndarray, tags: Tags, target: Target, settings: ExportSettings
) -> list[str]:
    """Return the ids of rows whose texts hold what the trainer would take as a tag.

    Args:
        manifest: Where the rows are.
        rows: Manifest rows, repetitions allowed.
        tags: What the trainer takes as a tag.
        target: The trainer.
        settings: Whether such rows are refused.

    Raises:
        ManifestError: If there are such rows and they are refused.
    """
    found = dict(_found(manifest, np.unique(rows), tags))
    if found and settings.tags == "refuse":
        words = list(dict.fromkeys(word for one in found.values() for word in one))
        raise ManifestError(
            f"{len(found)} rows hold words that {target.title} would take as tags, "
            f"{first_few(words)}: {first_few(list(found))}",
            where=str(manifest.path),
            hint="--tags escape writes them with a space, as '< image>'; or leave these rows out",
        )
    return list(found)


def _found(manifest: Manifest, rows: np.ndarray, tags: Tags) -> Iterator[tuple[str, list[str]]]:
    for first in range(0, len(rows), _CHUNK):
        for row in manifest.rows(rows[first : first + _CHUNK]):
            words = tags.words(row)
            if words:
                yield row["id"], words


def _texts(row: Row) -> Iterator[tuple[Mapping[str, Any], str, str, str]]:
    """Yield the turns of a row, each with its text before and after the tag of the row's audio."""
    heard = audio_turn(row["messages"]) if row["audios"] else None
    for index, turn in enumerate(row["messages"]):
        if index == heard:
            yield turn, *turn["content"].partition(AUDIO_TAG)
        else:
            yield turn, turn["content"], "", ""
