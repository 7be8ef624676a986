"""How shares become utterances: what a budget counts, and what a dry group does."""

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class Pick:
    """Choose the utterances of a batch among more candidates, by their embeddings.

    How many each group gives is decided before; the pick decides which. A candidate that is not
    picked stays first in its deck, so none is passed over for good.

    Attributes:
        kernel: "facility_location", "farthest_first" or "k_dpp".
        candidates: Candidates for every utterance that is dealt.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    kernel: Literal["facility_location", "farthest_first", "k_dpp"] = "facility_location"
    candidates: int = 4

    def __post_init__(self) -> None:
        if self.candidates < 2:
            raise ValueError(f"candidates must be at least 2, got {self.candidates}")


@dataclass(frozen=True, slots=True)
class DealSettings:
    """How the shares of a schedule are dealt out.

    Attributes:
        unit: What steps, budgets and shares are counted in: "rows" (every batch holds as many
            utterances), "seconds" of audio or "tokens" of the LLM's input (every batch holds as
            much, within one utterance).
        exhaustion: What a group does that was dealt through: "repeat" begins its next epoch,
            "cap" hands its share to its siblings after `max_epochs`, "stop" ends the plan before
            the first step that would take a group of the first axis further than `max_epochs`.
        max_epochs: Passes over a group before "cap" or "stop".
        pick: How utterances are chosen among candidates; null takes them as they come.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    unit: Literal["rows", "seconds", "tokens"] = "rows"
    exhaustion: Literal["repeat", "cap", "stop"] = "repeat"
    max_epochs: int = 1
    pick: Pick | None = None

    def __post_init__(self) -> None:
        if self.max_epochs < 1:
            raise ValueError(f"max_epochs must be at least 1, got {self.max_epochs}")
        if self.pick is not None and self.unit != "rows":
            raise ValueError(f"a pick counts rows, not {self.unit}")
