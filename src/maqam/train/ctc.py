"""Transcripts spelled for the auxiliary CTC loss on the aligner outputs.

Trained on next-token loss alone, a small LLM learns the text first and ignores the audio for
hundreds of steps; a CTC loss on what the aligner gives makes it listen. Its letters are the LLM's
own tokens: what the aligner learns to tell apart is what the LLM has to write.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from maqam.errors import RunError, ScheduleError, first_few
from maqam.train.rows import PreparedRows


@dataclass(frozen=True, slots=True)
class CtcTargets:
    """Spelled transcripts of a micro-batch of B utterances.

    Attributes:
        letters: [sum of lengths] ids from 1, all transcripts one after the other; 0 is the blank.
        lengths: [B] letters of each utterance; 0 where there is no transcript.
        weights: [B] factor of each utterance's CTC loss in its global batch.
    """

    letters: Tensor
    lengths: Tensor
    weights: Tensor


class Transcripts:
    """The transcript of each utterance in the letters of CTC: the tokens transcripts hold.

    Args:
        token_ids: Tokens of each utterance's transcript; empty where it has none.

    Attributes:
        alphabet: (num_letters,) token of each letter from 1 on, ascending; 0 is the blank.
        lengths: (num_utterances,) letters of each transcript.
    """

    def __init__(self, token_ids: list[np.ndarray]) -> None:
        self.alphabet = np.unique(np.concatenate(token_ids))
        self.lengths = np.array([len(one) for one in token_ids], dtype=np.int64)
        self._spelled = [np.searchsorted(self.alphabet, one) + 1 for one in token_ids]

    def targets(self, positions: np.ndarray, num_in_batch: int) -> CtcTargets:
        """Return the CTC targets of some utterances of a global batch.

        Args:
            positions: (B,) indexes of the utterances.
            num_in_batch: Letters of all transcripts of the global batch.

        Examples:
            >>> spelled = [np.array([7, 9]), np.array([], int), np.array([9])]
            >>> Transcripts(spelled).targets(np.array([2, 0]), 3).letters.tolist()
            [2, 1, 2]
        """
        lengths = torch.from_numpy(self.lengths[positions])
        return CtcTargets(
            letters=torch.from_numpy(np.concatenate([self._spelled[one] for one in positions])),
            lengths=lengths,
            weights=(lengths > 0) / max(num_in_batch, 1),
        )

    def num_unspellable(self, num_audio_tokens: np.ndarray) -> int:
        """Count the transcripts that need more audio tokens than there are.

        CTC spends one audio token a letter and one more between two equal ones.

        Examples:
            >>> spelled = [np.array([7, 9, 9]), np.array([7, 9])]
            >>> Transcripts(spelled).num_unspellable(np.array([3, 3]))
            1
        """
        repeats = np.array([int((one[1:] == one[:-1]).sum()) for one in self._spelled])
        return int((self.lengths + repeats > num_audio_tokens).sum())


def spell(prepared: PreparedRows, transcribed: Sequence[str]) -> Transcripts | None:
    """Spell the rows that are spoken and transcribed, None without any.

    Args:
        prepared: The rows.
        transcribed: Tasks whose answer is what is said.
    """
    names = np.array(prepared.task_names)[prepared.tasks]
    is_spelled = np.isin(names, list(transcribed)) & (prepared.num_audio_tokens > 0)
    if not is_spelled.any():
        return None
    ends = prepared.offsets[1:]
    starts = np.where(is_spelled, ends - prepared.num_target_tokens, ends - 1)
    # the last token of a dialogue ends the turn: it is not spoken
    return Transcripts(
        [prepared.ids[start : end - 1] for start, end in zip(starts, ends, strict=True)]
    )


def check_transcribed(prepared: PreparedRows, transcripts: Transcripts | None, where: str) -> None:
    """Refuse rows that CTC has nothing to say of, where it is all there is to learn from.

    Args:
        prepared: The rows.
        transcripts: What CTC spells of them, by the same position.
        where: The manifest, as an error names it.

    Raises:
        RunError: If there is no CTC loss.
        ScheduleError: If rows have no audio or no transcript.
    """
    if transcripts is None:
        raise RunError(
            'llm "off" leaves the CTC loss only, and there is none',
            where="train.llm",
            hint="set objective.ctc_weight above 0 and plan spoken rows of transcription",
        )
    silent = prepared.rows[transcripts.lengths == 0]
    if len(silent):
        raise ScheduleError(
            f"{len(silent)} rows are no transcribed speech: {first_few(silent.tolist())}",
            where=where,
            hint="plan rows of transcription only, or set train.llm to lora or full",
        )
