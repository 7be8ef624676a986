"""The prompt of a row, made when the row is read: what a run's tasks say, not what import wrote.

A row of a manifest is a whole chat row, so it holds a question. If that question is the prompt of
its task, a run asks it in the words that the task has now. A question in words of its own, as chat
rows of other trainers have, is asked as it stands. One tag says where the audio is heard; any other
is a word of the text.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from maqam.data.schema import AUDIO_TAG, PROMPT_LANGUAGE
from maqam.tasks import Task, Tasks, default_tasks

Row = Mapping[str, Any]


def audio_turn(messages: Sequence[Mapping[str, str]]) -> int | None:
    """Return the turn whose first tag stands for the audio; None where no turn has one.

    An assistant hears nothing, so what looks like a tag in its turns is text.

    Examples:
        >>> said = {"role": "assistant", "content": "I heard <audio>"}
        >>> audio_turn([said, {"role": "user", "content": "<audio>What does <audio> mean?"}])
        1
    """
    for index, turn in enumerate(messages):
        if turn["role"] != "assistant" and AUDIO_TAG in turn["content"]:
            return index
    return None


def question(task: Task, language: str, text: str | None) -> str:
    """Return what is asked of an utterance.

    Args:
        task: Its task.
        language: Language of the prompt; the task's first where it has none in it.
        text: The text that the question is about; None for audio.

    Examples:
        >>> question(default_tasks()["asr"], "en", None)
        '<audio>Transcribe the speech.'
    """
    prompt = task.prompt(language)
    return f"{AUDIO_TAG}{prompt}" if text is None else f"{prompt}\n{text}"


def prompt_language(row: Row, tasks: Tasks) -> str | None:
    """Return the language of the prompt that a row's question is; None for words of its own.

    Import notes it in a column. Where a manifest has no such column, the question is held against
    the prompts of the task, those of the paper's five among them.

    Examples:
        >>> asked = {"role": "user", "content": "<audio>What is said?"}
        >>> prompt_language({"task": "asr", "messages": [asked, {}]}, default_tasks()) is None
        True
    """
    if PROMPT_LANGUAGE in row:
        noted: str | None = row[PROMPT_LANGUAGE]
        return noted
    if row["task"] not in tasks or len(row["messages"]) != 2:
        return None
    asked = row["messages"][0]["content"]
    start = asked.removeprefix(AUDIO_TAG) if row.get("audios") else asked.partition("\n")[0]
    for known in (tasks, default_tasks()):
        prompts = known[row["task"]].prompts if row["task"] in known else {}
        for language, prompt in prompts.items():
            if prompt == start:
                return language
    return None


def messages_of(row: Row, tasks: Tasks, language: str | None = None) -> Sequence[Mapping[str, str]]:
    """Return the dialogue of a row as its task asks it now.

    Args:
        row: Plain values of a manifest row.
        tasks: The tasks of the run.
        language: Language of all prompts; that which the row was made with when absent.

    Examples:
        >>> turns = [
        ...     {"role": "user", "content": "<audio>Transcribe the speech."},
        ...     {"role": "assistant", "content": "yes"},
        ... ]
        >>> row = {"task": "asr", "messages": turns, "audios": ["a.wav"]}
        >>> messages_of(row, default_tasks(), "ar")[0]["content"]
        '<audio>فرّغ الكلام.'
    """
    messages: Sequence[Mapping[str, str]] = row["messages"]
    made_in = prompt_language(row, tasks)
    if made_in is None or row["task"] not in tasks:
        return messages
    text = None if row.get("audios") else messages[0]["content"].partition("\n")[2]
    asked = question(tasks[row["task"]], language or made_in, text)
    return [{"role": "user", "content": asked}, messages[-1]]
