"""What a model takes of audio, as numbers that need no model."""

from dataclasses import dataclass

import numpy as np

from maqam.data.audio import SAMPLE_RATE

TOO_SHORT, TOO_LONG = "audio too short", "audio too long"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model takes of audio.

    Attributes:
        name: The model, in the words of a report.
        min_samples: Fewest samples that give an audio token.
        max_seconds: Longest audio; None where only the context of the LLM limits it.
        sample_rate: Rate of the samples in Hz.
    """

    name: str
    min_samples: int
    max_seconds: float | None = None
    sample_rate: int = SAMPLE_RATE

    def is_too_short(self, seconds: np.ndarray) -> np.ndarray:
        """Tell which lengths give no audio token: (num_rows,) bool; 0 seconds is no audio.

        Examples:
            >>> Limits("a model", 321).is_too_short(np.array([0.0, 0.02, 0.03])).tolist()
            [False, True, False]
        """
        num_samples = np.round(np.asarray(seconds) * self.sample_rate)
        is_short: np.ndarray = (np.asarray(seconds) > 0) & (num_samples < self.min_samples)
        return is_short

    def is_too_long(self, seconds: np.ndarray) -> np.ndarray:
        """Tell which lengths are more than the model takes: (num_rows,) bool."""
        longest = np.inf if self.max_seconds is None else self.max_seconds
        is_long: np.ndarray = np.asarray(seconds) > longest
        return is_long

    def fault(self, seconds: float) -> tuple[str, str] | None:
        """Return what is wrong with a length, as the kind and the text of a finding.

        Examples:
            >>> Limits("a model", 321, 30.0).fault(31.0)
            ('audio too long', '31.000 s, and a model takes 30 s')
        """
        if self.is_too_short(np.array(seconds)):
            least = self.min_samples / self.sample_rate
            return (
                TOO_SHORT,
                f"{seconds:.3f} s give no audio token: {self.name} needs {least:.3f} s",
            )
        if self.max_seconds is not None and self.is_too_long(np.array(seconds)):
            return TOO_LONG, f"{seconds:.3f} s, and {self.name} takes {self.max_seconds:.0f} s"
        return None
