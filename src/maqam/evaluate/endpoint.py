"""Questions to a chat endpoint that speaks OpenAI's protocol: cached, paced, tried again.

A reply is kept on disk under a hash of all that decides it (address, model, messages, settings),
so an interrupted or repeated run asks only what is missing. The key is read from the environment
and is written nowhere.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from maqam.errors import ConfigError, MaqamError, RunError
from maqam.files import write_json
from maqam.progress import Progress
from maqam.seeding import generator

Message = dict[str, str]
_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how questions are asked.

    Attributes:
        url: Base address, such as "https://api.openai.com/v1" or "http://localhost:8000/v1".
        model: Name of the model there.
        key_variable: Environment variable that holds the key; not needed by local servers.
        per_minute: Most requests begun in a minute.
        parallel: Most requests under way at once.
        timeout: Seconds to wait for a reply.
        attempts: Times a question is asked before it counts as unanswered.
        backoff: Seconds before the second attempt; doubled each time, and spread by chance.
        max_tokens: Where a reply is cut.
    """

    url: str
    model: str
    key_variable: str = "MAQAM_JUDGE_KEY"
    per_minute: float = 120.0
    parallel: int = 4
    timeout: float = 60.0
    attempts: int = 5
    backoff: float = 1.0
    max_tokens: int = 512

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(
                f"an address begins with http:// or https://, got {self.url!r}", where="endpoint"
            )
        for name in ("per_minute", "parallel", "timeout", "attempts", "max_tokens"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"must be above 0, got {getattr(self, name)}", where=name)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one question.

    Attributes:
        text: What the model wrote; None where it gave no answer.
        problem: Why there is none; empty where there is.
        is_cached: Whether it was asked in an earlier run.
    """

    text: str | None
    problem: str = ""
    is_cached: bool = False


def ask(
    endpoint: Endpoint,
    questions: Sequence[Sequence[Message]],
    cache: Path,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Reply]:
    """Ask all questions, in an order drawn from the seed.

    Args:
        endpoint: Where and how.
        questions: Messages of each.
        cache: Folder of the replies.
        seed: Decides the order of asking and the spread of waits.
        progress: Called with the questions done and their total.

    Returns:
        A reply for each question, in the order they were given.

    Raises:
        RunError: If the endpoint cannot be reached at all, or refuses the key, the address or the
            request.
    """
    return asyncio.run(_ask_all(endpoint, questions, cache, seed, progress or (lambda *_: None)))


async def _ask_all(
    endpoint: Endpoint,
    questions: Sequence[Sequence[Message]],
    cache: Path,
    seed: int,
    progress: Progress,
) -> list[Reply]:
    cache.mkdir(parents=True, exist_ok=True)
    rng = generator(seed, "judge order")
    order = rng.permutation(len(questions)).tolist()
    replies: dict[int, Reply] = {}
    pace = _Pace(endpoint)
    key = os.environ.get(endpoint.key_variable, "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(headers=headers, timeout=endpoint.timeout) as client:

        async def one(index: int) -> None:
            spread = float(generator(seed, "judge wait", index).random())
            replies[index] = await _ask_one(
                client, endpoint, questions[index], cache, pace, 1 + spread
            )
            progress(len(replies), len(questions))

        try:
            async with asyncio.TaskGroup() as group:
                for index in order:
                    group.create_task(one(index))
        except* MaqamError as refused:
            raise refused.exceptions[0] from None
    return [replies[index] for index in range(len(questions))]


class _Pace:
    """Lets requests begin no faster than the endpoint's rate, and only so many at once."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.under_way = asyncio.Semaphore(endpoint.parallel)
        self._gap = 60 / endpoint.per_minute
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next request may begin."""
        now = asyncio.get_running_loop().time()
        begin = max(now, self._next)
        self._next = begin + self._gap
        await asyncio.sleep(begin - now)


async def _ask_one(
    client: httpx.AsyncClient,
    endpoint: Endpoint,
    messages: Sequence[Message],
    cache: Path,
    pace: _Pace,
    spread: float,
) -> Reply:
    body = {
        "model": endpoint.model,
        "messages": list(messages),
        "temperature": 0,
        "max_tokens": endpoint.max_tokens,
    }
    file = cache / f"{_digest(endpoint.url, body)}.json"
    if (held := _held(file)) is not None:
        return Reply(held, is_cached=True)
    problem = ""
    async with pace.under_way:
        for attempt in range(endpoint.attempts):
            if attempt:
                await asyncio.sleep(_wait(endpoint, attempt, spread, problem))
            await pace.turn()
            text, problem = await _post(client, endpoint, body)
            if text is not None:
                write_json(file, {"request": body, "reply": text})
                return Reply(text)
    return Reply(None, problem.partition("\n")[0])


def _wait(endpoint: Endpoint, attempt: int, spread: float, problem: str) -> float:
    """Return the seconds before another attempt; the server's own wish comes first."""
    wished = problem.partition("\n")[2]
    if wished:
        return min(float(wished), _LONGEST_WAIT)
    return min(endpoint.backoff * 2 ** (attempt - 1) * spread, _LONGEST_WAIT)


async def _post(
    client: httpx.AsyncClient, endpoint: Endpoint, body: dict[str, Any]
) -> tuple[str | None, str]:
    """Ask once: the text, or why there is none (and after a line break, the wait asked for)."""
    address = f"{endpoint.url.rstrip('/')}/chat/completions"
    try:
        response = await client.post(address, json=body)
    except httpx.TimeoutException:
        return None, f"no reply within {endpoint.timeout:g} s"
    except httpx.ConnectError as error:
        raise RunError(
            f"cannot be reached: {error}", where=address, hint="check the address and the network"
        ) from error
    except httpx.HTTPError as error:
        return None, f"{type(error).__name__}: {error}"
    if response.status_code in _AGAIN:
        wished = response.headers.get("retry-after", "")
        is_number = wished.isascii() and wished.replace(".", "", 1).isdecimal()
        wait = wished if is_number else ""
        return None, f"status {response.status_code}\n{wait}"
    if response.status_code != 200:
        key = os.environ.get(endpoint.key_variable, "")
        told = response.text.replace(key, "(key)") if key else response.text
        raise RunError(
            f"status {response.status_code}: {told[:200]}",
            where=address,
            hint=f"check the address, the model {endpoint.model!r} and ${endpoint.key_variable}",
        )
    try:
        text = response.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return None, f"a reply that is no chat completion: {response.text[:80]!r}"
    return (text, "") if isinstance(text, str) else (None, "a reply without text")


def _digest(url: str, body: dict[str, Any]) -> str:
    plain = json.dumps([url, body], sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(plain.encode(), digest_size=16).hexdigest()


def _held(file: Path) -> str | None:
    try:
        held = json.loads(file.read_text(encoding="utf-8"))["reply"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return held if isinstance(held, str) else None


def described(endpoint: Endpoint) -> dict[str, Any]:
    """Return what a record says of an endpoint: all but the key."""
    return asdict(endpoint)
