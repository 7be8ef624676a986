"""How generation fails: blank, looping, too short or too long answers."""

from collections.abc import Sequence

import numpy as np


def is_blank(hypotheses: Sequence[str]) -> np.ndarray:
    """Tell which answers hold nothing.

    Examples:
        >>> is_blank(["نعم", " "]).tolist()
        [False, True]
    """
    return np.array([not text.strip() for text in hypotheses], dtype=bool)


def is_loop(hypotheses: Sequence[str], *, most_repeats: int = 3, longest: int = 4) -> np.ndarray:
    """Tell which answers repeat a group of words over and over.

    Args:
        hypotheses: Answers.
        most_repeats: Times a group of words may follow itself.
        longest: Words of the longest group looked for.

    Examples:
        >>> is_loop(["نعم نعم نعم نعم", "لا لا لا أعرف"]).tolist()
        [True, False]
    """
    return np.array([_loops(text.split(), most_repeats, longest) for text in hypotheses], bool)


def length_ratio(references: Sequence[str], hypotheses: Sequence[str]) -> float | None:
    """Give the words of all answers over the words of all references.

    Examples:
        >>> length_ratio(["كلمة كلمة"], ["كلمة"])
        0.5
    """
    wanted = sum(len(text.split()) for text in references)
    return sum(len(text.split()) for text in hypotheses) / wanted if wanted else None


def _loops(words: list[str], most_repeats: int, longest: int) -> bool:
    for size in range(1, longest + 1):
        run = 0
        for index in range(size, len(words)):
            run = run + 1 if words[index] == words[index - size] else 0
            if run >= size * most_repeats:
                return True
    return False
