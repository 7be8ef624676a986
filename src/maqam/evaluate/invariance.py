"""Whether an answer depends on what is decoded beside it, as padding bugs make it.

Sums in another order round differently, so label scores may move in their last digits, and an
answer may turn where two tokens are about equally likely; more than that is a fault of the model
code or the number format.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from maqam.data.manifest import Manifest
from maqam.evaluate.decode import Answer, answer_rows
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.progress import Progress
from maqam.score.settings import ScoreSettings


@dataclass(frozen=True, slots=True)
class AnswerDifference:
    """An utterance answered otherwise alone than side by side.

    Attributes:
        id: The utterance.
        task: Its task.
        alone: The answer at batch size 1.
        together: The answer at the batch size of the recipe.
    """

    id: str
    task: str
    alone: str
    together: str


@dataclass(frozen=True, slots=True)
class BatchCheck:
    """What decoding alone and side by side gave.

    Attributes:
        num_utterances: Utterances decoded both ways.
        differences: Those whose answers differ.
        num_choices: Utterances whose likeliest label differs.
        largest_gap: Largest difference of a label's score; None where no task has labels.
    """

    num_utterances: int
    differences: tuple[AnswerDifference, ...]
    num_choices: int
    largest_gap: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return {**asdict(self), "differences": [asdict(one) for one in self.differences]}


def check_batches(
    backbone: AudioLLM,
    manifest: Manifest,
    rows: np.ndarray,
    *,
    settings: ScoreSettings,
    audio_states: AudioStates,
    progress: Progress | None = None,
) -> BatchCheck:
    """Decode rows one by one and side by side.

    Args:
        backbone: The model, its adapter in place.
        manifest: Where the rows are.
        rows: (num_rows,) row indexes.
        settings: Limits of decoding; `batch_tokens` is the batch size held against one by one.
        audio_states: Aligner outputs of rows.
        progress: Called with the rows done and their total, for each of the two passes.
    """
    one_by_one = replace(settings, batch_tokens=1)
    together, alone = (
        answer_rows(
            backbone, manifest, rows, settings=one, audio_states=audio_states, progress=progress
        )
        for one in (settings, one_by_one)
    )
    pairs = list(zip(manifest.rows(rows), alone, together, strict=True))
    gaps = [_gap(first, second) for _, first, second in pairs if first.label_scores]
    choices = [
        np.argmax(first.label_scores) != np.argmax(second.label_scores)
        for _, first, second in pairs
        if first.label_scores
    ]
    return BatchCheck(
        num_utterances=len(pairs),
        differences=tuple(
            AnswerDifference(row["id"], row["task"], first.text, second.text)
            for row, first, second in pairs
            if first.text != second.text
        ),
        num_choices=int(sum(choices)),
        largest_gap=max(gaps) if gaps else None,
    )


def _gap(first: Answer, second: Answer) -> float:
    return float(np.abs(np.subtract(first.label_scores, second.label_scores)).max())
