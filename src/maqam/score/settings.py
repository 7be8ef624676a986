"""What is decoded of a run, and how it is scored."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from maqam.text.profiles import steps_of


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """Decoding limits and the rules of scoring.

    Attributes:
        profile: Normalizer profile of word and character error rates.
        max_new_tokens: Where a free-text answer without an end is cut.
        max_label_tokens: The same for an answer that should be a label.
        batch_tokens: Prompt tokens decoded side by side, padding included.
        label_prior: "kept" takes label scores as they are; "removed" takes off the log of the
            model's mean probability of each label over the utterances scored, which undoes a
            preference for some label whatever is heard.
        length_normalized: Whether a label's log-likelihood is divided by its tokens before the
            likeliest is chosen; labels are whole answers, so their sums are what is compared.
        num_resamples: Bootstrap resamples behind every interval.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    profile: str = "leaderboard-v3"
    max_new_tokens: int = 64
    max_label_tokens: int = 12
    batch_tokens: int = 6000
    label_prior: Literal["kept", "removed"] = "kept"
    length_normalized: bool = False
    num_resamples: int = 2000

    def __post_init__(self) -> None:
        steps_of(self.profile)
        for name in ("max_new_tokens", "max_label_tokens", "batch_tokens", "num_resamples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
