"""Which audio LLM a run starts from."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from maqam.models.families import FAMILIES
from maqam.settings_file import nearest

POCKET, AUTO = "pocket", "auto"


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The backbone of a run and the numbers it computes in.

    Attributes:
        kind: "pocket" is the small model shipped with Maqam; "auto" the family that the
            checkpoint's config.json names; any other is a family, and the checkpoint must be one
            of it.
        path: Local folder or hub id of the checkpoint; null for the shipped pocket weights.
        dtype: Number format of the weights while training and decoding.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    kind: str = POCKET
    path: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        kinds = (POCKET, AUTO, *FAMILIES)
        if self.kind not in kinds:
            raise ValueError(f"no model kind {self.kind!r}: {nearest(self.kind, kinds)}")
