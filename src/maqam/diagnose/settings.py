"""What is diagnosed while a run trains, and on how much."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class DiagnoseSettings:
    """What a run measures of itself; nothing here changes a gradient.

    Attributes:
        every: Steps between two measures of conflict while the run trains; 0 measures none.
            `maqam diagnose` measures the checkpoints that are left in any case.
        rows: Fixed utterances of each task whose gradients are held against each other.
        split: Split they are dealt from; one that is not trained on tells what is learnt.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    every: int = 0
    rows: int = 8
    split: str = "dev"

    def __post_init__(self) -> None:
        if self.every < 0:
            raise ValueError(f"every must be at least 0, got {self.every}")
        if self.rows < 2:
            raise ValueError(f"rows must be at least 2, to tell noise from a task, got {self.rows}")
