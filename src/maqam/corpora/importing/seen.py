"""Ids and rows that an import has read so far, 16 bytes each."""

import hashlib
from collections.abc import Sequence

import numpy as np


def digest(text: str) -> bytes:
    """Return 16 bytes that stand for a text.

    Examples:
        >>> len(digest("نعم"))
        16
    """
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


class Seen:
    """Texts met so far.

    Examples:
        >>> seen = Seen()
        >>> seen.add([digest(text) for text in "aba"]), seen.add([digest("b"), digest("c")])
        ([False, False, True], [True, False])
        >>> seen.holds(digest("c"))
        True
    """

    def __init__(self) -> None:
        self._sorted: list[np.ndarray] = []

    def add(self, digests: Sequence[bytes]) -> list[bool]:
        """Note texts by their digests; tell for each whether it was met before."""
        keys = np.array(digests, dtype="S16")
        is_old = self._is_old(keys)
        _, earliest = np.unique(keys, return_index=True)
        is_first = np.zeros(len(keys), dtype=bool)
        is_first[earliest] = True
        found: list[bool] = (is_old | ~is_first).tolist()
        self._merge(keys[is_first & ~is_old])
        return found

    def holds(self, key: bytes) -> bool:
        """Tell whether a text was met."""
        return bool(self._is_old(np.array([key], dtype="S16"))[0])

    def _is_old(self, keys: np.ndarray) -> np.ndarray:
        is_old = np.zeros(len(keys), dtype=bool)
        for known in self._sorted:
            at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            is_old |= known[at] == keys
        return is_old

    def _merge(self, keys: np.ndarray) -> None:
        """Keep few sorted arrays: one is merged into the one before once it is as long."""
        if len(keys):
            self._sorted.append(np.sort(keys))
        while len(self._sorted) > 1 and len(self._sorted[-1]) * 2 >= len(self._sorted[-2]):
            last = self._sorted.pop()
            merged = np.concatenate([self._sorted.pop(), last])
            merged.sort(kind="stable")
            self._sorted.append(merged)


class SeenIds:
    """Ids met so far: those of several rows are numbered.

    A number depends on the rows before it and on those of its batch, so it is the same whatever
    looks at the audio and wherever an import was broken off.

    Examples:
        >>> seen = SeenIds()
        >>> seen.unique(["a", "a", "a-2"]), seen.unique(["a"])
        (['a', 'a-3', 'a-2'], ['a-4'])
    """

    def __init__(self) -> None:
        self._seen = Seen()

    def add(self, ids: Sequence[str]) -> list[bool]:
        """Note ids; tell for each whether it was met before."""
        return self._seen.add([digest(name) for name in ids])

    def unique(self, ids: Sequence[str]) -> list[str]:
        """Note ids; return each, with a number where it was met before."""
        names = list(ids)
        last: dict[str, int] = {}  # number of an id of this batch
        made: set[str] = set()
        for index, is_old in enumerate(self.add(ids)):
            if is_old:
                name = names[index]
                number = last.get(name) or self._last_number(name, made)
                while self._is_taken(f"{name}-{number + 1}", made):
                    number += 1
                last[name] = number + 1
                names[index] = f"{name}-{number + 1}"
                made.add(names[index])
        if made:
            self.add(sorted(made))
        return names

    def _is_taken(self, name: str, made: set[str]) -> bool:
        return name in made or self._seen.holds(digest(name))

    def _last_number(self, name: str, made: set[str]) -> int:
        """Find a number that an id has, with one after it that is free, in few steps."""
        taken, free = 1, 2
        while self._is_taken(f"{name}-{free}", made):
            taken, free = free, 2 * free
        while free - taken > 1:
            middle = (taken + free) // 2
            if self._is_taken(f"{name}-{middle}", made):
                taken = middle
            else:
                free = middle
        return taken
