"""Answers of a backbone to manifest rows: greedy text, and the likelihood of each label."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from maqam.data.manifest import Manifest
from maqam.models.adapters import Rows, check_rows, routed
from maqam.models.dialogue import Encoded
from maqam.models.protocol import AudioLLM, AudioStates
from maqam.progress import Progress
from maqam.score.settings import ScoreSettings
from maqam.tasks import Task


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said to one row.

    Attributes:
        text: Greedy answer.
        num_tokens: Tokens of it, the end-of-turn token included.
        stopped: Whether the model ended it, rather than the limit.
        label_scores: Log-likelihood of each label of the task, the end-of-turn token included;
            empty for free text.
        label_tokens: Tokens of each label, the end-of-turn token included.
    """

    text: str
    num_tokens: int
    stopped: bool
    label_scores: tuple[float, ...]
    label_tokens: tuple[int, ...] = ()


def answer_rows(
    backbone: AudioLLM,
    manifest: Manifest,
    rows: np.ndarray,
    *,
    settings: ScoreSettings,
    audio_states: AudioStates,
    progress: Progress | None = None,
) -> list[Answer]:
    """Answer manifest rows, in the order they are given.

    Rows are decoded side by side with others of their task and about their length, which does
    not change an answer but for rounding. Their audio is encoded group by group where it is not
    stored, so that memory does not grow with the number of rows.

    Args:
        backbone: The model.
        manifest: Where the rows are.
        rows: (num_rows,) row indexes.
        settings: Limits of decoding.
        audio_states: Aligner outputs of rows.
        progress: Called with the rows done and their total.
    """
    answers: dict[int, Answer] = {}
    tasks = manifest.column("task")[rows]
    check_rows(backbone, tasks.tolist())
    for task in dict.fromkeys(tasks.tolist()):
        members = np.flatnonzero(tasks == task)
        plain = manifest.rows(rows[members])
        lengths = [len(_prompt(backbone, row).input_ids) for row in plain]
        for group in _side_by_side(lengths, settings.batch_tokens):
            states = audio_states([int(rows[members[i]]) for i in group])
            prompts = [
                _prompt(backbone, plain[i], len(one)) for i, one in zip(group, states, strict=True)
            ]
            found = _answer(backbone, manifest.tasks[task], prompts, states, settings)
            answers.update(zip((int(members[i]) for i in group), found, strict=True))
            if progress is not None:
                progress(len(answers), len(rows))
    return [answers[index] for index in range(len(rows))]


def _prompt(
    backbone: AudioLLM, row: Mapping[str, Any], num_audio_tokens: int | None = None
) -> Encoded:
    """Encode what is asked of a row; audio at the width its seconds give where none is named."""
    dialogue = backbone.dialogue
    if num_audio_tokens is None:
        num_audio_tokens = dialogue.num_audio_tokens_of(row["seconds"])
    return dialogue.encode(row["messages"], num_audio_tokens, with_target=False, name=row["id"])


def _answer(
    backbone: AudioLLM,
    task: Task,
    prompts: Sequence[Encoded],
    audio_states: Sequence[Tensor],
    settings: ScoreSettings,
) -> list[Answer]:
    labels = task.labels
    limit = settings.max_label_tokens if labels else settings.max_new_tokens
    fixed = [backbone.dialogue.target_ids(label) for label in labels]
    with routed(Rows([task.name] * len(prompts))):
        generated, scores = backbone.answer(prompts, audio_states, limit, fixed)
    return [
        Answer(
            text=backbone.dialogue.decode(ids),
            num_tokens=len(ids),
            stopped=bool(ids) and ids[-1] == backbone.dialogue.end_id,
            label_scores=tuple(row_scores),
            label_tokens=tuple(len(one) for one in fixed),
        )
        for ids, row_scores in zip(generated, scores.tolist(), strict=True)
    ]


def _side_by_side(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Group rows of like length, the longest first, to at most `batch_tokens` with padding."""
    group: list[int] = []
    for index in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        if group and lengths[group[0]] * (len(group) + 1) > batch_tokens:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
