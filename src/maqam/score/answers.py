"""The answers to one task as metrics read them; what several metrics need is made once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from maqam.score.error_rate import Edits, edits_by_utterance
from maqam.score.groups import AXES
from maqam.score.labels import Columns, chosen_labels, one_hot, readings
from maqam.score.ngrams import rouge
from maqam.score.settings import ScoreSettings
from maqam.text.labels import parse_label
from maqam.text.profiles import normalize


@dataclass(frozen=True)
class Answers:
    """Decoded answers of one task.

    Attributes:
        columns: Columns of hypotheses.parquet, rows of this task only.
        labels: Labels of the task, in the order of their scores; empty for free text.
        settings: Profile, and how labels are chosen from their scores.
        profile: Normalizer profile that texts are compared under; None to take them as they are.
    """

    columns: Columns
    labels: tuple[str, ...]
    settings: ScoreSettings
    profile: str | None = None

    @property
    def references(self) -> list[str]:
        """What is right."""
        return list(self.columns["reference"])

    @property
    def hypotheses(self) -> list[str]:
        """What was decoded."""
        return list(self.columns["hypothesis"])

    @property
    def axes(self) -> tuple[str, ...]:
        """Kinds of groups that a main metric is given for: all under the profile of the run."""
        return AXES if self.profile in (None, self.settings.profile) else ("dialect",)

    @cached_property
    def normalized(self) -> tuple[list[str], list[str]]:
        """References and hypotheses under the profile."""
        if self.profile is None:
            return self.references, self.hypotheses
        profile = self.profile
        return (
            [normalize(text, profile) for text in self.references],
            [normalize(text, profile) for text in self.hypotheses],
        )

    @cached_property
    def word_edits(self) -> Edits:
        """Word errors under the profile."""
        return edits_by_utterance(
            self.references, self.hypotheses, profile=self.profile or "none", unit="word"
        )

    @cached_property
    def character_edits(self) -> Edits:
        """Character errors under the profile."""
        return edits_by_utterance(
            self.references, self.hypotheses, profile=self.profile or "none", unit="character"
        )

    @cached_property
    def rouge(self) -> Mapping[str, np.ndarray]:
        """ROUGE F1 of each answer, by kind."""
        return rouge(*self.normalized)

    @cached_property
    def strict(self) -> list[str | None]:
        """The label that each answer is, and nothing else; None where it is none."""
        return [parse_label(text, self.labels, lenient=False) for text in self.hypotheses]

    @cached_property
    def confusions(self) -> Mapping[str, np.ndarray]:
        """(num_utterances, num_labels, num_labels + 1) confusions by how a label was read."""
        from_scores = chosen_labels(self.columns, self.labels, self.settings)
        read = {
            "": from_scores,
            "_generated": list(self.columns["answered_label"]),
            "_strict": self.strict,
            **{
                f"_{name}": chosen
                for name, chosen in readings(self.columns, self.labels, self.settings).items()
            },
        }
        return {
            name: one_hot(self.references, answers, self.labels) for name, answers in read.items()
        }
