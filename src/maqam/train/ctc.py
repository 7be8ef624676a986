"""Transcripts spelled for the auxiliary CTC loss on the aligner outputs.

Trained on next-token loss alone, a small LLM learns the text first and ignores the audio for
hundreds of steps; a CTC loss on what the aligner gives makes it listen from the start. Its
letters are the characters of the transcripts themselves, so it needs no lexicon.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from maqam.train.rows import PreparedRows

BLANK = 0
TRANSCRIBED = "asr"


@dataclass(frozen=True, slots=True)
class CtcTargets:
    """Characters of the transcripts of a micro-batch of B utterances.

    Attributes:
        characters: [sum of lengths] ids from 1, all transcripts one after the other.
        lengths: [B] characters of each utterance; 0 where there is no transcript.
        weights: [B] factor of each utterance's CTC loss in its global batch.
    """

    characters: Tensor
    lengths: Tensor
    weights: Tensor


class Transcripts:
    """Character ids of each utterance.

    Args:
        texts: Transcript of each utterance; empty where it has none.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.alphabet = tuple(sorted(set().union(*texts)))
        ids = {character: index for index, character in enumerate(self.alphabet, start=1)}
        self._spelled = [np.array([ids[one] for one in text], dtype=np.int16) for text in texts]
        self.lengths = np.array([len(text) for text in texts], dtype=np.int64)

    def targets(self, positions: np.ndarray, num_in_batch: int) -> CtcTargets:
        """Give the CTC targets of some utterances of a global batch.

        Args:
            positions: (B,) indexes of the utterances.
            num_in_batch: Characters of all transcripts of the global batch.

        Examples:
            >>> Transcripts(["ab", "", "b"]).targets(np.array([2, 0]), 3).characters.tolist()
            [2, 1, 2]
        """
        spelled = [self._spelled[position] for position in positions]
        lengths = torch.from_numpy(self.lengths[positions])
        return CtcTargets(
            characters=torch.from_numpy(np.concatenate(spelled).astype(np.int64)),
            lengths=lengths,
            weights=(lengths > 0) / max(num_in_batch, 1),
        )

    def num_unspellable(self, num_audio_tokens: np.ndarray) -> int:
        """Count the transcripts that need more audio tokens than there are.

        CTC spends one token a character and one more between two equal ones.

        Examples:
            >>> Transcripts(["abb", "ab"]).num_unspellable(np.array([3, 3]))
            1
        """
        repeats = np.array([int((one[1:] == one[:-1]).sum()) for one in self._spelled])
        return int((self.lengths + repeats > num_audio_tokens).sum())


def spell(prepared: PreparedRows) -> Transcripts | None:
    """Give the transcripts of the rows that are spoken and transcribed, None without any."""
    names = np.array(prepared.task_names)[prepared.tasks]
    is_spelled = (names == TRANSCRIBED) & (prepared.num_audio_tokens > 0)
    if not is_spelled.any():
        return None
    return Transcripts(
        [text if kept else "" for text, kept in zip(prepared.texts, is_spelled, strict=True)]
    )
