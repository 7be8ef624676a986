"""One seed a run, many independent generators.

Every random choice names its use, so adding one never shifts another, and no global random
state is read or written. Hashes are BLAKE2b or integer mixing: the same on any machine and in
any Python process, unlike `hash()`.
"""

import hashlib

import numpy as np


def derive(seed: int, *uses: object) -> int:
    """Return the 63-bit seed of one named use of a run's seed.

    Args:
        seed: The run's seed.
        uses: What the numbers are for, from general to particular; compared by their `str`.

    Examples:
        >>> derive(0, "kmeans") == derive(0, "kmeans"), derive(0, "kmeans") == derive(1, "kmeans")
        (True, False)
    """
    text = "\x1f".join([str(seed), *map(str, uses)])
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *uses: object) -> np.random.Generator:
    """Yield the random generator of one named use of a run's seed.

    Examples:
        >>> bool(generator(0, "draw", 3).random() == generator(0, "draw", 3).random())
        True
    """
    return np.random.Generator(np.random.Philox(key=derive(seed, *uses)))


def text_id(text: str) -> int:
    """Return the stable 64-bit id of a string, such as an utterance's id.

    Examples:
        >>> text_id("utterance-1") == text_id("utterance-1")
        True
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
