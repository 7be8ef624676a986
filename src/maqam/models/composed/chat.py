"""How an LLM writes dialogues, read off its own chat template.

A chat template is a program. It is run on a few dialogues of marker words, and what it writes
between them is kept as plain pieces: before and after each turn, before an answer, at the start.
What cannot be said in such pieces is refused when the model is composed, not met in training.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError

from maqam.errors import ModelError
from maqam.models.composed.forms import AUDIO
from maqam.models.family import ChatTemplate

_SYSTEM, _USER, _ANSWER, _AGAIN = "zqsystemqz", "zquserqz", "zqanswerqz", "zqagainqz"
_ANOTHER = "use an LLM whose chat template writes turns one after the other, or one without any"


def template_of(tokenizer: Any, where: str, audio: str = AUDIO) -> ChatTemplate:  # noqa: ANN401
    """Return how an LLM writes a dialogue.

    Args:
        tokenizer: The LLM's, as transformers loads it.
        where: The LLM, as an error names it.
        audio: Token that stands for audio.

    Returns:
        The pieces of its chat template; a plain form, prompt and answer in a line each, for an LLM
        without a chat template.

    Raises:
        ModelError: If the chat template cannot be said in pieces, or nothing ends an answer.
    """
    if tokenizer.chat_template is None:
        return _plain(tokenizer, where, audio)
    try:
        before_user, between, after_answer, answer, start = _pieces(tokenizer)
        system = _system(tokenizer, before_user)
    except (TemplateError, ValueError, TypeError) as error:
        raise ModelError(
            f"the chat template of the LLM cannot be followed: {error}", where=where, hint=_ANOTHER
        ) from error
    turns = {"user": (before_user, ""), "assistant": (between, after_answer)}
    if system is not None:
        turns["system"] = system
    end = _end(tokenizer, after_answer, where)
    return _whole(tokenizer, turns, (start, answer), end, audio)


def _pieces(tokenizer: Any) -> tuple[str, str, str, str, str]:  # noqa: ANN401
    """Return what stands before a user, before an answer, after it, before a new one, and first."""
    turns = [("user", _USER), ("assistant", _ANSWER), ("user", _AGAIN)]
    first, between, later, answer = _cut(
        _rendered(tokenizer, turns, ask=True), (_USER, _ANSWER, _AGAIN)
    )
    closing = _cut(_rendered(tokenizer, turns[:2], ask=False), (_USER, _ANSWER))[-1]
    if not later.startswith(closing):
        raise ValueError("an answer ends otherwise where a turn follows it")
    before_user = later[len(closing) :]
    if not first.endswith(before_user):
        raise ValueError("a first turn begins otherwise than a later one")
    return before_user, between, closing, answer, first[: len(first) - len(before_user)]


def _system(tokenizer: Any, before_user: str) -> tuple[str, str] | None:  # noqa: ANN401
    """Return what stands before and after the system's turn; None where it has none of its own."""
    turns = [("system", _SYSTEM), ("user", _USER)]
    try:
        before, after, _ = _cut(_rendered(tokenizer, turns, ask=True), (_SYSTEM, _USER))
    except (TemplateError, ValueError):
        return None
    if not after.endswith(before_user):
        return None
    return before, after[: len(after) - len(before_user)]


def _rendered(tokenizer: Any, turns: Sequence[tuple[str, str]], *, ask: bool) -> str:  # noqa: ANN401
    messages = [{"role": role, "content": content} for role, content in turns]
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)
    return text


def _cut(text: str, marks: Iterable[str]) -> list[str]:
    """Return what stands around marks that each appear once, in their order."""
    pieces = []
    for mark in marks:
        if text.count(mark) != 1:
            raise ValueError("it leaves out or repeats what a turn says")
        before, _, text = text.partition(mark)
        pieces.append(before)
    return [*pieces, text]


def _end(tokenizer: Any, after_answer: str, where: str) -> str:  # noqa: ANN401
    """Return the token that ends an answer: the first of control after it, else the LLM's own."""
    found = [
        (after_answer.index(token), token)
        for token in tokenizer.get_added_vocab()
        if token in after_answer
    ]
    end = min(found)[1] if found else tokenizer.eos_token
    if end is None:
        raise ModelError(
            "no token of the LLM ends an answer",
            where=where,
            hint="set eos_token in its tokenizer_config.json",
        )
    return str(end)


def _plain(tokenizer: Any, where: str, audio: str) -> ChatTemplate:  # noqa: ANN401
    end = _end(tokenizer, "", where)
    turns = {"system": ("", "\n"), "user": ("", "\n"), "assistant": ("", f"{end}\n")}
    return _whole(tokenizer, turns, (tokenizer.bos_token or "", ""), end, audio)


def _whole(
    tokenizer: Any,  # noqa: ANN401
    turns: Mapping[str, tuple[str, str]],
    around: tuple[str, str],
    end: str,
    audio: str,
) -> ChatTemplate:
    """Return the template of turns, of what stands at the start and of what calls for an answer."""
    start, answer = around
    padding = tokenizer.pad_token or end
    written = "".join([*(piece for pair in turns.values() for piece in pair), answer, start])
    control = [token for token in tokenizer.get_added_vocab() if token in written]
    return ChatTemplate(
        turns=turns,
        answer=answer,
        end=end,
        audio=("", audio, ""),
        padding=padding,
        special_tokens=tuple(dict.fromkeys([*control, end, padding, audio])),
        start=start,
    )
