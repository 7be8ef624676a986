"""How shares become utterances: what a budget counts, and what a dry group does."""

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class Deal:
    """How the shares of a schedule are dealt out.

    Attributes:
        unit: What steps, budgets and shares are counted in: "rows" (every batch holds as many
            utterances), "seconds" of audio or "tokens" of the LLM's input (every batch holds as
            much, within one utterance).
        exhaustion: What a group does that was dealt through: "repeat" begins its next epoch,
            "cap" hands its share to its siblings after `max_epochs`, "stop" ends the plan before
            the first step that would take a group of the first axis further than `max_epochs`.
        max_epochs: Passes over a group before "cap" or "stop".
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    unit: Literal["rows", "seconds", "tokens"] = "rows"
    exhaustion: Literal["repeat", "cap", "stop"] = "repeat"
    max_epochs: int = 1

    def __post_init__(self) -> None:
        if self.max_epochs < 1:
            raise ValueError(f"max_epochs must be at least 1, got {self.max_epochs}")
