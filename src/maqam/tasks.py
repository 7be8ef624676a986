"""The tasks of a multi-task audio LLM: their prompts, labels and order of abstraction.

One prompt object serves training and evaluation, so a model is never asked in words it was not
trained on. A run stores the tasks it used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of an utterance and what may be answered.

    Attributes:
        name: Short name used in manifests and reports, such as "asr".
        title: Name for people, in English.
        prompts: Instruction by language code ("ar", "en").
        labels: Allowed answers of a classification task; empty for free text.
        level: Semantic abstraction, 1 lowest: the order a task-progressive curriculum follows.
        has_audio: Whether the input holds audio (text summarization has none).
        metrics: Names of the scores reported for it, the main one first.
    """

    name: str
    title: str
    prompts: Mapping[str, str]
    labels: tuple[str, ...]
    level: int
    has_audio: bool
    metrics: tuple[str, ...]


DIALECTS = ("msa", "egyptian", "levantine", "gulf", "maghrebi")
EMOTIONS = ("neutral", "angry", "happy", "sad")

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for task in (
            Task(
                name="asr",
                title="speech recognition",
                prompts={"ar": "فرّغ الكلام.", "en": "Transcribe the speech."},
                labels=(),
                level=1,
                has_audio=True,
                metrics=("wer", "cer"),
            ),
            Task(
                name="did",
                title="dialect identification",
                prompts={"ar": "ما اللهجة؟", "en": "Which dialect is spoken?"},
                labels=DIALECTS,
                level=2,
                has_audio=True,
                metrics=("macro_f1", "accuracy"),
            ),
            Task(
                name="ser",
                title="speech emotion recognition",
                prompts={"ar": "ما الشعور؟", "en": "Which emotion is heard?"},
                labels=EMOTIONS,
                level=2,
                has_audio=True,
                metrics=("macro_f1", "accuracy"),
            ),
            Task(
                name="ssum",
                title="speech summarization",
                prompts={"ar": "لخّص الكلام.", "en": "Summarize the speech."},
                labels=(),
                level=3,
                has_audio=True,
                metrics=("rouge_l", "rouge_1", "rouge_2", "chrf"),
            ),
            Task(
                name="tsum",
                title="text summarization",
                prompts={"ar": "لخّص النص:", "en": "Summarize the text:"},
                labels=(),
                level=3,
                has_audio=False,
                metrics=("rouge_l", "rouge_1", "rouge_2", "chrf"),
            ),
        )
    }
)
