"""What one row of another trainer becomes: messages of our roles, paths of audio, and its names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maqam.corpora.utterance import UnfitRowError, shown
from maqam.data.schema import AUDIO_TAG

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A row with the manifest's words.

    Attributes:
        messages: Turns, each a role and a content.
        audios: Paths as the row gives them.
        num_added_tags: Audio tags that the row left out and its trainer puts in front.
        columns: Columns of the row that it is made of.
    """

    messages: list[dict[str, str]]
    audios: list[str]
    num_added_tags: int = 0
    columns: frozenset[str] = frozenset()


def turns(
    found: object, *, role: Sequence[str], content: Sequence[str], roles: Mapping[str, str]
) -> list[dict[str, str]]:
    """Return messages with our roles.

    Args:
        found: The row's messages.
        role: Keys a message's role may have.
        content: Keys its text may have.
        roles: Our role of each of theirs.

    Raises:
        UnfitRowError: If it is no list of messages, or a role or a content is not as it must be.

    Examples:
        >>> turns([{"from": "human", "value": "Q"}], role=["from"], content=["value"],
        ...       roles={"human": "user"})
        [{'role': 'user', 'content': 'Q'}]
    """
    if not isinstance(found, list) or not found:
        raise UnfitRowError("no messages", f"the messages are {shown(found)}")
    messages = []
    for message in found:
        if not isinstance(message, dict):
            raise UnfitRowError("no messages", f"a message is {shown(message)}")
        name = next((message[key] for key in role if message.get(key) is not None), None)
        text = next((message[key] for key in content if message.get(key) is not None), None)
        if not isinstance(name, str) or name not in roles:
            raise UnfitRowError("unknown role", f"a message's role is {shown(name)}")
        if not isinstance(text, str):
            raise UnfitRowError("no text", f"the {name}'s content is {shown(text)}")
        messages.append({"role": roles[name], "content": text})
    return messages


def exchanges(
    pairs: object, query: object, response: object, system: object
) -> list[dict[str, str]]:
    """Return the messages of a row that holds questions and answers in columns.

    Args:
        pairs: Earlier questions and answers; None for none.
        query: The question.
        response: The answer.
        system: The system message; None or empty for none.

    Raises:
        UnfitRowError: If one of them is no text.

    Examples:
        >>> [turn["role"] for turn in exchanges([["a", "b"]], "Q", "A", None)]
        ['user', 'assistant', 'user', 'assistant']
    """
    earlier = pairs or []
    if not isinstance(earlier, list):
        raise UnfitRowError("no messages", f"the history is {shown(earlier)}")
    messages = [("system", system)] if system else []
    for pair in [*earlier, [query, response]]:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise UnfitRowError("no messages", f"the history holds {shown(pair)}")
        messages += [("user", pair[0]), ("assistant", pair[1])]
    for role, text in messages:
        if not isinstance(text, str):
            raise UnfitRowError("no text", f"the {role}'s content is {shown(text)}")
    return [{"role": role, "content": str(text)} for role, text in messages]


def paths(found: object) -> list[str]:
    """Return the paths of a row's audio column, which holds one, several or none.

    Raises:
        UnfitRowError: If one is no path.

    Examples:
        >>> paths("a.wav"), paths(["a.wav"]), paths(None)
        (['a.wav'], ['a.wav'], [])
    """
    if found is None:
        return []
    values = found if isinstance(found, list) else [found]
    for value in values:
        if not isinstance(value, str) or not value:
            raise UnfitRowError("no audio path", f"an audio is {shown(value)}")
    return [str(value) for value in values]


def with_tags(messages: list[dict[str, str]], audios: list[str]) -> Dialogue:
    """Put the audio tags that are missing in front of the first user message, as ms-swift does.

    Examples:
        >>> found = with_tags([{"role": "user", "content": "Q"}], ["a.wav"])
        >>> found.messages[0]["content"], found.num_added_tags
        ('<audio>Q', 1)
    """
    asked = [turn["content"] for turn in messages if turn["role"] != "assistant"]
    missing = len(audios) - sum(text.count(AUDIO_TAG) for text in asked)
    first = next((turn for turn in messages if turn["role"] == "user"), None)
    if missing <= 0 or first is None:
        return Dialogue(messages, audios)
    tagged = {**first, "content": AUDIO_TAG * missing + first["content"]}
    changed = [tagged if turn is first else turn for turn in messages]
    return Dialogue(changed, audios, num_added_tags=missing)
