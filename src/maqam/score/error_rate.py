"""Word and character errors, counted by utterance and summed over a corpus."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from maqam import extras
from maqam.text.profiles import DEFAULT_PROFILE, normalize


@dataclass(frozen=True, slots=True)
class Edits:
    """Errors of each utterance.

    Attributes:
        substitutions: (num_utterances,) units replaced.
        deletions: (num_utterances,) reference units left out.
        insertions: (num_utterances,) units the reference does not have.
        num_units: (num_utterances,) reference words, or characters with spaces.
    """

    substitutions: np.ndarray
    deletions: np.ndarray
    insertions: np.ndarray
    num_units: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """(num_utterances,) substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors over reference units of the whole corpus; None where it has no units.

        Then the number of insertions is all there is to say: see `insertions`.
        """
        total = int(self.num_units.sum())
        return float(self.errors.sum() / total) if total else None


def edits_by_utterance(
    references: Sequence[str],
    hypotheses: Sequence[str],
    *,
    profile: str = DEFAULT_PROFILE,
    unit: Literal["word", "character"] = "word",
) -> Edits:
    """Count the errors of each hypothesis against its reference.

    Args:
        references: What was said.
        hypotheses: What was decoded, in the same order: join by utterance id before.
        profile: Normalizer profile applied to both.
        unit: Words, split at white space, or characters, spaces included.

    Raises:
        ValueError: If there are not as many hypotheses as references.

    Examples:
        >>> edits = edits_by_utterance(["ذهب الولد", "نعم"], ["ذهبت الولد", ""])
        >>> edits.substitutions.tolist(), edits.deletions.tolist(), edits.rate
        ([1, 0], [0, 1], 0.6666666666666666)
    """
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references and {len(hypotheses)} hypotheses")
    wanted = [_units(normalize(text, profile), unit) for text in references]
    found = [_units(normalize(text, profile), unit) for text in hypotheses]
    counts = np.zeros((len(wanted), 4), dtype=np.int64)
    for index, (reference, hypothesis) in enumerate(zip(wanted, found, strict=True)):
        counts[index] = _edits(reference, hypothesis)
    return Edits(counts[:, 0], counts[:, 1], counts[:, 2], counts[:, 3])


def _units(text: str, unit: str) -> list[str]:
    return text.split() if unit == "word" else list(text.strip())


def _edits(reference: list[str], hypothesis: list[str]) -> tuple[int, int, int, int]:
    if not reference:
        return 0, 0, len(hypothesis), 0
    codes: dict[str, str] = {}
    spelled = [
        "".join(codes.setdefault(unit, chr(0xE000 + len(codes))) for unit in units)
        for units in (reference, hypothesis)
    ]
    result = extras.load("jiwer").process_characters(spelled[0], spelled[1])
    return result.substitutions, result.deletions, result.insertions, len(reference)
